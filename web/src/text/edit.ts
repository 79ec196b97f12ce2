/** One replacement in a string: at `start`, `removed` UTF-16 units give way to `inserted`. */
export interface Edit {
  readonly start: number;
  readonly removed: number;
  readonly inserted: string;
}

/**
 * Return the smallest single edit that turns `before` into `after`, or null when they are equal.
 *
 * `caret` is where the caret stands in `after`. It settles what the two strings leave open: of
 * "aa" becoming "aaa" only the caret tells which "a" is new, and a peer may write between the two.
 * Neither end of the edit lies inside a surrogate pair of either string.
 */
export function editBetween(before: string, after: string, caret: number): Edit | null {
  if (before === after) return null;
  const shorter = Math.min(before.length, after.length);
  const behindCaret = commonSuffix(before, after, Math.min(shorter, after.length - caret));
  const prefix = commonPrefix(before, after, shorter - behindCaret);
  const suffix = commonSuffix(before, after, shorter - prefix);
  return {
    start: prefix,
    removed: before.length - prefix - suffix,
    inserted: after.slice(prefix, after.length - suffix),
  };
}

function commonPrefix(a: string, b: string, limit: number): number {
  let length = 0;
  while (length < limit && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return splitsPair(a, length) || splitsPair(b, length) ? length - 1 : length;
}

function commonSuffix(a: string, b: string, limit: number): number {
  let length = 0;
  while (
    length < limit &&
    a.charCodeAt(a.length - 1 - length) === b.charCodeAt(b.length - 1 - length)
  ) {
    length++;
  }
  return splitsPair(a, a.length - length) || splitsPair(b, b.length - length) ? length - 1 : length;
}

function splitsPair(text: string, index: number): boolean {
  if (index <= 0 || index >= text.length) return false;
  return isHighSurrogate(text.charCodeAt(index - 1)) && isLowSurrogate(text.charCodeAt(index));
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
