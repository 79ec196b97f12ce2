import { Button } from "@mantine/core";
import { useState } from "react";
import { copyText } from "../copyText";
import type { Session } from "../session/Session";

interface CopyTextButtonProps {
  readonly session: Session;
}

type State = "ready" | "copied" | "failed";

const WORDS: Readonly<Record<State, string>> = {
  ready: "Copy the text",
  copied: "Copied",
  failed: "Not allowed",
};

/** Takes the whole text along, for whoever can't save it here. */
export function CopyTextButton({ session }: CopyTextButtonProps) {
  const [state, setState] = useState<State>("ready");

  const copy = async (): Promise<void> => {
    const copied = await copyText(session.text.toString());
    setState(copied ? "copied" : "failed");
    if (copied) session.noteCopied();
  };

  return (
    <Button size="xs" variant="default" aria-live="polite" onClick={copy}>
      {WORDS[state]}
    </Button>
  );
}
