import { sentence } from "../sentence";
import type { Problem } from "../session/problem";
import { Notice } from "./Notice";
import { refusalTitle } from "./refusalTitle";

interface RefusedNoticeProps {
  readonly problem: Problem;
  readonly unsaved: boolean;
  readonly onRetry: () => void;
}

/** The document was open, and may not be open any more: the text stays to be read and copied. */
export function RefusedNotice({ problem, unsaved, onRetry }: RefusedNoticeProps) {
  return (
    <Notice title={refusalTitle(problem)} tone="bad" action={{ label: "Try again", run: onRetry }}>
      {problem.detail !== "" && <p>{sentence(problem.detail)}</p>}
      <p>
        {unsaved
          ? "Your last changes are only in this tab: copy them before you close it."
          : "What you see is how it was when the connection ended."}
      </p>
    </Notice>
  );
}
