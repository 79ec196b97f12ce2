import { lazy, Suspense } from "react";
import { pageAt } from "./addresses";
import { impossibilityOf } from "./documentName";
import { ImpossibleNamePage } from "./ImpossibleNamePage";
import { StartPage } from "./start/StartPage";
import { UnknownPage } from "./UnknownPage";

/** What the start page does not need: Yjs, and all that edits. */
const EditorPage = lazy(() => import("./editor/EditorPage"));

/** Every link loads anew, so that nothing of one document is left when another opens. */
export function App() {
  const page = pageAt(location.pathname);
  switch (page.kind) {
    case "start":
      return <StartPage />;
    case "document": {
      const impossible = impossibilityOf(page.document);
      if (impossible !== null) return <ImpossibleNamePage reason={impossible} />;
      return (
        <Suspense>
          <EditorPage document={page.document} />
        </Suspense>
      );
    }
    case "unknown":
      return <UnknownPage />;
  }
}
