import { type RefObject, useEffect } from "react";
import type * as Y from "yjs";
import { TextAreaBinding } from "./TextAreaBinding";
import { type UndoStep, undoStepOf, undoStepOfInput } from "./undoKeys";

const IS_MAC = /mac|iphone|ipad/i.test(navigator.userAgent);

/** Bind a text area to `text`, with undo in the place of the browser's own. */
export function useTextBinding(area: RefObject<HTMLTextAreaElement | null>, text: Y.Text): void {
  useEffect(() => {
    const field = area.current;
    if (field === null) return;
    const binding = new TextAreaBinding(field, text);
    const listeners = new AbortController();
    const { signal } = listeners;

    const take = (event: Event, step: UndoStep | null): void => {
      if (step === null) return;
      event.preventDefault();
      if (step === "undo") binding.undo();
      else binding.redo();
      reveal(field);
    };
    field.addEventListener("keydown", (event) => take(event, undoStepOf(event, IS_MAC)), {
      signal,
    });
    field.addEventListener(
      "beforeinput",
      (event) => take(event, undoStepOfInput(event.inputType)),
      {
        signal,
      },
    );

    return () => {
      listeners.abort();
      binding.destroy();
    };
  }, [area, text]);
}

/** Scroll to the caret: browsers do it for a field that gets the focus, and have no other way. */
function reveal(field: HTMLTextAreaElement): void {
  if (field.scrollHeight <= field.clientHeight) return;
  field.blur();
  field.focus();
}
