// Updates of every kind that real Yjs makes, by name; each list is in the order in which they were made.

import * as Y from 'yjs'

/** Return a document with a fixed client id, and the list that its updates go to. */
const recorded = (client, options = {}) => {
  const doc = new Y.Doc(options)
  doc.clientID = client
  const list = []
  doc.on('update', (update) => list.push(update))
  return [doc, list]
}

/** Return the updates of one document that does these things one after the other. */
const made = (...acts) => madeWith({}, ...acts)

const madeWith = (options, ...acts) => {
  const [doc, list] = recorded(4242, options)
  for (const act of acts) doc.transact(() => act(doc))
  return [...list, Y.encodeStateAsUpdate(doc)]
}

const text = (doc) => doc.getText('text')
const map = (doc) => doc.getMap('map')
const array = (doc) => doc.getArray('array')
const xml = (doc) => doc.getXmlFragment('xml')

const VALUES = [
  null, undefined, true, false, 0, -0, 1, -1, 63, 64, -64, 2 ** 31 - 1, -(2 ** 31), 2 ** 53, 1.5, 1e300, NaN, Infinity, -Infinity,
  '', 'text', 'é日😀', [], [[], [1, [undefined]]], {}, { a: { b: { c: null } }, ü: [1], '': 2 },
  new Uint8Array([0, 255]), { bytes: new Uint8Array(300) }, new Uint8Array(0)
]

// What an array takes; a map also takes undefined.
const LISTED = VALUES.filter((value) => value !== undefined).concat([[undefined]])

const nested = (depth) => (depth ? [nested(depth - 1)] : [])

export const updates = () => ({
  text: made(
    (d) => text(d).insert(0, 'hello world'),
    (d) => text(d).insert(5, 'é日😀👩‍👩‍👧'),
    (d) => text(d).delete(2, 4),
    (d) => text(d).insert(0, 'x'.repeat(70_000))
  ),
  formats: made(
    (d) => text(d).insert(0, 'bold and not', { bold: true }),
    (d) => text(d).format(0, 4, { bold: null, link: { href: 'https://example.org', rel: ['a', 'b'] } }),
    (d) => text(d).format(2, 8, { italic: true, size: 1.5, empty: '' }),
    (d) => text(d).applyDelta([{ retain: 3 }, { delete: 2 }, { insert: 'ü', attributes: { 'comment-😀': 1 } }])
  ),
  'an emoji cut in two': made(
    (d) => text(d).insert(0, 'a😀b'),
    (d) => text(d).insert(2, 'X'),
    (d) => text(d).delete(1, 1),
    (d) => text(d).insert(1, '\ud83d')
  ),
  embeds: made(
    (d) => text(d).insertEmbed(0, { image: 'https://example.org/ü.png', nested: { list: [1, null, 'x'] } }),
    (d) => text(d).insertEmbed(0, 'a string'),
    (d) => text(d).insertEmbed(0, 17, { bold: true }),
    (d) => text(d).insertEmbed(0, new Y.Map([['inside', true]])),
    (d) => text(d).insertEmbed(1, new Y.XmlElement('widget'))
  ),
  'half an emoji in an embed': made((d) => text(d).insertEmbed(0, { half: '\ud800' })),
  'an integer of 64 bits in an embed': made((d) => text(d).insertEmbed(0, 2 ** 63)),
  'map values': made(...VALUES.map((value, i) => (d) => map(d).set(`key ${i % 7}`, value)), (d) => map(d).delete('key 1'), (d) => map(d).clear()),
  'big integers': made((d) => map(d).set('small', 5n), (d) => array(d).push([[10n ** 18n, -(2n ** 63n), 2n ** 63n - 1n]])),
  'array values': made((d) => array(d).insert(0, LISTED), (d) => array(d).insert(3, LISTED), (d) => array(d).delete(2, 9)),
  'odd keys': made((d) => ['', '__proto__', 'constructor', '\0', '😀', 'x'.repeat(5000)].forEach((key) => map(d).set(key, [{ [key]: key }]))),
  'odd roots': made((d) => ['', '__proto__', '\0', '😀', 'x'.repeat(5000)].forEach((name) => d.getText(name).insert(0, 'x'))),
  'deep values': made((d) => array(d).push([nested(60)])),
  'types in types': made(
    (d) => map(d).set('list', Y.Array.from([new Y.Map([['text', new Y.Text('deep')]]), new Y.Array()])),
    (d) => map(d).get('list').get(0).get('text').insert(4, 'er', { bold: true }),
    (d) => map(d).get('list').delete(0),
    (d) => map(d).set('list', new Y.Map())
  ),
  xml: made(
    (d) => {
      const element = new Y.XmlElement('p')
      element.setAttribute('class', 'ü')
      element.setAttribute('level', 3)
      element.insert(0, [new Y.XmlText('text'), new Y.XmlElement('br')])
      xml(d).insert(0, [element, new Y.XmlText('tail'), new Y.XmlElement('')])
    },
    (d) => xml(d).get(1).setAttribute('lang', 'de'),
    (d) => xml(d).get(0).get(0).format(0, 2, { strong: {} }),
    (d) => xml(d).get(0).insertAfter(xml(d).get(0).get(0), [new Y.XmlText()]),
    (d) => xml(d).delete(0, 1)
  ),
  'a fragment in an array': made((d) => array(d).push([new Y.XmlFragment(), new Y.XmlText('x')])),
  'a hook': made((d) => {
    const hook = new Y.XmlHook('map-view')
    hook.set('zoom', 3)
    xml(d).insert(0, [hook])
  }),
  subdocuments: made(
    (d) => map(d).set('page', new Y.Doc({ guid: 'fixed', autoLoad: true, meta: { a: [1] } })),
    (d) => array(d).push([new Y.Doc({ guid: '', gc: false }), new Y.Doc({ guid: '😀', collectionid: 'c' })]),
    (d) => array(d).delete(0)
  ),
  'undo and redo': undone(),
  'kept garbage': madeWith({ gc: false }, ...busy),
  'collected garbage': made(...busy),
  'several authors': merged(),
  'a merge with gaps': [gap()],
  'a diff': [diff()],
  'a state with something pending': [pending()],
  'obfuscated': [Y.obfuscateUpdate(made(...busy).at(-1))],
  'translated from the second encoding': [Y.convertUpdateFormatV2ToV1(secondEncoding())],
  'a client id of 53 bits': (() => {
    const [doc, list] = recorded(Number.MAX_SAFE_INTEGER)
    text(doc).insert(0, 'far out')
    text(doc).insert(3, '-')
    return list
  })(),
  nothing: [Y.encodeStateAsUpdate(new Y.Doc())]
})

