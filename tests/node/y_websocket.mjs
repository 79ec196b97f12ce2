// What real y-websocket clients live through on a real server.
//
//   node y_websocket.mjs SCENARIO ws://HOST:PORT/ws OPTIONS
//
// OPTIONS is JSON. Each scenario prints one JSON value, which tests/compat judges; anything that goes wrong ends it
// with an error.

import * as Y from 'yjs'
import { dice, edit } from './edits.mjs'
import { converged, cut, join, joinSynced, until } from './providers.mjs'

const views = (...members) => members.map((member) => member.view())

const scenarios = {
  /** Two people use every shared type, at the same time. */
  async sharedTypes (url, { name }) {
    const [ann, bob] = [await joinSynced(url, name), await joinSynced(url, name)]
    ann.text.insert(0, 'Hello 😀 world')
    ann.text.format(0, 5, { bold: true })
    ann.text.insertEmbed(5, { image: 'cat.png' })
    ann.map.set('title', 'Notes')
    ann.array.insert(0, [1, 'two', { three: [3] }])
    const paragraph = new Y.XmlElement('paragraph')
    paragraph.setAttribute('align', 'right')
    paragraph.insert(0, [new Y.XmlText('in XML')])
    ann.xml.insert(0, [paragraph])
    await converged(ann, bob)

    const nested = new Y.Map()
    bob.map.set('nested', nested)
    nested.set('list', Y.Array.from([new Y.Text('deep')]))
    bob.array.delete(1, 1)
    bob.xml.get(0).get(0).insert(0, 'text ')
    ann.text.delete(0, 3)
    await converged(ann, bob)

    ann.map.get('nested').get('list').get(0).insert(4, 'er')
    await converged(ann, bob)
    return views(ann, bob, await joinSynced(url, name))
  },

  /** Who may write, who may only read, and who may not come in at all. */
  async tokens (url, { name, edit, view }) {
    const writer = await joinSynced(url, name, { params: { token: edit } })
    const reader = await joinSynced(url, name, { params: { token: view } })
    const refused = []
    for (const params of [{}, { token: 'sesame' }]) {
      const stranger = join(url, name, { params })
      await new Promise((resolve) => stranger.provider.once('connection-error', resolve))
      refused.push(stranger.provider.synced)
      stranger.provider.destroy()
    }
    writer.text.insert(0, 'hello')
    await converged(writer, reader)
    reader.text.insert(5, ' world')
    writer.text.insert(5, '!')
    const late = await joinSynced(url, name, { params: { token: view } })
    await until(() => late.text.toString().length > 5)
    return { refused, writer: writer.text.toString(), late: late.text.toString() }
  },

  /** Undo takes back one's own edits and nobody else's. */
  async undo (url, { name }) {
    const [ann, bob] = [await joinSynced(url, name), await joinSynced(url, name)]
    const undo = new Y.UndoManager(ann.text)
    ann.text.insert(0, 'mine')
    await converged(ann, bob)
    bob.text.insert(4, ' and yours')
    await converged(ann, bob)
    const texts = []
    for (const step of ['undo', 'redo', 'undo']) {
      undo[step]()
      await converged(ann, bob)
      texts.push(bob.text.toString())
    }
    texts.push((await joinSynced(url, name)).text.toString())
    return texts
  },

  /** Everybody does anything, online and offline, with undo. */
  async randomEdits (url, { name, seed, members, rounds }) {
    const roll = dice(seed)
    const below = (count) => Math.floor(roll() * count)
    const everybody = []
    for (let client = 1; client <= members; client++) everybody.push(await joinSynced(url, name, { client }))
    const undo = everybody.map(({ text, map, array, xml }) =>
      new Y.UndoManager([text, map, array, xml], { trackedOrigins: new Set(['edit']) }))
    for (let round = 0; round < rounds; round++) {
      const who = below(members)
      if (roll() < 0.05) everybody[who].provider.disconnect()
      else if (roll() < 0.1) everybody[who].provider.connect()
      else edit(everybody[who].doc, undo[who], below(2 ** 31))
      // Messages come in only when somebody waits.
      if (roll() < 0.3) await new Promise((resolve) => setImmediate(resolve))
    }
    for (const member of everybody) member.provider.connect()
    await until(() => everybody.every(({ provider }) => provider.synced), 'everybody to be back')
    await converged(...everybody)
    const update = Buffer.from(Y.encodeStateAsUpdate(everybody[0].doc)).toString('base64')
    return { views: views(...everybody, await joinSynced(url, name)), update }
  },

  /** Somebody pastes a book, and reads on. */
  async largeUpdate (url, { name, characters }) {
    const [ann, bob] = [await joinSynced(url, name), await joinSynced(url, name)]
    ann.text.insert(0, 'é'.repeat(characters))
    ann.text.insert(0, 'first ')
    await converged(ann, bob)
    bob.text.insert(bob.text.length, ' last')
    await converged(ann, bob)
    return [ann, bob, await joinSynced(url, name)].map(({ text }) => {
      const content = text.toString()
      return [content.length, content.slice(0, 8), content.slice(-6)]
    })
  },

  /** Somebody types faster than anybody can, a character an update. */
  async burst (url, { name, text }) {
    const [ann, bob] = [await joinSynced(url, name), await joinSynced(url, name)]
    for (let at = 0; at < text.length; at++) ann.text.insert(at, text[at])
    await until(() => bob.text.length === text.length, 'all to arrive', 90)
    return bob.text.toString()
  },

  /** Somebody comes in and reads. */
  async read (url, { name }) {
    return (await joinSynced(url, name)).text.toString()
  },

  /** A name leads to one document, whether its segments come encoded or as the provider sends them by itself. */
  async documentNames (url, { names }) {
    const texts = {}
    for (const name of names) {
      const encoded = name.split('/').map(encodeURIComponent).join('/')
      // In a raw name these would end the path or mean something else.
      const raw = /[?#%]/.test(name) ? encoded : name
      const [ann, bob] = [await joinSynced(url, encoded), await joinSynced(url, raw)]
      ann.text.insert(0, name)
      await converged(ann, bob)
      texts[name] = [bob.text.toString(), (await joinSynced(url, encoded)).text.toString()]
    }
    return texts
  },

  /** Two people edit without a network, one of them deletes only; then both come back. */
  async offline (url, { name }) {
    const [ann, bob] = [await joinSynced(url, name), await joinSynced(url, name)]
    ann.text.insert(0, 'one two three')
    await converged(ann, bob)
    cut(ann)
    bob.provider.disconnect()
    ann.text.delete(0, 4)
    bob.text.insert(13, ' four')
    bob.map.set('offline', true)
    const apart = [ann.text.toString(), bob.text.toString()]
    bob.provider.connect()
    ann.provider.connect()
    await until(() => ann.provider.synced && bob.provider.synced, 'both to be back')
    await converged(ann, bob)
    return { apart, together: views(ann, bob, await joinSynced(url, name)) }
  },

  /**
   * A newcomer sees who is here; who is cut off is gone soon, and back with the next move of the cursor.
   *
   * Not before that: the provider repeats what it said last, and Yjs takes only what is newer.
   */
  async awareness (url, { name }) {
    const [ann, bob] = [await joinSynced(url, name, { client: 1 }), await joinSynced(url, name, { client: 2 })]
    ann.awareness.setLocalStateField('user', { name: 'Ann' })
    bob.awareness.setLocalStateField('user', { name: 'Bob' })
    const users = ({ awareness }) => [...awareness.getStates().values()].map(({ user }) => user?.name).sort()
    const carol = join(url, name, { client: 3 })
    await until(() => carol.provider.wsconnected, 'the newcomer to be connected')
    const newcomerWaited = await until(() => users(carol).includes('Ann') && users(carol).includes('Bob'))
    cut(ann)
    const goneAfter = await until(() => !users(bob).includes('Ann') && !users(carol).includes('Ann'))
    const left = users(bob)
    ann.provider.connect()
    await until(() => ann.provider.synced, 'Ann to be back')
    ann.awareness.setLocalStateField('cursor', 1)
    const backAfter = await until(() => users(bob).includes('Ann') && users(carol).includes('Ann'))
    return { newcomerWaited, goneAfter, left, backAfter }
  },

  /**
   * Two tabs of one browser talk past the server, too.
   *
   * One of them has no socket. The other builds on what it heard from it, which the server has not got yet, and
   * which the provider passes on only when it is asked.
   */
  async tabs (url, { name }) {
    const outside = await joinSynced(url, name)
    const [first, second] = [
      await joinSynced(url, name, { disableBc: false }), await joinSynced(url, name, { disableBc: false })
    ]
    first.text.insert(0, 'both ways')
    await converged(outside, first, second)

    const deaf = join(url, name, { disableBc: false, connect: false })
    deaf.provider.connectBc()
    await converged(outside, first, second, deaf)
    deaf.text.insert(9, ', one way')
    await converged(first, second, deaf)
    first.text.insert(18, ', and on')
    await converged(outside, first, second, deaf)
    return [outside, first, second, deaf].map(({ text }) => text.toString())
  },

  /** Nobody says anything for a while, not even that they are here. */
  async quiet (url, { name, seconds }) {
    const member = await joinSynced(url, name)
    member.awareness.setLocalState(null)
    let closed = 0
    member.provider.on('connection-close', () => closed++)
    const start = performance.now()
    await until(() => closed || performance.now() - start > seconds * 1000, 'silence', seconds + 5)
    const other = await joinSynced(url, name)
    other.text.insert(0, 'still here')
    await converged(member, other)
    return { closed, text: member.text.toString() }
  }
}

const [scenario, url, options] = process.argv.slice(2)
const result = await scenarios[scenario](url, JSON.parse(options))
// Providers and their timers would keep this process.
process.stdout.write(JSON.stringify(result), () => process.exit(0))
