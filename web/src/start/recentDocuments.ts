import { isRecord } from "../isRecord";
import { remember, remembered } from "../storage";

export interface RecentDocument {
  readonly document: string;
  /** As it was when last seen here; may be empty. */
  readonly title: string;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
}

const KEY = "collab.recent";
const MAX_LISTED = 30;

/** The documents that were opened in this browser, the latest first. */
export function recentDocuments(): RecentDocument[] {
  const stored = remembered(KEY);
  return Array.isArray(stored) ? stored.filter(isRecentDocument) : [];
}

/** Put a document first in the list. */
export function noteOpened(opened: RecentDocument): void {
  const others = recentDocuments().filter(({ document }) => document !== opened.document);
  remember(KEY, [opened, ...others].slice(0, MAX_LISTED));
}

/** Take a document off the list, and return what remains of it. */
export function forget(forgotten: string): RecentDocument[] {
  const others = recentDocuments().filter(({ document }) => document !== forgotten);
  remember(KEY, others);
  return others;
}

function isRecentDocument(value: unknown): value is RecentDocument {
  return (
    isRecord(value) &&
    typeof value.document === "string" &&
    value.document !== "" &&
    typeof value.title === "string" &&
    typeof value.openedAt === "number"
  );
}