const busy = [
  (d) => text(d).insert(0, 'some text that goes'),
  (d) => map(d).set('a', new Y.Map([['b', new Y.Text('c')]])),
  (d) => array(d).insert(0, [1, 2, 3, new Y.Array()]),
  (d) => text(d).delete(4, 10),
  (d) => map(d).set('a', 1),
  (d) => array(d).delete(1, 3),
  (d) => text(d).insert(2, 'again')
]

function undone () {
  const [doc, list] = recorded(7)
  const undo = new Y.UndoManager([text(doc), map(doc)], { captureTimeout: 0 })
  text(doc).insert(0, 'one two')
  text(doc).delete(1, 4)
  map(doc).set('a', new Y.Text('gone'))
  map(doc).delete('a')
  for (let i = 0; i < 4; i++) undo.undo()
  for (let i = 0; i < 3; i++) undo.redo()
  return list
}

function authors () {
  const lists = []
  const docs = [3, 300, 2 ** 31].map((client) => {
    const [doc, list] = recorded(client)
    lists.push(list)
    return doc
  })
  const exchange = () => docs.forEach((a) => docs.forEach((b) => Y.applyUpdate(a, Y.encodeStateAsUpdate(b, Y.encodeStateVector(a)))))
  docs.forEach((doc, i) => text(doc).insert(0, `from ${i} `))
  exchange()
  docs.forEach((doc, i) => { text(doc).insert(3 * i, 'x'); map(doc).set('same', i) })
  exchange()
  docs.forEach((doc, i) => text(doc).delete(i, 5))
  return [docs, lists]
}

function merged () {
  const [docs, lists] = authors()
  const all = lists.flat()
  return [...lists[0], Y.mergeUpdates(all), Y.mergeUpdates(all.slice(0, 7)), ...docs.map((doc) => Y.encodeStateAsUpdate(doc))]
}

function gap () {
  const list = made(...busy)
  return Y.mergeUpdates([list[0], list[2], list[5]])
}

function diff () {
  const [doc] = recorded(5)
  text(doc).insert(0, 'first😀')
  const vector = Y.encodeStateVector(doc)
  text(doc).insert(3, 'second')
  return Y.diffUpdate(Y.encodeStateAsUpdate(doc), vector)
}

function pending () {
  const list = made(...busy)
  const doc = new Y.Doc()
  doc.clientID = 9
  text(doc).insert(0, 'mine')
  Y.applyUpdate(doc, list[5])
  Y.applyUpdate(doc, list[3])
  return Y.encodeStateAsUpdate(doc)
}

function secondEncoding () {
  const [doc] = recorded(11)
  busy.forEach((act) => act(doc))
  return Y.encodeStateAsUpdateV2(doc)
}
