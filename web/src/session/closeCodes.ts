import type { Problem } from "./problem";

/** What the server closes a socket with when the same again could only fail the same way. */
const FINAL: ReadonlyMap<number, string> = new Map([
  [1009, "The last change is too large for this server"],
  [4400, "The server could not read what this page sent"],
  [4401, "You may not open this document"],
  [4403, "You may not open this document"],
  [4404, "This document is not here any more"],
  [4413, "This document is too large for this server"],
  [4429, "Too many changes at once"],
]);

export function isFinal(code: number): boolean {
  return FINAL.has(code);
}

/** What to tell the person about a socket that was closed with a final code. */
export function problemOfClose(code: number, reason: string): Problem {
  return {
    status: code,
    title: FINAL.get(code) ?? "The server closed the connection",
    detail: reason,
  };
}
