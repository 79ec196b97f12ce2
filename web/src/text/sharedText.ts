import type * as Y from "yjs";
import type { Change } from "./alignment";

/** Stands for an embedded object, so that an offset in the string is an offset in the text. */
const OBJECT_REPLACEMENT = "\ufffc";

/** The characters of `text`, one UTF-16 unit for each unit of its length. */
export function charactersOf(text: Y.Text): string {
  const plain = text.toString();
  if (plain.length === text.length) return plain;
  const delta: readonly { readonly insert?: unknown }[] = text.toDelta();
  return delta
    .map(({ insert }) => (typeof insert === "string" ? insert : OBJECT_REPLACEMENT))
    .join("");
}

/** What happened to the characters of a text, in order. */
export function changesOf(event: Y.YTextEvent): Change[] {
  return event.delta.map(({ retain, delete: deleted, insert }): Change => {
    if (retain !== undefined) return { kind: "retain", length: retain };
    if (deleted !== undefined) return { kind: "delete", length: deleted };
    return { kind: "insert", length: typeof insert === "string" ? insert.length : 1 };
  });
}
