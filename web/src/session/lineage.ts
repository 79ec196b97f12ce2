import { apiPath } from "../addresses";
import { isRecord } from "../isRecord";

const LINEAGE_CHANGED = 4205;
const PATIENCE_MILLISECONDS = 8_000;

/** Whether a socket was closed because what is in this tab is a copy of another document. */
export function isAnotherLineage(code: number, reason: string): boolean {
  return code === LINEAGE_CHANGED && reason.startsWith("lineage");
}

/** Which document of this name the server has; null if nothing of it is stored, or nobody answers. */
export async function askLineage(document: string, signal: AbortSignal): Promise<string | null> {
  try {
    const response = await fetch(apiPath(document), {
      cache: "no-store",
      headers: { Accept: "application/json" },
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MILLISECONDS)]),
    });
    return response.ok ? lineageIn(await response.json()) : null;
  } catch {
    return null;
  }
}

/** The lineage in the server's description of a document. */
export function lineageIn(description: unknown): string | null {
  const lineage = isRecord(description) ? description.lineage : null;
  return typeof lineage === "string" && lineage !== "" ? lineage : null;
}
