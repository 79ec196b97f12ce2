import { expect, test } from "vitest";
import { type Keystroke, undoStepOf, undoStepOfInput } from "./undoKeys";

function pressed(keys: string): Keystroke {
  const names = keys.split("+");
  return {
    key: names.at(-1) ?? "",
    ctrlKey: names.includes("Ctrl"),
    metaKey: names.includes("Cmd"),
    altKey: names.includes("Alt"),
    shiftKey: names.includes("Shift"),
  };
}

test.each([
  ["Ctrl+z", "undo"],
  ["Ctrl+Z", "undo"], // with Caps Lock on
  ["Ctrl+Shift+Z", "redo"],
  ["Ctrl+y", "redo"],
  ["Cmd+z", null],
  ["Ctrl+Alt+z", null],
  ["z", null],
  ["Ctrl+x", null],
])("on a PC %s means %s", (keys, step) => {
  expect(undoStepOf(pressed(keys), false)).toBe(step);
});

test.each([
  ["Cmd+z", "undo"],
  ["Cmd+Shift+z", "redo"],
  ["Ctrl+z", null],
  ["Ctrl+y", null],
  ["Cmd+y", null],
])("on a Mac %s means %s", (keys, step) => {
  expect(undoStepOf(pressed(keys), true)).toBe(step);
});

test.each([
  ["historyUndo", "undo"],
  ["historyRedo", "redo"],
  ["insertText", null],
])("the input event %s means %s", (inputType, step) => {
  expect(undoStepOfInput(inputType)).toBe(step);
});
