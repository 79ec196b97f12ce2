import type { Problem } from "../session/problem";

/** Unauthorized and forbidden, over HTTP: the server's own titles are words for programs. */
const NOT_ALLOWED = new Set([401, 403]);

export function refusalTitle({ status, title }: Problem): string {
  return NOT_ALLOWED.has(status) ? "You may not open this document" : title;
}
