import { isRecord } from "../isRecord";
import { remember, remembered } from "../storage";
import { COLOURS, colourOr } from "./colours";
import { randomPersonName, tidyPersonName } from "./names";

/** What peers are told about a person. */
export interface Identity {
  readonly name: string;
  readonly color: string;
}

const KEY = "collab.identity";

/** Who uses this browser: as remembered, or made up now and remembered. */
export function ownIdentity(): Identity {
  const stored = remembered(KEY);
  const name = isRecord(stored) && typeof stored.name === "string" ? stored.name : "";
  const color = isRecord(stored) ? stored.color : undefined;
  const identity = {
    name: tidyPersonName(name) || randomPersonName(),
    color: colourOr(color, Math.floor(Math.random() * COLOURS.length)),
  };
  rememberIdentity(identity);
  return identity;
}

export function rememberIdentity(identity: Identity): void {
  remember(KEY, identity);
}
