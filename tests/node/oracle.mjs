// Real Yjs for tests in another language: one JSON object a line in, one out. Updates travel as base64.
//
// It judges (what do these updates say?) and it acts (documents that are edited, and that take updates in).

import * as Y from 'yjs'
import { edit } from './edits.mjs'
import { roots, view } from './view.mjs'
import { answer } from './answering.mjs'

const encode = (bytes) => Buffer.from(bytes).toString('base64')
const decode = (text) => new Uint8Array(Buffer.from(text, 'base64'))

const documents = new Map()

/** Return the updates that `act` makes a document write by itself; what it is handed comes back from nobody. */
const written = (name, act) => {
  const { doc, undo } = documents.get(name)
  const updates = []
  const record = (update, origin) => { if (origin !== 'remote') updates.push(encode(update)) }
  doc.on('update', record)
  act(doc, undo)
  doc.off('update', record)
  return updates
}

const commands = {
  judge: ({ updates }) => {
    const doc = new Y.Doc()
    roots(doc)
    // In one step: between two of them Yjs would tidy up formatting, an edit that nobody else has.
    Y.applyUpdate(doc, Y.mergeUpdates(updates.map(decode)))
    const waiting = doc.store.pendingStructs !== null || doc.store.pendingDs !== null
    return { view: view(doc), stateVector: encode(Y.encodeStateVector(doc)), waiting }
  },
  open: ({ name, client }) => {
    const doc = new Y.Doc()
    doc.clientID = client
    const undo = new Y.UndoManager(Object.values(roots(doc)), { trackedOrigins: new Set(['edit']) })
    documents.set(name, { doc, undo })
  },
  close: ({ name }) => {
    documents.get(name).doc.destroy()
    documents.delete(name)
  },
  edit: ({ name, seed }) => written(name, (doc, undo) => edit(doc, undo, seed)),
  insert: ({ name, index, text }) => written(name, (doc) => doc.getText('text').insert(index, text)),
  delete: ({ name, index, length }) => written(name, (doc) => doc.getText('text').delete(index, length)),
  receive: ({ name, update }) => written(name, (doc) => Y.applyUpdate(doc, decode(update), 'remote')),
  stateVector: ({ name }) => encode(Y.encodeStateVector(documents.get(name).doc)),
  answer: ({ name, stateVector }) => encode(Y.encodeStateAsUpdate(documents.get(name).doc, decode(stateVector))),
  view: ({ name }) => view(documents.get(name).doc)
}

await answer(commands)
