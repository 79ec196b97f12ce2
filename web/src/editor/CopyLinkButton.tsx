import { VisuallyHidden } from "@mantine/core";
import { useTimeout } from "@mantine/hooks";
import { documentPath } from "../addresses";
import { ToolButton } from "./ToolButton";
import { type Copying, OUTCOMES, useCopying } from "./useCopying";

const FEEDBACK_MILLISECONDS = 2_500;

interface CopyLinkButtonProps {
  readonly document: string;
}

/** The chain of a link, a tick, a cross: on a phone the drawing is all there is room for. */
const ICONS: Readonly<Record<Copying, string>> = {
  ready:
    "M10 13a5 5 0 0 0 7.5.5l3-3a5 5 0 0 0-7-7l-1.7 1.7M14 11a5 5 0 0 0-7.5-.5l-3 3a5 5 0 0 0 7 7l1.7-1.7",
  copied: "M5 13l5 5L20 7",
  failed: "M6 6l12 12M18 6L6 18",
};

export function CopyLinkButton({ document }: CopyLinkButtonProps) {
  const { state, copy, reset } = useCopying();
  const { start } = useTimeout(reset, FEEDBACK_MILLISECONDS);

  const copyLink = async (): Promise<void> => {
    await copy(location.origin + documentPath(document));
    start();
  };

  return (
    <>
      <ToolButton
        label={state === "ready" ? "Copy link" : OUTCOMES[state]}
        icon={ICONS[state]}
        onClick={copyLink}
      />
      <VisuallyHidden role="status">{state === "ready" ? "" : OUTCOMES[state]}</VisuallyHidden>
    </>
  );
}
