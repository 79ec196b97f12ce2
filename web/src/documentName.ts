export const MAX_NAME_LENGTH = 200;
/** Of UTF-8; what the server takes (docs/reference/wire.md). */
const MAX_NAME_BYTES = 1_024;

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
  const impossible = impossibilityOf(name);
  if (impossible !== null) return impossible;
  // Browsers resolve these in every address, encoded or not, before they ask the server.
  if (name.split("/").some((part) => part === "." || part === "..")) {
    return "No part of a name can be “.” or “..”.";
  }
  return null;
}

/** Why the server has no document called `name`, whoever asks, in words for the person; null if it may have. */
export function impossibilityOf(name: string): string | null {
  // U+FFFD is what a server reads where there is no character.
  if (!name.isWellFormed() || /[\p{Cc}\ufffd]/u.test(name)) {
    return "The name holds an unreadable character.";
  }
  if (new TextEncoder().encode(name).length > MAX_NAME_BYTES) return "The name is too long.";
  return null;
}

/** A name that nobody guesses: 128 random bits in 22 characters that need no encoding. */
export function randomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
