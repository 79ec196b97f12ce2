import { type KeyboardEvent, useState } from "react";

interface Draft {
  readonly value: string;
  readonly onChange: (event: { readonly currentTarget: { readonly value: string } }) => void;
  readonly onBlur: () => void;
  readonly onKeyDown: (event: KeyboardEvent<HTMLInputElement>) => void;
}

/**
 * The properties of an input whose text counts once the person is done with it.
 *
 * Enter and leaving the field call `commit`; Escape takes back what was typed. What others do to
 * `current` meanwhile does not disturb the typing.
 */
export function useDraft(current: string, commit: (value: string) => void): Draft {
  const [draft, setDraft] = useState<string | null>(null);

  return {
    value: draft ?? current,
    onChange: (event) => setDraft(event.currentTarget.value),
    onBlur: () => {
      if (draft !== null) commit(draft.trim());
      setDraft(null);
    },
    onKeyDown: (event) => {
      if (event.nativeEvent.isComposing) return;
      if (event.key === "Enter") {
        if (draft !== null) commit(draft.trim());
        setDraft(null);
      }
      if (event.key === "Escape") setDraft(null);
    },
  };
}
