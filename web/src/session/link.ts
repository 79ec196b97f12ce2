/** The state of the connection to the server, and how it changes. Pure: no socket, no clock. */

import type { Answer, Problem } from "./problem";

export type Link =
  | { readonly kind: "connecting" }
  /** The document here and at the server were the same at least once on this connection. */
  | { readonly kind: "connected" }
  /** Tried again until it works. `answer` is the latest of the server, if it was asked. */
  | { readonly kind: "lost"; readonly attempt: number; readonly answer: Answer | null }
  /** Not tried again until the person asks for it. */
  | { readonly kind: "refused"; readonly problem: Problem }
  /** What the server has is another document than the one that was open here. */
  | { readonly kind: "replaced" };

export type LinkEvent =
  /** `attempt` counts from 1 since the connection was lost or the page opened; 0 is the first. */
  | { readonly kind: "dialled"; readonly attempt: number }
  | { readonly kind: "synced" }
  | { readonly kind: "dropped" }
  | { readonly kind: "answered"; readonly answer: Answer }
  | { readonly kind: "closed for good"; readonly problem: Problem }
  | { readonly kind: "replaced" };

export const FIRST_LINK: Link = { kind: "connecting" };

export function nextLink(link: Link, event: LinkEvent): Link {
  if (link.kind === "replaced") return link;
  switch (event.kind) {
    case "replaced":
      return { kind: "replaced" };
    case "synced":
      return { kind: "connected" };
    case "dropped":
      if (link.kind === "refused" || link.kind === "lost") return link;
      return { kind: "lost", attempt: 1, answer: null };
    case "dialled":
      if (event.attempt === 0) return { kind: "connecting" };
      return { kind: "lost", attempt: event.attempt, answer: answerIn(link) };
    case "answered":
      if (event.answer.kind === "refused") {
        return { kind: "refused", problem: event.answer.problem };
      }
      // An answer that comes after the connection is about the past.
      if (link.kind === "connected" || link.kind === "refused") return link;
      if (link.kind === "lost") return { ...link, answer: event.answer };
      return { kind: "lost", attempt: 1, answer: event.answer };
    case "closed for good":
      return { kind: "refused", problem: event.problem };
  }
}

function answerIn(link: Link): Answer | null {
  return link.kind === "lost" ? link.answer : null;
}
