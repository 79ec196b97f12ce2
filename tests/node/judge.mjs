// What real Yjs makes of updates that may be hostile: one JSON object a line in, one out. Updates travel as hex.
//
// Not for: honest documents with known roots; `oracle.mjs` judges those. Nothing here knows what a root is, so a
// document is compared by what stands in it, item by item.

import * as Y from 'yjs'
import { updates } from './updates.mjs'
import { answer } from './answering.mjs'

const hex = (bytes) => Buffer.from(bytes).toString('hex')
const bytes = (text) => new Uint8Array(Buffer.from(text, 'hex'))

// Yjs talks to the console, and standard output is for answers.
for (const level of ['log', 'info', 'warn', 'error']) console[level] = () => {}

/** Return what a document holds: for each root its list and its keys. Formatting marks are left out: Yjs tidies them. */
const contents = (doc) => [...doc.share].sort().map(([name, type]) => [name, ...inside(type)]).filter(([, , list, keys]) => list.length + keys.length)

const inside = (type) => {
  const list = []
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted || item.content instanceof Y.ContentFormat) continue
    const value = said(item.content)
    if (typeof value === 'string' && typeof list.at(-1) === 'string') list.push(list.pop() + value)
    else list.push(value)
  }
  const map = [...type._map].filter(([, item]) => !item.deleted).sort(([a], [b]) => (a < b ? -1 : 1))
  const keys = map.map(([key, item]) => [key, said(item.content)])
  return [type.nodeName ?? type.hookName ?? null, list, keys]
}

const said = (content) => {
  if (content instanceof Y.ContentString) return content.str
  if (content instanceof Y.ContentType) return inside(content.type)
  if (content.constructor.name === 'ContentDoc') return { doc: content.doc.guid }
  return content.getContent().map(plain)
}

// Whether a BigInt is something else than the number that yrs makes of it.
let exact = false

const plain = (value) => {
  if (typeof value === 'bigint') return exact ? { bigint: `${value}` } : Number(value)
  if (value === undefined || Number.isNaN(value)) return { odd: `${value}` }
  if (value instanceof Uint8Array) return { binary: hex(value) }
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object') return value
  return Object.entries(value).map(([key, part]) => [key, plain(part)]).sort(([a], [b]) => (a < b ? -1 : 1))
}

const documentOf = (list) => {
  const doc = new Y.Doc()
  doc.clientID = 1
  for (const update of list) Y.applyUpdate(doc, update)
  return doc
}

/** Return what goes wrong, and where, with a document that has taken these updates. */
const judge = ({ base, update, state, bigIntegers = false }) => {
  let stage = 'apply'
  exact = bigIntegers
  try {
    const honest = base.map(bytes)
    const doc = documentOf([...honest, bytes(update)])
    const waiting = doc.store.pendingStructs !== null || doc.store.pendingDs !== null
    stage = 'toJSON'
    doc.toJSON()
    stage = 'encode'
    const encoded = Y.encodeStateAsUpdate(doc)
    stage = 'read again'
    const copy = documentOf([encoded])
    copy.toJSON()
    stage = 'merge'
    const merged = documentOf([Y.mergeUpdates([...honest, bytes(update)])])
    stage = 'read the state of the server'
    const served = state === undefined ? null : documentOf([bytes(state)])
    stage = 'look'
    const [said, copied, joined] = [doc, copy, merged].map((d) => JSON.stringify(contents(d)))
    return {
      waiting,
      says: said,
      vector: hex(Y.encodeStateVector(doc)),
      copied: copied === said ? null : copied,
      merged: joined === said ? null : joined,
      served: served === null || JSON.stringify(contents(served)) === said ? null : JSON.stringify(contents(served)),
      servedVector: served === null ? null : hex(Y.encodeStateVector(served))
    }
  } catch (error) {
    return { broken: stage, error: error.stack.split('\n').slice(0, 4).join('\n') }
  }
}

/** Return what Yjs reads in an update: its structs and the ranges it deletes. */
const decode = ({ update }) => {
  const { structs, ds } = Y.decodeUpdate(bytes(update))
  return {
    structs: structs.map((s) => ({
      kind: s.constructor.name,
      client: s.id.client,
      clock: s.id.clock,
      length: s.length,
      refs: [s.origin, s.rightOrigin, s.parent instanceof Y.ID ? s.parent : null].filter(Boolean).map((id) => [id.client, id.clock]),
      content: s.content?.constructor.name ?? null
    })),
    deletes: [...ds.clients].flatMap(([client, ranges]) => ranges.map(({ clock, len }) => [client, clock, clock + len]))
  }
}

const commands = {
  judge: ({ cases }) => cases.map(judge),
  decode: ({ updates }) => updates.map((update) => decode({ update })),
  updates: () => Object.fromEntries(Object.entries(updates()).map(([name, list]) => [name, list.map(hex)]))
}

await answer(commands)
