const LINEAGE_CHANGED = 4205;

/** Whether a socket was closed because what is in this tab is a copy of another document. */
export function isAnotherLineage(code: number, reason: string): boolean {
  return code === LINEAGE_CHANGED && reason.startsWith("lineage");
}
