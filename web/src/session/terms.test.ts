import { expect, test } from "vitest";
import { termsIn } from "./terms";

test.each(["view", "comment", "edit", "admin"] as const)("%s is an access", (access) => {
  expect(termsIn({ access, lineage: "0123" })).toEqual({ access, lineage: "0123" });
});

test.each([undefined, null, 7, ""])("what is no lineage is none: %j", (lineage) => {
  expect(termsIn({ access: "edit", lineage })).toEqual({ access: "edit", lineage: null });
});

test.each([undefined, null, "edit", {}, { access: "none" }, { access: null, lineage: "0123" }])(
  "without an access there are no terms: %j",
  (body) => {
    expect(termsIn(body)).toBeNull();
  },
);
