import { useNetwork } from "@mantine/hooks";
import type { Link } from "../session/link";
import classes from "./ConnectionBadge.module.css";

interface ConnectionBadgeProps {
  readonly link: Link;
  readonly opened: boolean;
}

export function ConnectionBadge({ link, opened }: ConnectionBadgeProps) {
  const { online } = useNetwork();
  const { words, tone } = described(link, opened, online);
  // The attempts are for the eye: a screen reader would be told every few seconds.
  const attempt = link.kind === "lost" && online ? link.attempt : 0;

  return (
    <span className={classes.badge} data-tone={tone}>
      <span className={classes.dot} />
      <span role="status">{words}</span>
      {attempt > 1 && (
        <span aria-hidden className={classes.attempt}>
          attempt {attempt}
        </span>
      )}
    </span>
  );
}

type Tone = "good" | "waiting" | "bad";

function described(link: Link, opened: boolean, online: boolean): { words: string; tone: Tone } {
  switch (link.kind) {
    case "connected":
      return { words: "Connected", tone: "good" };
    case "connecting":
      return { words: "Connecting…", tone: "waiting" };
    case "lost":
      if (!online) return { words: "Offline", tone: "bad" };
      return { words: opened ? "Reconnecting…" : "Connecting…", tone: "waiting" };
    case "refused":
    case "replaced":
      return { words: "Not connected", tone: "bad" };
  }
}
