import { describe, expect, test } from "vitest";
import { COLOURS, colourOr, contrast, inkOn } from "./colours";
import { initialsOf, randomPersonName, tidyPersonName } from "./names";
import { othersIn } from "./others";

describe("names", () => {
  test.each([
    ["Quiet Otter", "QO"],
    ["ada", "A"],
    ["Ada de la Lovelace", "AL"],
    ["\u{1f468}\u200d\u{1f469}\u200d\u{1f467} Family", "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}F"],
    ["", "?"],
  ])("the initials of %j are %s", (name, initials) => {
    expect(initialsOf(name)).toBe(initials);
  });

  test("are one line of at most 60 characters, and no emoji is cut", () => {
    expect(tidyPersonName("  Ada \n\t Lovelace ")).toBe("Ada Lovelace");
    expect(tidyPersonName("\u{1f600}".repeat(99))).toBe("\u{1f600}".repeat(60));
  });

  test("made up, have two words", () => {
    expect(randomPersonName()).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/);
  });
});

describe("colours", () => {
  test.each(COLOURS)("white is readable on %s", (colour) => {
    expect(contrast(colour, "#ffffff")).toBeGreaterThanOrEqual(4.5);
    expect(inkOn(colour)).toBe("#ffffff");
  });

  test("a light one has black letters", () => {
    expect(inkOn("#ffe066")).toBe("#000000");
  });

  test.each([undefined, 7, "red", "#fff", "url(//x)", "#12345g"])("%j is none", (colour) => {
    expect(COLOURS).toContain(colourOr(colour, 4_294_967_295));
  });
});

describe("who else is here", () => {
  const ada = { user: { name: "Ada", color: "#123456" } };

  test("is everybody but me", () => {
    const states = new Map([
      [9, ada],
      [1, { user: { name: "Me", color: "#000000" } }],
      [5, ada],
    ]);

    expect(othersIn(states, 1)).toEqual([
      { clientId: 5, name: "Ada", colour: "#123456" },
      { clientId: 9, name: "Ada", colour: "#123456" },
    ]);
  });

  test.each([{}, { user: null }, { user: { name: 7 } }, { user: { name: " " } }, "text"])(
    "has a name whatever they sent: %j",
    (state) => {
      const [person] = othersIn(new Map([[2, state]]), 1);
      expect(person?.name).toBe("Somebody");
      expect(COLOURS).toContain(person?.colour);
    },
  );
});
