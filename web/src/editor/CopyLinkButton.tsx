import { VisuallyHidden } from "@mantine/core";
import { useTimeout } from "@mantine/hooks";
import { useState } from "react";
import { documentPath } from "../addresses";
import { copyText } from "../copyText";
import { ToolButton } from "./ToolButton";

const FEEDBACK_MILLISECONDS = 2_500;

interface CopyLinkButtonProps {
  readonly document: string;
}

type State = "ready" | "copied" | "failed";

const WORDS: Readonly<Record<State, string>> = {
  ready: "Copy link",
  copied: "Copied",
  failed: "Not allowed",
};

/** The chain of a link, a tick, a cross: on a phone the drawing is all there is room for. */
const ICONS: Readonly<Record<State, string>> = {
  ready:
    "M10 13a5 5 0 0 0 7.5.5l3-3a5 5 0 0 0-7-7l-1.7 1.7M14 11a5 5 0 0 0-7.5-.5l-3 3a5 5 0 0 0 7 7l1.7-1.7",
  copied: "M5 13l5 5L20 7",
  failed: "M6 6l12 12M18 6L6 18",
};

export function CopyLinkButton({ document }: CopyLinkButtonProps) {
  const [state, setState] = useState<State>("ready");
  const { start } = useTimeout(() => setState("ready"), FEEDBACK_MILLISECONDS);

  const copy = async (): Promise<void> => {
    const copied = await copyText(location.origin + documentPath(document));
    setState(copied ? "copied" : "failed");
    start();
  };

  return (
    <>
      <ToolButton label={WORDS[state]} icon={ICONS[state]} onClick={copy} />
      <VisuallyHidden role="status">{state === "ready" ? "" : WORDS[state]}</VisuallyHidden>
    </>
  );
}
