import { expect, test } from "vitest";
import { timeAgo } from "./timeAgo";

const DAY = 86_400_000;

test.each([
  [0, "just now"],
  [-DAY, "just now"], // the clock was set back
  [60_000, "1 minute ago"],
  [DAY - 1, "23 hours ago"],
  [DAY, "yesterday"],
  [15 * DAY, "2 weeks ago"],
  [800 * DAY, "2 years ago"],
])("%d ms ago is %s", (milliseconds, words) => {
  expect(timeAgo(1_000 * DAY - milliseconds, 1_000 * DAY)).toBe(words);
});
