import { expect, test } from "vitest";
import { faultIn, impossibilityOf, nameFrom, randomName } from "./documentName";

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

test.each(["", "x".repeat(201), ".", "a/../b", "tab\there", "\ud83d"])("not a name: %j", (name) => {
  expect(faultIn(name)).not.toBeNull();
});

test.each(["x\0y", "line\nbreak", "\x7f", "\ud83d", "\ufffd", "\u00e9".repeat(513)])(
  "the server has no document of this name: %j",
  (name) => {
    expect(impossibilityOf(name)).not.toBeNull();
    expect(faultIn(name)).not.toBeNull();
  },
);

test.each(["x".repeat(1_024), "a/../b", " ", "50%"])("the server may have it: %j", (name) => {
  expect(impossibilityOf(name)).toBeNull();
});

test("outer spaces and the Unicode form of what was typed don't matter", () => {
  expect(nameFrom("  cafe\u0301 ")).toBe("caf\u00e9");
});

test("random names hold 128 bits, need no encoding and differ", () => {
  const names = Array.from({ length: 100 }, randomName);

  expect(new Set(names).size).toBe(100);
  for (const name of names) expect(name).toMatch(/^[\w-]{22}$/);
});
