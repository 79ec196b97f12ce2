export type UndoStep = "undo" | "redo";

export type Keystroke = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">;

/** What a keystroke asks for: Ctrl+Z, Ctrl+Shift+Z, Ctrl+Y; on a Mac Cmd+Z, Cmd+Shift+Z. */
export function undoStepOf(keystroke: Keystroke, isMac: boolean): UndoStep | null {
  const { key, ctrlKey, metaKey, altKey, shiftKey } = keystroke;
  const command = isMac ? metaKey && !ctrlKey : ctrlKey && !metaKey;
  if (!command || altKey) return null;
  switch (key.toLowerCase()) {
    case "z":
      return shiftKey ? "redo" : "undo";
    case "y":
      // Ctrl+Y on a Mac is the text system's "yank", and Cmd+Y the browser's history.
      return isMac || shiftKey ? null : "redo";
    default:
      return null;
  }
}

/** What an input event asks for: the browser's own menu and a phone's gestures come this way. */
export function undoStepOfInput(inputType: string): UndoStep | null {
  if (inputType === "historyUndo") return "undo";
  if (inputType === "historyRedo") return "redo";
  return null;
}
