import { beforeEach, expect, test, vi } from "vitest";
import { forget, noteOpened, recentDocuments } from "./recentDocuments";

/** As much of a browser's storage as is used. */
function storage(content: Map<string, string>) {
  return {
    getItem: (key: string) => content.get(key) ?? null,
    setItem: (key: string, value: string) => content.set(key, value),
  };
}

let content: Map<string, string>;

beforeEach(() => {
  content = new Map();
  vi.stubGlobal("localStorage", storage(content));
});

function open(document: string, title = "") {
  noteOpened({ document, title, openedAt: 1 });
}

function names(): string[] {
  return recentDocuments().map(({ document }) => document);
}

test("the latest comes first, and each document once", () => {
  open("a");
  open("b");
  open("a", "A title");

  expect(names()).toEqual(["a", "b"]);
  expect(recentDocuments()[0]?.title).toBe("A title");
});

test("a document that is forgotten is off the list", () => {
  open("a");
  open("b");

  expect(forget("b").map(({ document }) => document)).toEqual(["a"]);
  expect(names()).toEqual(["a"]);
});

test("the list does not grow without end", () => {
  for (let i = 0; i < 50; i++) open(`document ${i}`);

  expect(names()).toHaveLength(30);
  expect(names()[0]).toBe("document 49");
});

test.each(["", "{", "7", "null", '[{"document": 7}, 3]'])(
  "what can't be read counts as nothing: %s",
  (text) => {
    content.set("collab.recent", text);

    expect(names()).toEqual([]);
  },
);

test("a browser that stores nothing does no harm", () => {
  const refuse = () => {
    throw new DOMException("denied", "SecurityError");
  };
  vi.stubGlobal("localStorage", { getItem: refuse, setItem: refuse });

  open("a");

  expect(names()).toEqual([]);
});
