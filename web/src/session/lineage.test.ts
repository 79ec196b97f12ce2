import { expect, test } from "vitest";
import { isFinal } from "./closeCodes";
import { isAnotherLineage } from "./lineage";

test("only a reset that names the lineage stops the page", () => {
  expect(isAnotherLineage(4205, "lineage: your copy is not of the document")).toBe(true);
  expect(isAnotherLineage(4205, "access changed")).toBe(false);
  expect(isAnotherLineage(4400, "lineage")).toBe(false);
  expect(isFinal(4205)).toBe(false);
});
