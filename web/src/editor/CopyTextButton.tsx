import { Button } from "@mantine/core";
import type { Session } from "../session/Session";
import { OUTCOMES, useCopying } from "./useCopying";

interface CopyTextButtonProps {
  readonly session: Session;
}

/** Takes the whole text along, for whoever can't save it here. */
export function CopyTextButton({ session }: CopyTextButtonProps) {
  const { state, copy } = useCopying();

  const copyAll = async (): Promise<void> => {
    if (await copy(session.text.toString())) session.noteCopied();
  };

  return (
    <Button size="xs" variant="default" aria-live="polite" onClick={copyAll}>
      {state === "ready" ? "Copy the text" : OUTCOMES[state]}
    </Button>
  );
}
