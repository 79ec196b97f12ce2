// Random edits of a Yjs document, from a seed; tests/support/edits.py does the same to a pycrdt document.

import * as Y from 'yjs'
import { roots } from './view.mjs'

const WORDS = ['a', 'b', 'the', 'wörter', '日本', '😀', '👩‍👩‍👧', '\n', 'x y', 'é']
const KEYS = ['title', 'size', 'ü', '']
const ATTRIBUTES = [
  { bold: true }, { bold: null }, { italic: true }, { link: { href: 'https://example.org' } }, { link: null }
]
const VALUES = [null, true, 0, -1, 1.5, '', 'text', [1, [2]], { deep: { er: [] } }]
const MAX_DEPTH = 3

/** Return a function that gives a number in [0, 1), always the same ones for a seed (mulberry32). */
export const dice = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

/**
 * Change one place of a document, in one transaction, or undo or redo what was done before.
 *
 * No emoji is cut in two: what becomes of one that is has tests of its own (hazards P4b).
 */
export const edit = (doc, undo, seed) => {
  const roll = dice(seed)
  const which = roll()
  if (which < 0.06) return undo.undo()
  if (which < 0.09) return undo.redo()
  const { text, map, array, xml } = roots(doc)
  // Every edit is one to undo.
  undo.stopCapturing()
  doc.transact(() => {
    if (which < 0.55) editText(text, roll)
    else if (which < 0.7) editMap(map, roll)
    else if (which < 0.85) editArray(array, roll)
    else editXml(xml, roll)
  }, 'edit')
}

const below = (roll, count) => Math.floor(roll() * count)
const pick = (roll, list) => list[below(roll, list.length)]

const editText = (text, roll) => {
  const places = bounds(text)
  const from = below(roll, places.length)
  const start = places[from]
  const length = places[Math.min(from + 1 + below(roll, 4), places.length - 1)] - start
  const which = roll()
  if (length && which < 0.35) text.delete(start, length)
  else if (length && which < 0.5) text.format(start, length, pick(roll, ATTRIBUTES))
  else if (which < 0.55) text.insertEmbed(start, { image: pick(roll, WORDS) })
  else if (which < 0.65) text.insert(start, pick(roll, WORDS), pick(roll, ATTRIBUTES))
  else text.insert(start, pick(roll, WORDS))
}

// Every position but those between the halves of a surrogate pair.
const bounds = (text) => {
  const places = [0]
  for (const { insert } of text.toDelta()) {
    for (const character of typeof insert === 'string' ? insert : '.') places.push(places.at(-1) + character.length)
  }
  return places
}

const editMap = (map, roll, depth = 1) => {
  const key = pick(roll, KEYS)
  const known = map.get(key)
  if (map.has(key) && roll() < 0.2) map.delete(key)
  else if (!editNested(known, roll, depth)) map.set(key, newValue(roll, depth))
}

const editArray = (array, roll, depth = 1) => {
  const start = below(roll, array.length + 1)
  if (start < array.length && roll() < 0.3) array.delete(start, Math.min(1 + below(roll, 3), array.length - start))
  else if (start === array.length || !editNested(array.get(start), roll, depth)) array.insert(start, [newValue(roll, depth)])
}

const editNested = (value, roll, depth) => {
  if (!(value instanceof Y.AbstractType) || roll() < 0.2) return false
  if (value instanceof Y.Text) editText(value, roll)
  else if (value instanceof Y.Map) editMap(value, roll, depth + 1)
  else editArray(value, roll, depth + 1)
  return true
}

const newValue = (roll, depth) => {
  if (depth >= MAX_DEPTH || roll() < 0.7) return pick(roll, VALUES)
  return pick(roll, [
    () => new Y.Text(pick(roll, WORDS)),
    () => new Y.Map([[pick(roll, KEYS), pick(roll, WORDS)]]),
    () => Y.Array.from([pick(roll, WORDS), new Y.Map()])
  ])()
}

const editXml = (node, roll, depth = 1) => {
  const at = below(roll, node.length + 1)
  const child = at < node.length ? node.get(at) : null
  const which = roll()
  if (child && which < 0.15) node.delete(at, 1)
  else if (node instanceof Y.XmlElement && which < 0.3) node.setAttribute(pick(roll, KEYS), pick(roll, WORDS))
  else if (child instanceof Y.XmlText && which < 0.8) editText(child, roll)
  else if (child instanceof Y.XmlElement && depth < MAX_DEPTH && which < 0.9) editXml(child, roll, depth + 1)
  else node.insert(at, [roll() < 0.5 ? new Y.XmlText(pick(roll, WORDS)) : newElement(roll)])
}

const newElement = (roll) => {
  const element = new Y.XmlElement('p')
  element.setAttribute('class', pick(roll, WORDS))
  element.insert(0, [new Y.XmlText(pick(roll, WORDS))])
  return element
}
