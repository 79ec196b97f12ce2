import { expect, test } from "vitest";
import { faultIn, isPossible, nameFrom, randomName } from "./documentName";

test.each([
  "notes",
  "team/plan 2025",
  "\u{1f600}",
  "x".repeat(200),
  "\u{1f600}".repeat(200),
  "a.b/..c",
])("a good name: %s", (name) => {
  expect(faultIn(name)).toBeNull();
});

test.each(["", "x".repeat(201), ".", "a/../b", "tab\there", "\ud83d", "\ufffd"])(
  "not a name: %j",
  (name) => {
    expect(faultIn(name)).not.toBeNull();
  },
);

test.each(["a\0b", "\x7f", "\ufffd", "\udc2f"])("no document can be called %j (X22)", (name) => {
  expect(isPossible(name)).toBe(false);
});

test("others may be, even if nobody could open them by typing", () => {
  expect(isPossible("x".repeat(1024))).toBe(true);
});

test("outer spaces and the Unicode form of what was typed don't matter", () => {
  expect(nameFrom("  cafe\u0301 ")).toBe("caf\u00e9");
});

test("random names hold 128 bits, need no encoding and differ", () => {
  const names = Array.from({ length: 100 }, randomName);

  expect(new Set(names).size).toBe(100);
  for (const name of names) expect(name).toMatch(/^[\w-]{22}$/);
});
