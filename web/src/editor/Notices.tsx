import type { Session } from "../session/Session";
import { useSessionState } from "../session/useSessionState";
import { LostNotice } from "./LostNotice";
import { ReadOnlyNotice } from "./ReadOnlyNotice";
import { RefusedNotice } from "./RefusedNotice";

interface NoticesProps {
  readonly session: Session;
}

/** What the person has to know above the text. */
export function Notices({ session }: NoticesProps) {
  const { link, opened, unsaved, refusal } = useSessionState(session);
  return (
    <>
      {refusal !== null && <ReadOnlyNotice reason={refusal} />}
      {link.kind === "lost" && <LostNotice link={link} opened={opened} onRetry={session.retry} />}
      {link.kind === "refused" && (
        <RefusedNotice problem={link.problem} unsaved={unsaved} onRetry={session.retry} />
      )}
    </>
  );
}
