import { expect, test } from "vitest";
import { FIRST_LINK, type Link, type LinkEvent, nextLink } from "./link";
import type { Answer, Problem } from "./problem";

const PROBLEM: Problem = { status: 403, title: "Forbidden", detail: "No." };
const REFUSED: Answer = { kind: "refused", problem: PROBLEM };
const BUSY: Answer = { kind: "busy", problem: { status: 503, title: "Busy", detail: "" } };
const UNREACHABLE: Answer = { kind: "unreachable" };

function after(...events: readonly LinkEvent[]): Link {
  return events.reduce(nextLink, FIRST_LINK);
}

const dialled = (attempt: number): LinkEvent => ({ kind: "dialled", attempt });
const answered = (answer: Answer): LinkEvent => ({ kind: "answered", answer });
const synced: LinkEvent = { kind: "synced" };
const dropped: LinkEvent = { kind: "dropped" };

test("a first connection is neither lost nor an attempt", () => {
  expect(after(dialled(0))).toEqual({ kind: "connecting" });
});

test("connected is said when both sides are the same, not before", () => {
  expect(after(dialled(0), synced)).toEqual({ kind: "connected" });
});

test("a connection that drops is lost at once, and its attempts are counted", () => {
  expect(after(dialled(0), synced, dropped)).toEqual({ kind: "lost", attempt: 1, answer: null });
  expect(after(dialled(0), synced, dropped, dialled(1), dialled(2))).toEqual({
    kind: "lost",
    attempt: 2,
    answer: null,
  });
});

test("what the server said last is kept over the next attempts", () => {
  expect(after(dialled(1), answered(BUSY), dialled(2))).toEqual({
    kind: "lost",
    attempt: 2,
    answer: BUSY,
  });
  expect(after(dialled(1), answered(BUSY), answered(UNREACHABLE))).toEqual({
    kind: "lost",
    attempt: 1,
    answer: UNREACHABLE,
  });
});

test("a connection makes old answers void", () => {
  expect(after(dialled(1), answered(BUSY), synced, dropped)).toEqual({
    kind: "lost",
    attempt: 1,
    answer: null,
  });
  expect(after(synced, answered(UNREACHABLE))).toEqual({ kind: "connected" });
});

test("a refusal stands until somebody tries again", () => {
  const refused = { kind: "refused", problem: PROBLEM };

  expect(after(dialled(0), answered(REFUSED))).toEqual(refused);
  expect(after(dialled(0), answered(REFUSED), dropped)).toEqual(refused);
  expect(after(dialled(0), answered(REFUSED), answered(UNREACHABLE))).toEqual(refused);
  expect(after(dialled(0), answered(REFUSED), dialled(0))).toEqual({ kind: "connecting" });
});

test("a socket that was closed for good is a refusal", () => {
  expect(after(synced, dropped, { kind: "closed for good", problem: PROBLEM })).toEqual({
    kind: "refused",
    problem: PROBLEM,
  });
});

test("a document that was replaced stays so, whatever is heard of the connection", () => {
  const replaced: LinkEvent = { kind: "replaced" };

  for (const event of [dropped, dialled(1), synced, answered(UNREACHABLE)]) {
    expect(after(synced, dropped, replaced, event)).toEqual({ kind: "replaced" });
  }
});
