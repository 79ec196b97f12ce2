import { describe, expect, test } from "vitest";
import { bound } from "../testing/bound";

describe("what is typed here", () => {
  test("is in the shared text, and the field is not rewritten", () => {
    const { field, text } = bound("Hello world");
    const before = field.rewrites;

    field.select(5);
    field.type(",");

    expect(text.toString()).toBe("Hello, world");
    expect(field.rewrites).toBe(before);
    expect(field.selectionEnd).toBe(6);
  });

  test("is said in the smallest edit", () => {
    const { field, doc } = bound("A long line that stays as it is");
    const deltas: unknown[] = [];
    doc.getText("content").observe((event) => deltas.push(event.delta));

    field.select(6);
    field.type("er");

    expect(deltas).toEqual([[{ retain: 6 }, { insert: "er" }]]);
  });

  test("replaces one emoji by another as a whole", () => {
    const { field, peer } = bound("a\u{1f600}b");

    field.select(1, 3);
    field.type("\u{1f601}");

    expect(peer.toString()).toBe("a\u{1f601}b");
  });
});

describe("what a peer writes", () => {
  test.each([
    ["above the caret moves it", 0, "one two".length + 3],
    ["below the caret leaves it", 7, 7],
  ])("%s", (_name, at, caret) => {
    const { field, peer } = bound("one two");
    field.select(7);

    peer.insert(at, "NEW");

    expect(field.selectionStart).toBe(caret);
    expect(field.selectionEnd).toBe(caret);
  });

  test("at the edges of a selection stays outside it", () => {
    const { field, peer } = bound("one two three");
    field.setSelectionRange(4, 7, "backward");

    peer.insert(7, ">");
    peer.insert(4, "<");

    expect(field.value.slice(field.selectionStart, field.selectionEnd)).toBe("two");
    expect(field.selectionDirection).toBe("backward");
  });

  test("over a selection leaves a caret where it was", () => {
    const { field, peer } = bound("one two three");
    field.select(4, 7);

    peer.delete(2, 7);

    expect(field.value).toBe("onhree");
    expect([field.selectionStart, field.selectionEnd]).toEqual([2, 2]);
  });

  test("counts emoji as the field does", () => {
    const { field, peer } = bound("\u{1f600}|");
    field.select(3);

    peer.insert(0, "\u{1f600}");

    expect(field.selectionStart).toBe(5);
  });

  test("leaves the page where it is for a reader, and the line where it is for a writer", () => {
    const { field, peer } = bound("1\n2\n3\n4");
    field.select(7);
    field.scrollTop = 20;
    peer.insert(0, "new\n");
    expect(field.scrollTop).toBe(20);

    field.ownerDocument.activeElement = field;
    peer.insert(0, "new\n");
    expect(field.scrollTop).toBe(30);
    peer.insert(peer.length, "\nbelow");
    expect(field.scrollTop).toBe(30);
  });

  test("in another part of the document rewrites nothing", () => {
    const { field, peer } = bound("text");
    const before = field.rewrites;

    peer.doc?.getMap("meta").set("title", "A title");

    expect(field.rewrites).toBe(before);
  });

  test("is not heard any more after destroy", () => {
    const { field, binding, text, peer } = bound("text");

    binding.destroy();
    peer.insert(0, "more ");
    field.select(0);
    field.type("x");

    expect(field.value).toBe("xtext");
    expect(text.toString()).toBe("more text");
  });
});

describe("undo", () => {
  test("takes back mine and leaves my peers'", () => {
    const { field, binding, peer } = bound("start ");
    field.select(6);
    field.type("mine ");
    peer.insert(0, "theirs ");

    binding.undo();
    expect(field.value).toBe("theirs start ");

    binding.redo();
    expect(field.value).toBe("theirs start mine ");
    expect(field.selectionStart).toBe(field.value.length);
    expect(peer.toString()).toBe(field.value);
  });

  test("puts the caret where the change was", () => {
    const { field, binding } = bound("one two three");
    field.select(4, 8);
    field.type("");
    field.select(0);

    binding.undo();

    expect(field.value).toBe("one two three");
    expect(field.selectionStart).toBe(8);
  });

  test("does nothing in a field that only reads", () => {
    const { field, binding } = bound();
    field.type("mine");
    field.readOnly = true;

    binding.undo();

    expect(field.value).toBe("mine");
  });
});

test("an embedded object is one character that can be deleted", () => {
  const { field, peer, text } = bound("ab");

  peer.insertEmbed(1, { image: "cat" });
  expect(field.value).toBe("a\ufffcb");
  field.select(3);
  field.type("c");
  field.select(1, 2);
  field.type("");

  expect(text.toDelta()).toEqual([{ insert: "abc" }]);
});
