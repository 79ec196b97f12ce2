import { sentence } from "../sentence";
import type { Session } from "../session/Session";
import { CopyTextButton } from "./CopyTextButton";
import { Notice } from "./Notice";

interface NotKeptNoticeProps {
  readonly session: Session;
  /** The server's words; may be empty. */
  readonly reason: string;
}

/** Something was written here that the server does not take: it stays to be read and copied. */
export function NotKeptNotice({ session, reason }: NotKeptNoticeProps) {
  return (
    <Notice
      title="Read only: your edits are not being kept"
      tone="bad"
      actions={<CopyTextButton session={session} />}
    >
      {reason !== "" && <p>{sentence(reason)}</p>}
      <p>What you wrote is only in this tab: copy it before you close it.</p>
    </Notice>
  );
}
