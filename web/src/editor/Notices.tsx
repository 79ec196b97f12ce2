import type { Session } from "../session/Session";
import { mayWrite } from "../session/terms";
import { useSessionState } from "../session/useSessionState";
import { LostNotice } from "./LostNotice";
import { NotKeptNotice } from "./NotKeptNotice";
import { ReadOnlyNotice } from "./ReadOnlyNotice";
import { RefusedNotice } from "./RefusedNotice";

interface NoticesProps {
  readonly session: Session;
}

/** What the person has to know above the text. */
export function Notices({ session }: NoticesProps) {
  const { link, opened, access, unsaved, refusal } = useSessionState(session);
  const reading = opened && !mayWrite(access);
  // Who wrote without a connection may only read when it is back.
  const notKept = link.kind !== "refused" && (refusal !== null || (reading && unsaved));
  return (
    <>
      {notKept && <NotKeptNotice session={session} reason={refusal ?? ""} />}
      {reading && !notKept && <ReadOnlyNotice />}
      {link.kind === "lost" && <LostNotice link={link} opened={opened} onRetry={session.retry} />}
      {link.kind === "refused" && (
        <RefusedNotice session={session} problem={link.problem} unsaved={unsaved} />
      )}
    </>
  );
}
