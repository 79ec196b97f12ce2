import { afterEach, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { copyName, copyOf, keepCopy } from "./copies";

afterEach(() => vi.unstubAllGlobals());

function notes(title = ""): Y.Doc {
  const doc = new Y.Doc();
  doc.getText("content").insert(0, "hello");
  if (title !== "") doc.getMap("meta").set("title", title);
  return doc;
}

function opened(update: Uint8Array): Y.Doc {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, update);
  return doc;
}

/** Answer requests one after the other; return what was asked. */
function answering(...answers: readonly (readonly [number, string])[]): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (path: string, { method }: RequestInit) => {
    const [status, body] = answers[asked.length] ?? [500, ""];
    asked.push(`${method} ${path}`);
    return new Response(body, { status });
  });
  return asked;
}

test.each([
  ["notes", 1, "notes (copy)"],
  ["notes", 2, "notes (copy 2)"],
  ["notes (copy)", 1, "notes (copy)"],
  ["notes (copy 12)", 3, "notes (copy 3)"],
  ["a/b", 1, "a/b (copy)"],
])("copy of %s, number %d: %s", (document, number, name) => {
  expect(copyName(document, number)).toBe(name);
});

test("a long name is cut at a character", () => {
  const name = copyName("😀".repeat(200), 1);

  expect([...name]).toHaveLength(200);
  expect(name).toMatch(/😀 \(copy\)$/u);
  expect(name.isWellFormed()).toBe(true);
});

test("a copy holds everything, and its title says what it is", () => {
  const copy = opened(copyOf(notes("Plans")));

  expect(copy.getText("content").toString()).toBe("hello");
  expect(copy.getMap("meta").get("title")).toBe("Plans (copy)");
  expect(opened(copyOf(notes())).getMap("meta").has("title")).toBe(false);
});

test("a name that is taken gives way to the next", async () => {
  const asked = answering([409, ""], [201, "{}"]);

  expect(await keepCopy("a b", notes())).toEqual({ kind: "kept", document: "a b (copy 2)" });
  expect(asked).toEqual([
    "PUT /api/documents/a%20b%20(copy)",
    "PUT /api/documents/a%20b%20(copy%202)",
  ]);
});

test.each([
  [403, '{"detail": "You may not."}', "You may not."],
  [502, "<html>", "The server answered 502."],
])("a refusal is told in the words of the server: %d", async (status, body, reason) => {
  const asked = answering([status, body]);

  expect(await keepCopy("notes", notes())).toEqual({ kind: "failed", reason });
  expect(asked).toHaveLength(1);
});

test("a server that can't be reached is said to be so", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));

  expect(await keepCopy("notes", notes())).toEqual({
    kind: "failed",
    reason: "The server can't be reached.",
  });
});
