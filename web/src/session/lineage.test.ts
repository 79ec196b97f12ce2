import { afterEach, expect, test, vi } from "vitest";
import { isFinal } from "./closeCodes";
import { askLineage, isAnotherLineage, lineageIn } from "./lineage";

afterEach(() => vi.unstubAllGlobals());

test("only a reset that names the lineage stops the page", () => {
  expect(isAnotherLineage(4205, "lineage: your copy is not of the document")).toBe(true);
  expect(isAnotherLineage(4205, "access changed")).toBe(false);
  expect(isAnotherLineage(4400, "lineage")).toBe(false);
  expect(isFinal(4205)).toBe(false);
});

test.each([undefined, null, "x", {}, { lineage: null }, { lineage: 7 }, { lineage: "" }])(
  "a description without a lineage has none: %j",
  (description) => {
    expect(lineageIn(description)).toBeNull();
  },
);

test("the lineage is that of the named document", async () => {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    return new Response('{"lineage": "0123"}');
  });

  expect(await askLineage("a b/c", new AbortController().signal)).toBe("0123");
  expect(asked).toEqual(["/api/documents/a%20b%2Fc"]);
});

test.each([
  () => Promise.resolve(new Response('{"lineage": "0123"}', { status: 404 })),
  () => Promise.resolve(new Response("<html>")),
  () => Promise.reject(new TypeError("Failed to fetch")),
])("a server that does not say has none", async (answer) => {
  vi.stubGlobal("fetch", answer);

  expect(await askLineage("notes", new AbortController().signal)).toBeNull();
});
