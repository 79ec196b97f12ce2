import { sentence } from "../sentence";
import { Notice } from "./Notice";

interface ReadOnlyNoticeProps {
  /** The server's words; may be empty. */
  readonly reason: string;
}

export function ReadOnlyNotice({ reason }: ReadOnlyNoticeProps) {
  return (
    <Notice title="Read only: your edits are not being kept" tone="bad">
      <p>{sentence(reason) || "The server did not take the last one."}</p>
    </Notice>
  );
}
