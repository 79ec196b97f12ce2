import { useCallback, useEffect, useState } from "react";
import type * as Y from "yjs";

const KEY = "title";

/** The document's title, empty if it has none, and how to give it another. */
export function useTitle(meta: Y.Map<unknown>): readonly [string, (title: string) => void] {
  const [title, setTitle] = useState(() => titleIn(meta));

  useEffect(() => {
    const changed = (): void => setTitle(titleIn(meta));
    changed();
    meta.observe(changed);
    return () => meta.unobserve(changed);
  }, [meta]);

  const rename = useCallback(
    (name: string): void => {
      // Setting the same again would still be an edit, and could undo a peer's.
      if (name === titleIn(meta)) return;
      if (name === "") meta.delete(KEY);
      else meta.set(KEY, name);
    },
    [meta],
  );

  return [title, rename];
}

/** Peers may have set anything. */
function titleIn(meta: Y.Map<unknown>): string {
  const title = meta.get(KEY);
  return typeof title === "string" ? title : "";
}
