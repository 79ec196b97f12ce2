import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  apiPath,
  documentPath,
  exportPath,
  pageAt,
  roomOf,
  socketsUrl,
  startPath,
} from "./addresses";

function standAt(baseURI: string): void {
  vi.stubGlobal("document", { baseURI });
}

afterEach(() => vi.unstubAllGlobals());

describe("the page at a path", () => {
  test.each(["/", "/d", "/d/"])("%s is the start page", (path) => {
    expect(pageAt(path)).toEqual({ kind: "start" });
  });

  test.each([
    ["/d/notes", "notes"],
    ["/d/team/2025/plan", "team/2025/plan"],
    ["/d/team%2Fplan", "team/plan"],
    ["/d/a%20b%20%F0%9F%98%80", "a b \u{1f600}"],
    ["/d/100%", "100%"],
    ["/d/100%%20%zz%C3%BC", "100% %zz\u00fc"],
    ["/d/%EF%BB%BFx", "\ufeffx"],
    ["/d/x%00y", "x\0y"],
    ["/d/x%FFy", "x\ufffdy"],
    ["/d/trailing/", "trailing/"],
  ])("%s is the document %s", (path, document) => {
    expect(pageAt(path)).toEqual({ kind: "document", document });
  });

  test.each(["/documents", "/dd/x", "/x"])("%s is unknown", (path) => {
    expect(pageAt(path)).toEqual({ kind: "unknown" });
  });
});

test.each(["plain", "a b/c d", "100%", "what?", "#1", "\u{1f600}/\u{1f601}", "a//b", "a+b&c=d"])(
  "the document %s is found again behind its own path",
  (document) => {
    const { pathname } = new URL(documentPath(document), "http://host.example");
    expect(pageAt(pathname)).toEqual({ kind: "document", document });
  },
);

test("slashes stay in a room and not in an API path", () => {
  expect(roomOf("a b/c?")).toBe("a%20b/c%3F");
  expect(apiPath("a b/c?")).toBe("/api/documents/a%20b%2Fc%3F");
  expect(exportPath("a", "json")).toBe("/api/documents/a/export?format=json");
});

test.each([
  ["http://h:8000/", "ws://h:8000/ws"],
  ["https://h/", "wss://h/ws"],
  ["https://h/docs/collab/", "wss://h/docs/collab/ws"],
])("the sockets of a page at %s are at %s", (root, sockets) => {
  standAt(root);
  expect(socketsUrl()).toBe(sockets);
});

describe("below the addresses of somebody else (E2)", () => {
  beforeEach(() => standAt("https://host.example/docs/collab/"));

  test("every address is below the page's root", () => {
    expect(startPath()).toBe("/docs/collab/");
    expect(documentPath("a b/c")).toBe("/docs/collab/d/a%20b/c");
    expect(apiPath("a/b")).toBe("/docs/collab/api/documents/a%2Fb");
    expect(exportPath("a", "yjs")).toBe("/docs/collab/api/documents/a/export?format=yjs");
  });

  test("a page is found by what is behind the root", () => {
    expect(pageAt("/docs/collab/")).toEqual({ kind: "start" });
    expect(pageAt("/docs/collab/d/team/plan")).toEqual({ kind: "document", document: "team/plan" });
    expect(pageAt("/docs/collab/x")).toEqual({ kind: "unknown" });
    expect(pageAt("/d/team/plan")).toEqual({ kind: "unknown" });
  });
});
