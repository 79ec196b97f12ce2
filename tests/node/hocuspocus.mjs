// What the stock providers of every release live through on a real server, over both protocols.
//
//   node hocuspocus.mjs SCENARIO ws://HOST:PORT OPTIONS
//
// OPTIONS is JSON. Each scenario prints one JSON value, mostly with an entry for each library, which tests/compat
// judges; anything that goes wrong ends it with an error.

import { converged, until } from './providers.mjs'
import { all, hocuspocuses, join, joinSynced, socketOf } from './stock.mjs'

/** Play something with each of these libraries at once; give what came of it, by library. */
const each = async (libraries, play) =>
  Object.fromEntries(await Promise.all(Object.keys(libraries).map(async (library) => [library, await play(library)])))

const scenarios = {
  /** Everybody writes into one document, whatever their library, and somebody comes late. */
  async together (base, { name }) {
    const members = []
    for (const library of Object.keys(all)) members.push(await joinSynced(library, base, name))
    for (const { library, text, map } of members) {
      text.insert(text.length, `${library}; `)
      map.set(library, { here: true })
    }
    await converged(...members)
    members[0].text.delete(0, 2)
    members[5].text.insert(0, '😀')
    await converged(...members)
    const late = await each(all, async (library) => (await joinSynced(library, base, name)).view())
    return { first: members[0].view(), late, unsynced: members.slice(3).map(({ unsynced }) => unsynced()) }
  },

  /** Names that have to be escaped somewhere. */
  async names (base, { names }) {
    return await each(all, async (library) => {
      const texts = []
      for (const name of names) {
        const writer = await joinSynced(library, base, `${library}/${name}`)
        writer.text.insert(0, name)
        const reader = await joinSynced('y-websocket 3', base, `${library}/${name}`)
        await converged(writer, reader)
        texts.push(reader.text.toString())
        writer.destroy()
        reader.destroy()
      }
      return texts
    })
  },

  /** Both write while one of them is away. */
  async offline (base, { name }) {
    return await each(all, async (library) => {
      const document = `${name} of ${library}`
      const [ann, bob] = [await joinSynced(library, base, document), await joinSynced('y-websocket 3', base, document)]
      ann.text.insert(0, 'together ')
      await converged(ann, bob)
      ann.disconnect()
      await until(() => !ann.online(), `${library} to be away`)
      ann.text.insert(0, 'away ')
      bob.text.insert(bob.text.length, 'at home')
      ann.connect()
      await converged(ann, bob)
      await until(ann.synced, `${library} to know that it is synced`)
      return bob.text.toString()
    })
  },

  /** Who may write, who may only read, and who may not come in at all. */
  async tokens (base, { name, edit, view }) {
    return await each(hocuspocuses, async (library) => {
      const document = `${name} of ${library}`
      const writer = await joinSynced(library, base, document, { token: edit })
      const reader = await joinSynced(library, base, document, { token: view })
      writer.text.insert(0, 'hello')
      await converged(writer, reader)
      const before = reader.unsynced()
      reader.text.insert(5, ' world')
      const stranger = join(library, base, document, { token: 'sesame' })
      const nobody = join(library, base, document)
      await until(() => stranger.seen.denials.length && nobody.seen.denials.length, 'to be turned down')
      writer.text.insert(5, '!')
      const late = await joinSynced(library, base, document, { token: view })
      await until(() => late.text.length > 5)
      return {
        late: late.text.toString(),
        writer: writer.seen.scopes,
        reader: reader.seen.scopes,
        before,
        refused: reader.unsynced(),
        stranger: stranger.seen.denials,
        nobody: nobody.seen.denials,
        synced: stranger.provider.synced || nobody.provider.synced
      }
    })
  },

  /** A token ends, and the application has another one. */
  async refresh (base, { name, tokens }) {
    return await each(hocuspocuses, async (library) => {
      let asked = 0
      const document = `${name} of ${library}`
      const member = await joinSynced(library, base, document, {
        token: () => {
          asked += 1
          return asked === 1 ? tokens.short : tokens.long
        }
      })
      member.text.insert(0, 'before')
      const other = await joinSynced('y-websocket 3', base, document, { token: tokens.long })
      await until(() => Date.now() > tokens.end * 1000 + 500, 'the first token to end')
      await until(member.synced, 'to be in with the second token')
      member.text.insert(6, ' and after')
      await converged(member, other)
      return { text: other.text.toString(), asked, closes: member.seen.closes.length, denials: member.seen.denials }
    })
  },

  /** A share link is taken back while somebody writes by it. */
  async revoked (base, { name, admin }) {
    const ask = async (method, path, body) => await fetch(`${base.replace('ws', 'http')}/api/documents/${path}`, {
      method, body, headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' }
    })
    return await each(all, async (library) => {
      const document = `${name} of ${library}`
      const links = `${encodeURIComponent(document)}/links`
      const owner = await joinSynced('Hocuspocus 4', base, document, { token: admin })
      owner.text.insert(0, 'hello')
      await until(owner.synced, 'the document to be there')
      const { id, key } = await (await ask('POST', links, '{"role": "edit"}')).json()
      const guest = await joinSynced(library, base, document, { token: key })
      guest.text.insert(5, '!')
      await converged(owner, guest)
      const started = Date.now()
      await ask('DELETE', `${links}/${id}`)
      const { closes, denials } = guest.seen ?? {}
      await until(() => closes ? closes.length + denials.length > 0 : !guest.online(), 'the guest to be sent away')
      const seconds = (Date.now() - started) / 1000
      guest.text.insert(0, 'not ')
      owner.text.insert(6, '?')
      await until(owner.synced, 'the owner to go on')
      const late = await joinSynced('y-websocket 3', base, document, { token: admin })
      return { seconds, late: late.text.toString(), back: guest.seen === undefined && guest.synced() }
    })
  },

  /** Several documents on one socket; one of them ends, the others go on. */
  async shared (base, { name }) {
    return await each(hocuspocuses, async (library) => {
      const socket = socketOf(library, base)
      const members = []
      for (const which of ['one', 'two', 'three']) {
        members.push(await joinSynced(library, base, `${name}/${library}/${which}`, { socket }))
      }
      members.forEach(({ text }, index) => text.insert(0, `text ${index}`))
      await until(() => members.every(({ synced }) => synced()), 'all to be saved')
      members[1].destroy()
      members[0].text.insert(0, 'still ')
      const again = await joinSynced(library, base, `${name}/${library}/two`, { socket })
      again.text.insert(0, 'again ')
      await until(() => again.synced() && members[0].synced(), 'the rest to be saved')
      const texts = []
      for (const which of ['one', 'two', 'three']) {
        texts.push((await joinSynced('y-websocket 3', base, `${name}/${library}/${which}`)).text.toString())
      }
      return texts
    })
  },

  /** Two editors of one document on one socket, as version 4 can. */
  async sessions (base, { name }) {
    const socket = socketOf('Hocuspocus 4', base)
    const options = { socket, sessionAwareness: true }
    const [ann, bob] = [await joinSynced('Hocuspocus 4', base, name, options), await joinSynced('Hocuspocus 4', base, name, options)]
    ann.text.insert(0, 'hello')
    await converged(ann, bob)
    ann.destroy()
    bob.text.insert(5, ' again')
    const late = await joinSynced('Hocuspocus 3', base, name)
    await converged(bob, late)
    return late.text.toString()
  },

  /** Somebody's network is lost, without a word. */
  async presence (base, { name }) {
    return await each(all, async (library) => {
      const document = `${name} of ${library}`
      const [ann, bob] = [await joinSynced(library, base, document), await joinSynced('Hocuspocus 4', base, document)]
      ann.awareness.setLocalStateField('user', { name: library })
      await until(() => bob.awareness.getStates().get(ann.doc.clientID)?.user, 'to be seen')
      const seen = bob.awareness.getStates().get(ann.doc.clientID).user.name
      ann.cut()
      const seconds = await until(() => !bob.awareness.getStates().has(ann.doc.clientID), 'to be gone')
      return { seen, seconds }
    })
  },

  /** Type until everything is said to be saved, and kill the server in the same moment. */
  async saved (base, { name, rounds, pid }) {
    const texts = await each(hocuspocuses, async (library) => {
      const member = await joinSynced(library, base, `${name} of ${library}`)
      for (let round = 0; round < rounds; round++) {
        member.text.insert(member.text.length, `${round} `)
        if (round % 7 === 0) await until(() => member.unsynced() === 0, 'some to be saved')
      }
      await until(() => member.unsynced() === 0, 'all to be saved')
      return member.text.toString()
    })
    process.kill(pid, 'SIGKILL')
    return texts
  },

  /** What the server has, as each library shows it. */
  async read (base, { name }) {
    const texts = await each(all, async (library) => (await joinSynced(library, base, name)).text.toString())
    return [...new Set(Object.values(texts))].join(' or ')
  }
}

const [scenario, base, options = '{}'] = process.argv.slice(2)
const result = await scenarios[scenario](base, JSON.parse(options))
process.stdout.write(JSON.stringify(result), () => process.exit(0))
