import { Button, Modal, Stack, Text } from "@mantine/core";
import { useEffect, useId, useState } from "react";
import { documentPath } from "../addresses";
import { sentence } from "../sentence";
import { copyName } from "../session/copies";
import type { Session } from "../session/Session";

interface ReplacedDialogProps {
  readonly session: Session;
  /** Drop what is in this tab, and open what the server has. */
  readonly onStartOver: () => void;
}

const NOTHING = (): void => undefined;

/** What is in this tab and what the server has are two documents: which one shall it be? */
export function ReplacedDialog({ session, onStartOver }: ReplacedDialogProps) {
  const [keeping, setKeeping] = useState(false);
  const [failure, setFailure] = useState("");
  const [kept, setKept] = useState<string | null>(null);
  const keepWords = useId();
  const takeWords = useId();

  useEffect(() => {
    // In an effect: by now the page does not ask any more whether it may be left.
    if (kept !== null) location.assign(documentPath(kept));
  }, [kept]);

  const keep = async (): Promise<void> => {
    setKeeping(true);
    setFailure("");
    const outcome = await session.keepAsCopy();
    if (outcome.kind === "kept") {
      setKept(outcome.document);
    } else {
      setFailure(outcome.reason);
      setKeeping(false);
    }
  };

  return (
    <Modal
      opened
      onClose={NOTHING}
      withCloseButton={false}
      closeOnClickOutside={false}
      closeOnEscape={false}
      centered
      title={
        <Text component="span" fw={600}>
          This document was restored from a backup
        </Text>
      }
    >
      <Stack>
        <Text size="sm">
          What is in this tab is from before. It was not merged: that would bring back what the
          restore has undone.
        </Text>
        <Stack gap={4}>
          {/* First, so that an Enter that was on its way to the text drops nothing. */}
          <Button data-autofocus loading={keeping} aria-describedby={keepWords} onClick={keep}>
            Keep mine as a copy
          </Button>
          <Text id={keepWords} size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>
            Opens what you have here as “{copyName(session.document, 1)}”.
          </Text>
        </Stack>
        <Stack gap={4}>
          <Button
            variant="default"
            disabled={keeping}
            aria-describedby={takeWords}
            onClick={onStartOver}
          >
            Take the server’s
          </Button>
          <Text id={takeWords} size="sm" c="dimmed">
            Drops what you have here and opens the restored document.
          </Text>
        </Stack>
        {failure !== "" && (
          <Text role="alert" size="sm" c="var(--mantine-color-error)">
            The copy could not be saved. {sentence(failure)}
          </Text>
        )}
      </Stack>
    </Modal>
  );
}
