import { useDocumentTitle } from "@mantine/hooks";
import type { Session } from "../session/Session";
import { mayWrite } from "../session/terms";
import { useNotedAsRecent } from "../session/useNotedAsRecent";
import { useSessionState } from "../session/useSessionState";
import { useTitle } from "../session/useTitle";
import { useUnsavedWarning } from "../session/useUnsavedWarning";
import classes from "./Editor.module.css";
import { EditorHeader } from "./EditorHeader";
import { Notices } from "./Notices";
import { RefusedPage } from "./RefusedPage";
import { ReplacedDialog } from "./ReplacedDialog";
import { TextPane } from "./TextPane";

interface EditorProps {
  readonly session: Session;
  /** Drop what is in this tab, and open the document anew. */
  readonly onStartOver: () => void;
}

export function Editor({ session, onStartOver }: EditorProps) {
  const { document, meta, text } = session;
  const { link, opened, access, unsaved, refusal, copied } = useSessionState(session);
  const [title, rename] = useTitle(meta);
  const ended = link.kind === "refused" || link.kind === "replaced";
  const readOnly = !opened || !mayWrite(access) || refusal !== null || ended;

  useDocumentTitle(`${title || document} – collab`);
  useNotedAsRecent(document, title, opened);
  useUnsavedWarning(unsaved && !copied);

  if (link.kind === "refused" && !opened) {
    return <RefusedPage problem={link.problem} onRetry={session.retry} />;
  }
  return (
    <div className={classes.page}>
      <EditorHeader session={session} title={title} onRename={rename} readOnly={readOnly} />
      <main className={classes.main}>
        <Notices session={session} />
        <TextPane text={text} opened={opened} readOnly={readOnly} />
      </main>
      {link.kind === "replaced" && <ReplacedDialog session={session} onStartOver={onStartOver} />}
    </div>
  );
}
