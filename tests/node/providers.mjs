// Real y-websocket clients for the scenarios that tests/compat plays.

import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { roots, view } from './view.mjs'

const DEADLINE_SECONDS = 20

/** A document with its provider, connected but perhaps not synced yet. */
export const join = (url, name, { client, ...options } = {}) => {
  const doc = new Y.Doc()
  if (client) doc.clientID = client
  const provider = new WebsocketProvider(url, name, doc, { WebSocketPolyfill: WebSocket, disableBc: true, ...options })
  return { doc, provider, awareness: provider.awareness, ...roots(doc), view: () => view(doc) }
}

/** A document that has everything that the server has. */
export const joinSynced = async (url, name, options) => {
  const member = join(url, name, options)
  await until(() => member.provider.synced, `${name} to be synced`)
  return member
}

/** Resolve as soon as a condition is true; give the seconds that this took. */
export const until = async (condition, what = String(condition), deadlineSeconds = DEADLINE_SECONDS) => {
  const start = performance.now()
  const seconds = () => (performance.now() - start) / 1000
  while (!condition()) {
    if (seconds() > deadlineSeconds) throw new Error(`waited ${deadlineSeconds} s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  return seconds()
}

/** Resolve when all members hold the same, down to what was deleted. */
export const converged = (...members) => {
  const digest = ({ doc }) => Buffer.from(Y.encodeSnapshot(Y.snapshot(doc))).toString('hex')
  return until(() => new Set(members.map(digest)).size === 1, 'all to be equal')
}

/** Lose the network: no close frame, no farewell, no return. */
export const cut = ({ provider }) => {
  provider.shouldConnect = false
  provider.ws.terminate()
}
