import { expect, test } from "vitest";
import { Alignment, type Change, type ModelEdit, shown } from "./alignment";
import type { Edit } from "./edit";

test.each([
  ["plain", "a\nb", "a\nb"],
  ["CRLF", "a\r\nb", "a\nb"],
  ["a lone CR", "a\rb", "a\nb"],
  ["CR before CRLF", "\r\r\n", "\n\n"],
])("every line ending is shown as LF: %s", (_name, model, view) => {
  expect(shown(model)).toBe(view);
});

test("offsets are the same when the shared text has no CRLF", () => {
  const alignment = Alignment.of("a\u{1f600}b\nc");
  for (const index of [0, 1, 3, 4, 5, 6]) {
    expect(alignment.toModel(index)).toBe(index);
    expect(alignment.toView(index)).toBe(index);
  }
});

test("a CRLF is one character in the text area and two in the shared text", () => {
  const alignment = Alignment.of("a\r\nb\r\n");

  expect([0, 1, 2, 3, 4].map((view) => alignment.toModel(view))).toEqual([0, 1, 3, 4, 6]);
  expect([0, 1, 2, 3, 4, 5, 6].map((model) => alignment.toView(model))).toEqual([
    0, 1, 1, 2, 3, 3, 4,
  ]);
});

test("nothing is ever inserted between CR and LF", () => {
  expect(Alignment.of("\r\n").toModel(0)).toBe(0);
  expect(Alignment.of("ab\r\ncd").toModelEdit(typed(2, "!"), "ab\r\ncd").at).toBe(2);
});

test("deleting a line ending deletes both of its characters", () => {
  const model = "a\r\nb";
  const translated = Alignment.of(model).toModelEdit(deleted(1, 1), model);

  expect(applied(model, translated)).toBe("ab");
});

test("a lone CR before a CRLF is a line ending of its own", () => {
  const model = "a\r\r\nb";
  const translated = Alignment.of(model).toModelEdit(deleted(2, 1), model);

  expect(applied(model, translated)).toBe("a\rb");
});

test("an edit across several line endings leaves the rest as it was", () => {
  const model = "one\r\ntwo\r\nthree\r\nfour";
  const translated = Alignment.of(model).toModelEdit(
    { start: 2, removed: 7, inserted: "X" },
    model,
  );

  expect(applied(model, translated)).toBe("onXhree\r\nfour");
});

test("what a peer inserts while the text area stands still moves what comes behind it", () => {
  const alignment = Alignment.of("abcd").afterChanges([retain(2), insert(3)]);

  expect([1, 2, 3, 4].map((view) => alignment.toModel(view))).toEqual([1, 2, 6, 7]);
});

test("an edit goes around what a peer wrote into the middle of it", () => {
  const alignment = Alignment.of("abcd").afterChanges([retain(2), insert(3)]);

  const translated = alignment.toModelEdit({ start: 1, removed: 2, inserted: "X" }, "abPEEcd");

  expect(applied("abPEEcd", translated)).toBe("aXPEEd");
});

test("an edit deletes only what a peer has not deleted before it", () => {
  const alignment = Alignment.of("abcd").afterChanges([retain(1), remove(2)]);

  const translated = alignment.toModelEdit(deleted(0, 3), "ad");

  expect(applied("ad", translated)).toBe("d");
});

test("edits here and changes there take turns", () => {
  let model = "hello";
  let alignment = Alignment.of(model);
  const here = (edit: Edit): void => {
    const translated = alignment.toModelEdit(edit, model);
    alignment = alignment.afterEdit(edit, translated);
    model = applied(model, translated);
  };

  here(typed(5, " w"));
  alignment = alignment.afterChanges([insert(2)]);
  model = `>>${model}`;
  here(typed(7, "o"));
  alignment = alignment.afterChanges([retain(3), remove(4)]);
  model = model.slice(0, 3) + model.slice(7);
  here({ start: 6, removed: 2, inserted: "W" });

  expect(model).toBe(">>h W");
});

function applied(model: string, { deletions, at, inserted }: ModelEdit): string {
  let text = model;
  for (const { start, length } of deletions.toReversed()) {
    text = text.slice(0, start) + text.slice(start + length);
  }
  return text.slice(0, at) + inserted + text.slice(at);
}

function typed(start: number, inserted: string): Edit {
  return { start, removed: 0, inserted };
}

function deleted(start: number, removed: number): Edit {
  return { start, removed, inserted: "" };
}

function retain(length: number): Change {
  return { kind: "retain", length };
}

function insert(length: number): Change {
  return { kind: "insert", length };
}

function remove(length: number): Change {
  return { kind: "delete", length };
}
