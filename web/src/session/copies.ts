/** A tab's own copy of a document, kept as another document. */

import * as Y from "yjs";
import { apiPath } from "../addresses";
import { MAX_NAME_LENGTH } from "../documentName";
import { isRecord } from "../isRecord";

export type Keeping =
  | { readonly kind: "kept"; readonly document: string }
  /** `reason` is for the person, in the words of the server if it said anything. */
  | { readonly kind: "failed"; readonly reason: string };

const CREATED = 201;
const TAKEN = 409;
const MOST_COPIES = 50;
const PATIENCE_MILLISECONDS = 30_000;

/** Store `doc` under the first free name that says whose copy it is. Never rejects. */
export async function keepCopy(document: string, doc: Y.Doc): Promise<Keeping> {
  const body = copyOf(doc);
  try {
    for (let number = 1; number <= MOST_COPIES; number++) {
      const name = copyName(document, number);
      const response = await fetch(apiPath(name), {
        method: "PUT",
        body,
        headers: { "Content-Type": "application/octet-stream" },
        signal: AbortSignal.timeout(PATIENCE_MILLISECONDS),
      });
      if (response.status === CREATED) return { kind: "kept", document: name };
      if (response.status !== TAKEN) return { kind: "failed", reason: await reasonIn(response) };
    }
  } catch {
    return { kind: "failed", reason: "The server can't be reached." };
  }
  return { kind: "failed", reason: `There are ${MOST_COPIES} copies already.` };
}

/** The name of the copy with a number: the first has none. A copy of a copy is one of the original. */
export function copyName(document: string, number: number): string {
  const original = document.replace(/ \(copy(?: \d+)?\)$/, "");
  const suffix = number === 1 ? " (copy)" : ` (copy ${number})`;
  return [...original].slice(0, MAX_NAME_LENGTH - suffix.length).join("") + suffix;
}

/** All that `doc` holds as one update; its title says that it is a copy. */
export function copyOf(doc: Y.Doc): Uint8Array<ArrayBuffer> {
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  const meta = copy.getMap<unknown>("meta");
  const title = meta.get("title");
  if (typeof title === "string" && title !== "") meta.set("title", copyName(title, 1));
  const update = new Uint8Array(Y.encodeStateAsUpdate(copy));
  copy.destroy();
  return update;
}

async function reasonIn(response: Response): Promise<string> {
  const said: unknown = await response.json().catch(() => undefined);
  if (isRecord(said) && typeof said.detail === "string" && said.detail !== "") return said.detail;
  return `The server answered ${response.status}.`;
}
