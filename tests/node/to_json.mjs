// Yjs documents, and what a fresh Yjs makes of each by toJSON(): [{ name, state, json }], the state in base64.
//
// `node to_json.mjs named` prints one document for each thing that can stand in one,
// `node to_json.mjs random <seed> <count>` what a few people make together out of order.

import * as Y from 'yjs'
import { dice, edit } from './edits.mjs'
import { roots } from './view.mjs'

/** Return a Y.Text with these strings and embeds, each with its formatting. */
const text = (type, ...runs) => {
  type.applyDelta(runs.map(([insert, attributes]) => ({ insert, attributes })))
  return type
}

const element = (name, attributes = {}, ...children) => {
  const node = new Y.XmlElement(name)
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
  node.insert(0, children.map((child) => typeof child === 'string' ? new Y.XmlText(child) : child))
  return node
}

const nested = (outermost, inner, into) => {
  let type = outermost
  for (let level = 0; level < 1000; level++) {
    const next = inner()
    into(type, next)
    type = next
  }
}

const hook = (name, entries) => {
  const type = new Y.XmlHook(name)
  for (const [key, value] of Object.entries(entries)) type.set(key, value)
  return type
}

const NUMBERS = [
  0, -0, 1, -1, 63, 64, -64, 2 ** 31, -(2 ** 31), 2 ** 53 - 1, 1 - 2 ** 53, 2 ** 53, 2 ** 63, 1e20, 1e21, 1.5e300, 1 / 3,
  0.1, -0.5, 1e-6, 1.5e-6, 1e-7, 1.25e-9, 5e-324, 1.7976931348623157e308, 123456.789, 1e16, 123456789012345680000, 0.5
]
const VALUES = [
  null, true, false, '', 'é😀"\\\n\u0000', [], {}, [undefined, [null, { a: undefined, b: 1 }]], { b: 1, a: [2] },
  NaN, Infinity, -Infinity, 2n ** 62n, -(2n ** 53n), 5n, new Uint8Array([0, 255, 128, 7]), { bytes: new Uint8Array([1]) }
]

/** Each makes its roots, and returns them. */
const named = {
  nothing: () => ({}),
  text: (doc) => ({ content: text(doc.getText('content'), ['héllo 😀\n']) }),
  formattedText: (doc) => ({
    content: text(doc.getText('content'), ['a', { bold: true }], ['b', { link: { href: 'x' } }], ['c'])
  }),
  embedsInText: (doc) => ({
    content: text(doc.getText('content'), ['a'], [{ image: 'x.png' }], [[1]], ['b'], [new Y.Map([['k', 1]])])
  }),
  emptiedText: (doc) => {
    const content = text(doc.getText('content'), ['gone', { bold: true }])
    content.delete(0, 4)
    return { content }
  },
  lastCharacterOfText: (doc) => {
    const content = doc.getText('content')
    for (const letter of 'abcd') content.insert(content.length, letter)
    content.delete(0, 3)
    return { content }
  },
  numbers: (doc) => {
    const content = doc.getArray('content')
    content.insert(0, NUMBERS)
    return { content }
  },
  values: (doc) => {
    const content = doc.getArray('content')
    const map = doc.getMap('map')
    // An array takes a BigInt only inside of something.
    content.insert(0, VALUES.map((value) => typeof value === 'bigint' ? [value] : value))
    content.insert(1, ['between'])
    content.delete(4, 2)
    VALUES.forEach((value, at) => map.set(`value ${at}`, value))
    map.set('undefined', undefined)
    map.set('overwritten', 1)
    map.set('overwritten', 2)
    map.set('deleted', 1)
    map.delete('deleted')
    return { content, map }
  },
  arrayWithoutItsFirst: (doc) => {
    const content = doc.getArray('content')
    content.push(['a'])
    content.push(['b'])
    content.delete(0, 1)
    return { content }
  },
  emptiedMap: (doc) => {
    const content = doc.getMap('content')
    content.set('key', 1)
    content.delete('key')
    return { content }
  },
  typesInAnother: (doc) => {
    const types = () => [
      new Y.Text('text'), text(new Y.XmlText(), ['xml', { b: {} }], [' text']), Y.Array.from([1, new Y.Map([['a', 1]])]),
      new Y.Map([['k', new Y.Text('v')]]), element('P', { a: 1 }, 'x'), new Y.XmlFragment(), hook('hook', { k: 'v' })
    ]
    const content = doc.getArray('content')
    const map = doc.getMap('map')
    content.insert(0, [...types(), new Y.Doc({ guid: 'another', autoLoad: true })])
    types().forEach((type, at) => map.set(`type ${at}`, type))
    return { content, map }
  },
  xml: (doc) => {
    const content = doc.getXmlFragment('content')
    const attributes = Object.fromEntries(VALUES.map((value, at) => [`v${at}`, value]))
    content.insert(0, [
      element('Paragraph', { z: 1, a: 'quo"ted', ü: '<&', '😀': 1, 'ﬀ': 1, 'level-2': true, ...attributes }, 'a <b> & c'),
      element('list', {}, element('item', {}, 'one'), element('item', {}, element('p', {}, 'two'), element('p'))),
      new Y.XmlText('loose')
    ])
    for (const number of NUMBERS) content.push([element('number', { number })])
    content.get(0).setAttribute('undefined', undefined)
    content.get(0).setAttribute('type', new Y.XmlText('in an attribute'))
    return { content }
  },
  hookInXml: (doc) => {
    const content = doc.getXmlFragment('content')
    content.insert(0, [element('p'), hook('hook', { k: 'v' }), element('p')])
    return { content }
  },
  formattedXml: (doc) => {
    const content = doc.getXmlFragment('content')
    content.insert(0, [new Y.XmlText()])
    text(content.get(0),
      ['a', { strong: {}, em: true }], ['b', { strong: {}, link: { href: 'x', class: 'y', Z: [1, null, { a: 1 }] } }],
      ['c', { word: 'ab', list: [1, [2, 3]], number: 5 }], ['d'], [{ embed: 1 }, { strong: {} }],
      [element('mention', { id: 7 })], [new Y.Map([['a', 1]])], [new Y.Text('e', { b: true })], ['f'])
    return { content }
  },
  xmlWithoutItsFirst: (doc) => {
    const content = doc.getXmlFragment('content')
    content.insert(0, [element('a'), element('b'), element('c')])
    content.delete(0, 2)
    return { content }
  },
  elementsInText: (doc) => ({
    content: text(doc.get('content', Y.XmlText), ['a'], [element('i', {}, 'b')], ['c', { b: {} }])
  }),
  deepElements: (doc) => {
    const content = doc.getXmlFragment('content')
    nested(content, () => new Y.XmlElement('p'), (outer, inner) => outer.insert(0, [inner]))
    return { content }
  },
  deepTexts: (doc) => {
    const content = doc.get('content', Y.XmlText)
    content.insert(0, 'a')
    nested(content, () => new Y.XmlText('a'), (outer, inner) => outer.insertEmbed(0, inner))
    return { content }
  },
  deepMaps: (doc) => {
    const content = doc.getMap('content')
    nested(content, () => new Y.Map(), (outer, inner) => outer.set('k', inner))
    return { content }
  },
  deepArrays: (doc) => {
    const content = doc.getArray('content')
    nested(content, () => new Y.Array(), (outer, inner) => outer.insert(0, [inner]))
    return { content }
  }
}

