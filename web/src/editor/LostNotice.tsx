import { useNetwork } from "@mantine/hooks";
import { sentence } from "../sentence";
import type { Link } from "../session/link";
import type { Answer } from "../session/problem";
import { Notice } from "./Notice";
import { RetryButton } from "./RetryButton";

interface LostNoticeProps {
  readonly link: Extract<Link, { readonly kind: "lost" }>;
  readonly opened: boolean;
  readonly onRetry: () => void;
}

/** Says why there is no connection, once that lasts longer than the first new attempt. */
export function LostNotice({ link, opened, onRetry }: LostNoticeProps) {
  const { online } = useNetwork();
  if (online && link.attempt < 2) return null;

  const { title, detail } = online
    ? causeOf(link.answer)
    : { title: "You are offline", detail: "" };
  return (
    <Notice
      title={title}
      tone="waiting"
      actions={<RetryButton label="Try now" onRetry={onRetry} />}
    >
      {detail !== "" && <p>{sentence(detail)}</p>}
      <p>
        {opened
          ? "Your changes are kept in this tab and sent when the connection is back."
          : "The document appears here as soon as there is a connection."}
      </p>
    </Notice>
  );
}

function causeOf(answer: Answer | null): { title: string; detail: string } {
  switch (answer?.kind) {
    case "busy":
      return answer.problem;
    case "willing":
      return {
        title: "The live connection can't be opened",
        detail: "The server answers, but something on the way may not let WebSockets through.",
      };
    default:
      return { title: "The server can't be reached", detail: "" };
  }
}
