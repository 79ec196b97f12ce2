import { useCallback, useState } from "react";
import { type Identity, ownIdentity, rememberIdentity } from "./identity";
import { tidyPersonName } from "./names";

/** Who I am, and how to take another name; `introduce` is called with what peers shall know then. */
export function useIdentity(
  introduce: (identity: Identity) => void,
): readonly [Identity, (name: string) => void] {
  const [identity, setIdentity] = useState(ownIdentity);

  const rename = useCallback(
    (typed: string): void => {
      const name = tidyPersonName(typed);
      if (name === "" || name === identity.name) return;
      const renamed = { ...identity, name };
      setIdentity(renamed);
      rememberIdentity(renamed);
      introduce(renamed);
    },
    [identity, introduce],
  );

  return [identity, rename];
}
