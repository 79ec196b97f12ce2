import { sentence } from "../sentence";
import type { Problem } from "../session/problem";
import type { Session } from "../session/Session";
import { CopyTextButton } from "./CopyTextButton";
import { Notice } from "./Notice";
import { RetryButton } from "./RetryButton";
import { refusalTitle } from "./refusalTitle";

interface RefusedNoticeProps {
  readonly session: Session;
  readonly problem: Problem;
  readonly unsaved: boolean;
}

/** The document was open, and may not be open any more: the text stays to be read and copied. */
export function RefusedNotice({ session, problem, unsaved }: RefusedNoticeProps) {
  return (
    <Notice
      title={refusalTitle(problem)}
      tone="bad"
      actions={
        <>
          {unsaved && <CopyTextButton session={session} />}
          <RetryButton label="Try again" onRetry={session.retry} />
        </>
      }
    >
      {problem.detail !== "" && <p>{sentence(problem.detail)}</p>}
      <p>
        {unsaved
          ? "Your last changes are only in this tab: copy them before you close it."
          : "What you see is how it was when the connection ended."}
      </p>
    </Notice>
  );
}
