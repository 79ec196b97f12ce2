import { expect, test } from "vitest";
import { bound } from "../testing/bound";

test("while an input method composes, the field is left alone, and both sides' text is there in the end", () => {
  const { field, peer, text } = bound("ab");
  field.select(1);
  const before = field.rewrites;

  field.startComposing();
  field.compose("に", 0);
  peer.insert(0, "PEER ");
  field.compose("にほ", 1);
  peer.insert(peer.length, " END");
  field.compose("日本", 2);
  expect(field.rewrites).toBe(before);
  expect(field.value).toBe("a日本b");
  field.endComposing();

  expect(field.value).toBe("PEER a日本b END");
  expect(text.toString()).toBe(field.value);
  expect(peer.toString()).toBe(field.value);
  expect(field.selectionStart).toBe("PEER a日本".length);
});

test("peers see each step of a composition", () => {
  const { field, peer } = bound();

  field.startComposing();
  field.compose("k", 0);
  field.compose("か", 1);

  expect(peer.toString()).toBe("か");
});

test("what peers delete around a composition stays deleted", () => {
  const { field, peer } = bound("left right");
  field.select(5);

  field.startComposing();
  field.compose("x", 0);
  peer.delete(0, 5);
  field.compose("xy", 1);
  field.endComposing();

  expect(field.value).toBe("xyright");
  expect(peer.toString()).toBe("xyright");
});
