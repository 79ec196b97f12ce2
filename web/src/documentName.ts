export const MAX_NAME_LENGTH = 200;

/** The name that is meant by what was typed: without outer spaces, and in one Unicode form. */
export function nameFrom(typed: string): string {
  return typed.trim().normalize("NFC");
}

/** What keeps `name` from being a document's name, in words for the person; null if nothing does. */
export function faultIn(name: string): string | null {
  if (name === "") return "Give the document a name.";
  if ([...name].length > MAX_NAME_LENGTH) {
    return `A name has at most ${MAX_NAME_LENGTH} characters.`;
  }
  if (!isPossible(name)) return "The name holds an unreadable character.";
  // Browsers resolve these in every address, encoded or not, before they ask the server.
  if (name.split("/").some((part) => part === "." || part === "..")) {
    return "No part of a name can be “.” or “..”.";
  }
  return null;
}

/** Whether any document can have this name: an address may hold what nobody can type. */
export function isPossible(name: string): boolean {
  return name.isWellFormed() && !/[\p{Cc}\ufffd]/u.test(name);
}

/** A name that nobody guesses: 128 random bits in 22 characters that need no encoding. */
export function randomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
