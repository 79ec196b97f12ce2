import { describe, expect, test } from "vitest";
import { apiPath, documentPath, exportPath, pageAt, roomOf, socketsAt } from "./addresses";

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

test("sockets are as safe as the page", () => {
  expect(socketsAt({ protocol: "http:", host: "h:8000" })).toBe("ws://h:8000/ws");
  expect(socketsAt({ protocol: "https:", host: "h" })).toBe("wss://h/ws");
});
