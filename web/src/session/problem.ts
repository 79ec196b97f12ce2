/**
 * What the server says about a document over HTTP: on which terms it may be opened, or why not.
 *
 * A browser hides the HTTP answer that refused a WebSocket, so the page asks for it here.
 */

import { accessPath } from "../addresses";
import { isRecord } from "../isRecord";
import { type Terms, termsIn } from "./terms";

/** What of RFC 9457 is for people. */
export interface Problem {
  /** The HTTP status, or the close code of a socket. */
  readonly status: number;
  readonly title: string;
  /** May be empty. */
  readonly detail: string;
}

export type Answer =
  | { readonly kind: "unreachable" }
  /** The document may be opened; if the socket does not open, something else keeps it from that. */
  | { readonly kind: "willing"; readonly terms: Terms }
  | { readonly kind: "busy"; readonly problem: Problem }
  | { readonly kind: "refused"; readonly problem: Problem };

const PATIENCE_MILLISECONDS = 8_000;

/** Request timeout, too early, too many requests: the same request may pass later. */
const WORTH_REPEATING = new Set([408, 425, 429]);

/** Ask the server whether, and on which terms, `document` may be opened here. Never rejects. */
export async function askAbout(document: string, signal: AbortSignal): Promise<Answer> {
  try {
    const response = await fetch(accessPath(document), {
      cache: "no-store",
      headers: { Accept: "application/json, application/problem+json" },
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MILLISECONDS)]),
    });
    return answerOf(response.status, await bodyOf(response));
  } catch {
    return { kind: "unreachable" };
  }
}

/** What a response says; `body` is its JSON, or anything else. */
export function answerOf(status: number, body: unknown): Answer {
  if (status < 400) {
    const terms = termsIn(body);
    // Somebody on the way answers in the server's place, with a page of their own perhaps.
    return terms ? { kind: "willing", terms } : { kind: "unreachable" };
  }
  const problem = problemOf(status, body);
  if (status >= 500 || WORTH_REPEATING.has(status)) return { kind: "busy", problem };
  return { kind: "refused", problem };
}

function problemOf(status: number, body: unknown): Problem {
  const said = isRecord(body) ? body : {};
  return {
    status,
    title: typeof said.title === "string" ? said.title : `The server answered ${status}`,
    detail: typeof said.detail === "string" ? said.detail : "",
  };
}

async function bodyOf(response: Response): Promise<unknown> {
  if (!response.headers.get("Content-Type")?.includes("json")) return undefined;
  return response.json().catch(() => undefined);
}
