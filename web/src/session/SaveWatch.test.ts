import { expect, test } from "vitest";
import { SaveWatch } from "./SaveWatch";

function watched() {
  const asked: number[] = [];
  const link = { up: true };
  const watch = new SaveWatch(
    (version) => {
      if (link.up) asked.push(version);
      return link.up;
    },
    () => {},
  );
  return { watch, asked, link };
}

test("nothing written is nothing unsaved", () => {
  const { watch, asked } = watched();
  watch.reconnected();
  expect(watch.unsaved).toBe(false);
  expect(asked).toEqual([]);
});

test("an edit is unsaved until the server has answered", () => {
  const { watch, asked } = watched();
  watch.wrote();
  expect(watch.unsaved).toBe(true);
  expect(asked).toEqual([1]);
  watch.answered(1);
  expect(watch.unsaved).toBe(false);
});

test("one question at a time, and the next for all that came meanwhile", () => {
  const { watch, asked } = watched();
  for (let edit = 0; edit < 4; edit += 1) watch.wrote();
  expect(asked).toEqual([1]);
  watch.answered(1);
  expect(asked).toEqual([1, 4]);
  expect(watch.unsaved).toBe(true);
  watch.answered(4);
  expect(watch.unsaved).toBe(false);
});

test("what was written without a connection is asked about with the next one", () => {
  const { watch, asked, link } = watched();
  link.up = false;
  watch.wrote();
  watch.wrote();
  expect(asked).toEqual([]);
  link.up = true;
  watch.reconnected();
  expect(asked).toEqual([2]);
});

test("a question that was lost with its connection is asked again", () => {
  const { watch, asked } = watched();
  watch.wrote();
  watch.lost();
  watch.reconnected();
  expect(asked).toEqual([1, 1]);
});
