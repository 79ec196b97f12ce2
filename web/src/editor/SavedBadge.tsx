import { useEffect, useState } from "react";
import classes from "./SavedBadge.module.css";

interface SavedBadgeProps {
  /** Whether something that was written here may not be on the server's disk. */
  readonly unsaved: boolean;
  readonly connected: boolean;
}

/** Good news waits a little, so that the word does not flicker with every keystroke; bad news never does. */
const CALM_MILLISECONDS = 500;
/** Longer than any disk takes that is well. */
const PATIENCE_MILLISECONDS = 4_000;

type Word = "Saved" | "Saving…" | "Not saved";

/** Whether what was written here is on the server's disk. "Saved" is only said when the server has said so. */
export function SavedBadge({ unsaved, connected }: SavedBadgeProps) {
  const word = useWord(unsaved, connected);
  return (
    <span
      role="status"
      aria-label="Saved?"
      className={classes.badge}
      data-bad={word === "Not saved"}
    >
      {word}
    </span>
  );
}

function useWord(unsaved: boolean, connected: boolean): Word {
  const [settled, settle] = useState(true);
  useEffect(() => {
    settle(false);
    const wait = unsaved ? PATIENCE_MILLISECONDS : CALM_MILLISECONDS;
    const timer = setTimeout(() => settle(true), wait);
    return () => clearTimeout(timer);
  }, [unsaved]);

  if (!unsaved) return settled ? "Saved" : "Saving…";
  return connected && !settled ? "Saving…" : "Not saved";
}
