import { useState } from "react";
import { copyText } from "../copyText";

export type Copying = "ready" | "copied" | "failed";

/** What a button that copies says once it was pressed. */
export const OUTCOMES = { copied: "Copied", failed: "Not allowed" } as const;

/** How copying a text went, and functions to copy one and to begin anew. */
export function useCopying() {
  const [state, setState] = useState<Copying>("ready");

  /** Copy `text`; false if the browser does not let us. */
  const copy = async (text: string): Promise<boolean> => {
    const copied = await copyText(text);
    setState(copied ? "copied" : "failed");
    return copied;
  };

  return { state, copy, reset: () => setState("ready") };
}
