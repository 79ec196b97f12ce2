import { useEffect, useState } from "react";
import type { Awareness } from "y-protocols/awareness";
import { othersIn, type Person } from "./others";

/** Who else is here now. */
export function useOthers(awareness: Awareness): readonly Person[] {
  const [others, setOthers] = useState<readonly Person[]>([]);

  useEffect(() => {
    const changed = (): void => setOthers(othersIn(awareness.getStates(), awareness.clientID));
    changed();
    awareness.on("change", changed);
    return () => awareness.off("change", changed);
  }, [awareness]);

  return others;
}
