import * as Y from "yjs";
import { TextAreaBinding } from "../text/TextAreaBinding";
import { FakeTextField } from "./FakeTextField";

/** A text area bound to one replica, and a peer's replica that hears and says everything at once. */
export function bound(content = "") {
  const doc = replica(1);
  const peer = replica(2);
  doc.on("update", (update: Uint8Array, origin) => origin !== peer && Y.applyUpdate(peer, update));
  peer.on("update", (update: Uint8Array, origin) => {
    if (origin !== doc) Y.applyUpdate(doc, update, peer);
  });
  peer.getText("content").insert(0, content);
  const field = new FakeTextField();
  const binding = new TextAreaBinding(field, doc.getText("content"));
  return { field, binding, doc, text: doc.getText("content"), peer: peer.getText("content") };
}

function replica(clientId: number): Y.Doc {
  const doc = new Y.Doc();
  doc.clientID = clientId;
  return doc;
}