// What an editor does that `edit` leaves out.
const STRANGE = [
  ({ map }, roll) => map.set(`key ${Math.floor(roll() * 3)}`, roll() < 0.5 ? undefined : new Uint8Array([7])),
  ({ array }, roll) => array.insert(Math.floor(roll() * (array.length + 1)), [[undefined, NaN], [2n ** 60n]]),
  ({ text }, roll) => text.insertEmbed(Math.floor(roll() * (text.length + 1)), new Y.Map([['k', 'v']])),
  ({ xml }, roll) => {
    xml.insert(Math.floor(roll() * (xml.length + 1)), [text(new Y.XmlText(), ['a', { b: {} }], [{ e: 1 }])])
  },
  ({ xml }) => xml.length && xml.delete(0, 1),
  ({ text }) => text.length && text.delete(0, 1)
]

/** Everybody types at the same few places: where each letter goes is disputed. */
const crowd = ({ text }, roll) => {
  text.insert(Math.floor(roll() * Math.min(text.length + 1, 4)), String.fromCharCode(97 + roll() * 26))
}

const random = (seed) => {
  const roll = dice(seed)
  const crowded = seed % 2 === 0
  const people = [3, 7, 1000 + seed, 2 ** 31 + seed].map((client) => {
    const doc = new Y.Doc()
    doc.clientID = client
    return { doc, undo: new Y.UndoManager(Object.values(roots(doc)), { trackedOrigins: new Set(['edit']) }) }
  })
  const someone = () => people[Math.floor(roll() * people.length)]
  const tell = (from, to) => Y.applyUpdate(to.doc, Y.encodeStateAsUpdate(from.doc, Y.encodeStateVector(to.doc)))
  for (let step = 0; step < 60; step++) {
    const { doc, undo } = someone()
    if (crowded && roll() < 0.9) crowd(roots(doc), roll)
    else if (roll() < 0.2) STRANGE[Math.floor(roll() * STRANGE.length)](roots(doc), roll)
    else edit(doc, undo, Math.floor(roll() * 2 ** 31))
    if (roll() < 0.3) tell(someone(), someone())
  }
  for (const one of people) tell(one, people[0])
  return [people[0].doc, roots(people[0].doc)]
}

/** As rules X8 to X10 have what JSON has no word for. */
const plain = function (key, value) {
  const original = this[key]
  if (original instanceof Y.Doc) return { guid: original.guid }
  if (original instanceof Uint8Array) return Buffer.from(original).toString('base64')
  if (typeof original !== 'bigint') return value
  return original >= -(2n ** 53n) + 1n && original < 2n ** 53n ? Number(original) : original.toString()
}

const judged = (name, doc, types) => {
  const state = Y.encodeStateAsUpdate(doc)
  const fresh = new Y.Doc()
  Y.applyUpdate(fresh, state)
  const content = {}
  for (const root of Object.keys(types)) {
    if (fresh.share.has(root)) content[root] = fresh.get(root, types[root].constructor).toJSON()
  }
  return { name, state: Buffer.from(state).toString('base64'), json: JSON.stringify(content, plain) }
}

const [which, seed, count] = process.argv.slice(2)
const documents = []
if (which === 'named') {
  for (const [name, make] of Object.entries(named)) {
    const doc = new Y.Doc()
    doc.clientID = 7
    documents.push(judged(name, doc, make(doc)))
  }
} else {
  for (let each = 0; each < Number(count); each++) {
    documents.push(judged(`seed ${Number(seed) + each}`, ...random(Number(seed) + each)))
  }
}
process.stdout.write(JSON.stringify(documents))
