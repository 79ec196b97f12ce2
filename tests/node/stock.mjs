// The stock providers that editors use, each release that people have, behind one set of names.

import * as Hocuspocus2 from 'hocuspocus-2'
import * as Hocuspocus3 from 'hocuspocus-3'
import * as Hocuspocus4 from 'hocuspocus-4'
import { WebSocket } from 'ws'
import * as YWebsocket3 from 'y-websocket'
import * as YWebsocket1 from 'y-websocket-1'
import * as YWebsocket2 from 'y-websocket-2'
import * as Y from 'yjs'
import { until } from './providers.mjs'
import { roots, view } from './view.mjs'

const yWebsocket = ({ WebsocketProvider }) => (base, name, doc, { token } = {}) => {
  const path = name.split('/').map(encodeURIComponent).join('/')
  const params = token ? { token } : {}
  const provider = new WebsocketProvider(`${base}/ws`, path, doc, { WebSocketPolyfill: WebSocket, disableBc: true, params })
  return {
    provider,
    awareness: provider.awareness,
    synced: () => provider.synced,
    online: () => provider.wsconnected,
    disconnect: () => provider.disconnect(),
    connect: () => provider.connect(),
    cut: () => {
      provider.shouldConnect = false
      provider.ws.terminate()
    },
    destroy: () => provider.destroy()
  }
}

const hocuspocus = ({ HocuspocusProvider, HocuspocusProviderWebsocket }) => (base, name, doc, options = {}) => {
  const { token = null, socket: shared, ...others } = options
  const socket = shared ?? new HocuspocusProviderWebsocket({
    url: `${base}/hocuspocus`, WebSocketPolyfill: WebSocket, delay: 100, minDelay: 100, maxDelay: 500
  })
  const seen = { scopes: [], denials: [], closes: [], words: [] }
  const provider = new HocuspocusProvider({
    websocketProvider: socket,
    name,
    document: doc,
    token,
    broadcast: false,
    onAuthenticationFailed: ({ reason }) => seen.denials.push(reason),
    onClose: ({ event }) => seen.closes.push([event.code, String(event.reason)]),
    onStateless: ({ payload }) => seen.words.push(payload),
    ...others
  })
  provider.on('authenticated', () => seen.scopes.push(provider.authorizedScope))
  // Version 2 attaches itself.
  provider.attach?.()
  return {
    provider,
    socket,
    seen,
    awareness: provider.awareness,
    // Version 2 counts what it had queued while it was away as answered, but not as sent: it comes to -1.
    synced: () => provider.synced && provider.unsyncedChanges <= 0,
    online: () => socket.status === 'connected',
    unsynced: () => provider.unsyncedChanges,
    disconnect: () => socket.disconnect(),
    connect: () => socket.connect(),
    cut: () => {
      socket.shouldConnect = false
      socket.webSocket.terminate()
    },
    destroy: () => {
      provider.destroy()
      if (!shared) socket.destroy()
    }
  }
}

export const yWebsockets = {
  'y-websocket 1': yWebsocket(YWebsocket1), 'y-websocket 2': yWebsocket(YWebsocket2), 'y-websocket 3': yWebsocket(YWebsocket3)
}

export const hocuspocuses = {
  'Hocuspocus 2': hocuspocus(Hocuspocus2), 'Hocuspocus 3': hocuspocus(Hocuspocus3), 'Hocuspocus 4': hocuspocus(Hocuspocus4)
}

export const all = { ...yWebsockets, ...hocuspocuses }

/** A socket that several documents may share. */
export const socketOf = (library, base) => {
  const { HocuspocusProviderWebsocket } = { 'Hocuspocus 2': Hocuspocus2, 'Hocuspocus 3': Hocuspocus3, 'Hocuspocus 4': Hocuspocus4 }[library]
  return new HocuspocusProviderWebsocket({ url: `${base}/hocuspocus`, WebSocketPolyfill: WebSocket, delay: 100, minDelay: 100 })
}

/** Somebody with a provider of this library, connected but perhaps not synced yet. */
export const join = (library, base, name, options) => {
  const doc = new Y.Doc()
  return { library, doc, ...all[library](base, name, doc, options), ...roots(doc), view: () => view(doc) }
}

/** Somebody who has everything that the server has. */
export const joinSynced = async (library, base, name, options) => {
  const member = join(library, base, name, options)
  await until(member.synced, `${library} to have ${name}`)
  return member
}
