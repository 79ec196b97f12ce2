export const MAX_PERSON_NAME_LENGTH = 60;

const MOODS = "Quiet Brave Gentle Curious Merry Swift Patient Sunny Clever Calm Bold Witty".split(
  " ",
);
const ANIMALS = "Otter Heron Badger Lynx Robin Hare Marten Owl Seal Beaver Wren Fox".split(" ");

/** A friendly name for who has not given one. */
export function randomPersonName(): string {
  return `${oneOf(MOODS)} ${oneOf(ANIMALS)}`;
}

/** A name that can be shown: one line, not too long; empty if nothing is left. */
export function tidyPersonName(name: string): string {
  const line = name.replace(/\s+/gu, " ").trim();
  return [...line].slice(0, MAX_PERSON_NAME_LENGTH).join("").trim();
}

/** The first letters of the first and the last word. */
export function initialsOf(name: string): string {
  const words = name.split(" ").filter((word) => word !== "");
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words;
  return chosen.map((word) => firstCharacter(word ?? "").toLocaleUpperCase()).join("") || "?";
}

/** What a reader takes for one character, which may be an emoji of many code points. */
function firstCharacter(word: string): string {
  for (const { segment } of new Intl.Segmenter().segment(word)) return segment;
  return "";
}

function oneOf(words: readonly string[]): string {
  return words[Math.floor(Math.random() * words.length)] ?? "";
}
