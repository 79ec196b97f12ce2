import { describe, expect, test } from "vitest";
import { seeded } from "../testing/seeded";
import { type Edit, editBetween } from "./edit";

function applied(text: string, { start, removed, inserted }: Edit): string {
  return text.slice(0, start) + inserted + text.slice(start + removed);
}

describe("the edit between two strings", () => {
  test("is none when they are equal", () => {
    expect(editBetween("same", "same", 2)).toBeNull();
  });

  test.each([
    ["typing at the end", "ab", "abc", 3, { start: 2, removed: 0, inserted: "c" }],
    ["typing at the start", "bc", "abc", 1, { start: 0, removed: 0, inserted: "a" }],
    ["typing into nothing", "", "a", 1, { start: 0, removed: 0, inserted: "a" }],
    ["clearing all", "abc", "", 0, { start: 0, removed: 3, inserted: "" }],
    ["Backspace in the middle", "abcd", "abd", 2, { start: 2, removed: 1, inserted: "" }],
    ["replacing a selection", "one two three", "one 2 three", 5, edit(4, 3, "2")],
    ["a correction of one word", "teh end", "the end", 3, edit(1, 2, "he")],
    ["a paste over everything", "old", "entirely new", 12, edit(0, 3, "entirely new")],
  ])("is the smallest: %s", (_name, before, after, caret, expected) => {
    expect(editBetween(before, after, caret)).toEqual(expected);
  });

  test.each([
    ["the first of three", "aa", "aaa", 1, edit(0, 0, "a")],
    ["the second of three", "aa", "aaa", 2, edit(1, 0, "a")],
    ["the last of three", "aa", "aaa", 3, edit(2, 0, "a")],
    ["Backspace behind the second", "aaa", "aa", 1, edit(1, 1, "")],
    ["a word pasted beside itself", "go go ", "go go go ", 3, edit(0, 0, "go ")],
    ["a new line among empty ones", "\n\n\n", "\n\n\n\n", 2, edit(1, 0, "\n")],
  ])(
    "is where the caret says, when the strings leave it open: %s",
    (_n, before, after, caret, e) => {
      expect(editBetween(before, after, caret)).toEqual(e);
    },
  );

  test.each([
    ["with the same first half", "\u{1f600}", "\u{1f601}", 2],
    ["with the same second half", "\u{1f600}", "\u{1f200}", 2],
    ["typed beside its like", "\u{1f600}", "\u{1f600}\u{1f600}", 2],
    ["between letters", "a\u{1f600}b", "a\u{1f601}b", 3],
    ["deleted from a row", "\u{1f600}\u{1f601}\u{1f600}", "\u{1f600}\u{1f600}", 2],
    ["skin tone added", "\u{1f44d}", "\u{1f44d}\u{1f3fd}", 4],
    ["joined family", "\u{1f468}\u200d\u{1f469}", "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}", 8],
  ])("never cuts an emoji: %s", (_name, before, after, caret) => {
    const found = editBetween(before, after, caret);

    expect(found).not.toBeNull();
    if (found === null) return;
    expect(applied(before, found)).toBe(after);
    const { start, removed, inserted } = found;
    const removedText = before.slice(start, start + removed);
    for (const piece of [before.slice(0, start), removedText, inserted]) {
      expect(piece.isWellFormed()).toBe(true);
    }
  });

  test("leads from any string to any other", () => {
    const random = seeded(20_251);
    const alphabet = ["a", "b", "\n", "\u{1f600}", "\u{1f601}", "\u{10000}"];
    for (let round = 0; round < 3_000; round++) {
      const before = word(random, alphabet);
      const after = word(random, alphabet);
      const found = editBetween(before, after, Math.floor(random() * (after.length + 1)));
      if (found === null) {
        expect(after).toBe(before);
        continue;
      }
      expect(applied(before, found)).toBe(after);
      expect(found.inserted.isWellFormed()).toBe(true);
      expect(before.slice(0, found.start).isWellFormed()).toBe(true);
    }
  });
});

function edit(start: number, removed: number, inserted: string): Edit {
  return { start, removed, inserted };
}

function word(random: () => number, alphabet: readonly string[]): string {
  const length = Math.floor(random() * 6);
  const letter = () => alphabet[Math.floor(random() * alphabet.length)] ?? "";
  return Array.from({ length }, letter).join("");
}
