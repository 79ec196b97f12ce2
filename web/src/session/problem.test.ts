import { afterEach, expect, test, vi } from "vitest";
import { isFinal, problemOfClose } from "./closeCodes";
import { answerOf, askAbout } from "./problem";

afterEach(() => vi.unstubAllGlobals());

test("the server's terms let the document be opened", () => {
  const terms = { access: "view", lineage: "0123" };
  expect(answerOf(200, terms)).toEqual({ kind: "willing", terms });
});

test.each([undefined, "<html>", { access: "all" }])(
  "what has no terms is not the server: %j",
  (body) => {
    expect(answerOf(200, body)).toEqual({ kind: "unreachable" });
  },
);

test.each([400, 401, 403, 404, 410, 422])(
  "%d is a refusal, in the words of the server",
  (status) => {
    const body = { title: "No", detail: "Because.", status: 999 };
    const problem = { status, title: "No", detail: "Because." };
    expect(answerOf(status, body)).toEqual({ kind: "refused", problem });
  },
);

test.each([408, 429, 500, 502, 503])("%d may pass", (status) => {
  expect(answerOf(status, { title: "Later" })).toEqual({
    kind: "busy",
    problem: { status, title: "Later", detail: "" },
  });
});

test.each([undefined, null, "<html>", { title: 7, detail: null }])(
  "a body without words gives way to a plain sentence: %j",
  (body) => {
    expect(answerOf(502, body)).toEqual({
      kind: "busy",
      problem: { status: 502, title: "The server answered 502", detail: "" },
    });
  },
);

test("the question names the document, and reads problem+json", async () => {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    return new Response('{"title": "Forbidden", "detail": "Ask Ada."}', {
      status: 403,
      headers: { "Content-Type": "application/problem+json" },
    });
  });

  const answer = await askAbout("a b/c", new AbortController().signal);

  expect(asked).toEqual(["/api/documents/a%20b%2Fc/access"]);
  expect(answer).toEqual({
    kind: "refused",
    problem: { status: 403, title: "Forbidden", detail: "Ask Ada." },
  });
});

test("a server that can't be asked is unreachable", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));

  const answer = await askAbout("notes", new AbortController().signal);

  expect(answer).toEqual({ kind: "unreachable" });
});

test.each([1009, 4400, 4401, 4403, 4404, 4413, 4429])("close code %d ends it", (code) => {
  expect(isFinal(code)).toBe(true);
  expect(problemOfClose(code, "why")).toMatchObject({ status: code, detail: "why" });
});

test.each([1000, 1001, 1006, 1011, 1012, 1013, 4205, 4408, 4409])("%d is tried again", (code) => {
  expect(isFinal(code)).toBe(false);
});
