import { expect, test } from "vitest";
import { bound } from "../testing/bound";

test("a CRLF survives typing beside it", () => {
  const { field, text } = bound("one\r\ntwo\r\n");
  expect(field.value).toBe("one\ntwo\n");

  field.select(3);
  field.type("!");
  field.select(5);
  field.type("?");

  expect(text.toString()).toBe("one!\r\n?two\r\n");
});

test("a CRLF goes as a whole", () => {
  const { field, text } = bound("one\r\ntwo");

  field.select(3, 4);
  field.type("");

  expect(text.toString()).toBe("onetwo");
});

test("the caret counts a CRLF as one", () => {
  const { field, peer } = bound("one\r\ntwo");
  field.select(5);

  peer.insert(0, "\r\n");

  expect(field.selectionStart).toBe(6);
});

test("a CR and an LF that meet are one line ending in the field too", () => {
  const { field, text } = bound("one\rX\ntwo");

  field.select(4, 5);
  field.type("");

  expect(text.toString()).toBe("one\r\ntwo");
  expect(field.value).toBe("one\ntwo");
});
