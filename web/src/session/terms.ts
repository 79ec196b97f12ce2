import { isRecord } from "../isRecord";

/** What a person may do with a document: read; read and comment; read and write; say who else may do what as well. */
export type Access = "view" | "comment" | "edit" | "admin";

/** Whether an access lets a person write. */
export function mayWrite(access: Access | null | undefined): boolean {
  return access === "edit" || access === "admin";
}

/** What the server says about a document to whoever may open it. */
export interface Terms {
  readonly access: Access;
  /** Which document of this name is there; null as long as nobody has written into it. */
  readonly lineage: string | null;
}

/** The terms in an answer of the server; null if it says none. */
export function termsIn(body: unknown): Terms | null {
  if (!isRecord(body) || !isAccess(body.access)) return null;
  const { access, lineage } = body;
  return { access, lineage: typeof lineage === "string" && lineage !== "" ? lineage : null };
}

function isAccess(value: unknown): value is Access {
  return value === "view" || value === "comment" || value === "edit" || value === "admin";
}
