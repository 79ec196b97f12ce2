/** The server's `words`, which are a clause in a log, as a sentence for a person; empty stays empty. */
export function sentence(words: string): string {
  const trimmed = words.trim();
  if (trimmed === "") return "";
  const [first = ""] = trimmed;
  const ended = /[.!?…]$/u.test(trimmed) ? trimmed : `${trimmed}.`;
  return first.toUpperCase() + ended.slice(first.length);
}
