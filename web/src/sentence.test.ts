import { expect, test } from "vitest";
import { sentence } from "./sentence";

test.each([
  ["this connection may only read", "This connection may only read."],
  ["Done already.", "Done already."],
  [" really? ", "Really?"],
  ["\u{1f600} ok", "\u{1f600} ok."],
  ["", ""],
])("%j becomes %j", (words, expected) => {
  expect(sentence(words)).toBe(expected);
});
