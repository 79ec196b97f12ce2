/** y-sweet's sync status over y-websocket (docs/reference/wire.md): `102 varBytes(varUint(version))`. */

import { createDecoder, type Decoder, readVarUint, readVarUint8Array } from "lib0/decoding";
import { encode, writeVarUint, writeVarUint8Array } from "lib0/encoding";

export const MESSAGE_SYNC_STATUS = 102;

export function syncStatus(version: number): Uint8Array<ArrayBuffer> {
  const token = encode((encoder) => writeVarUint(encoder, version));
  return encode((encoder) => {
    writeVarUint(encoder, MESSAGE_SYNC_STATUS);
    writeVarUint8Array(encoder, token);
  });
}

/** Return the version in a message behind its type. */
export function readSyncStatus(decoder: Decoder): number {
  return readVarUint(createDecoder(readVarUint8Array(decoder)));
}
