import { isRecord } from "../isRecord";
import { colourOr } from "./colours";
import { tidyPersonName } from "./names";

/** Somebody else who is here. One who has two tabs open is here twice. */
export interface Person {
  readonly clientId: number;
  readonly name: string;
  readonly colour: string;
}

/** Who else is here, in an order that does not change while they are. Peers may send anything. */
export function othersIn(states: ReadonlyMap<number, unknown>, ownClientId: number): Person[] {
  return [...states]
    .filter(([clientId]) => clientId !== ownClientId)
    .sort(([a], [b]) => a - b)
    .map(([clientId, state]) => personOf(clientId, state));
}

function personOf(clientId: number, state: unknown): Person {
  const user = isRecord(state) && isRecord(state.user) ? state.user : {};
  const name = typeof user.name === "string" ? tidyPersonName(user.name) : "";
  return { clientId, name: name || "Somebody", colour: colourOr(user.color, clientId) };
}
