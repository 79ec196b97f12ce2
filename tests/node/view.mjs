// What a Yjs document says, as plain JSON; tests/support/view.py says the same of a pycrdt document.

import * as Y from 'yjs'

export const roots = (doc) => ({
  text: doc.getText('text'),
  map: doc.getMap('map'),
  array: doc.getArray('array'),
  xml: doc.getXmlFragment('xml')
})

export const view = (doc) => mapValues(roots(doc), tree)

const tree = (value) => {
  if (value instanceof Y.XmlText) return { text: delta(value), attributes: value.getAttributes() }
  if (value instanceof Y.Text) return { text: delta(value) }
  if (value instanceof Y.XmlElement) {
    return { element: value.nodeName, attributes: value.getAttributes(), children: value.toArray().map(tree) }
  }
  if (value instanceof Y.XmlFragment) return { fragment: value.toArray().map(tree) }
  if (value instanceof Y.Map) return { map: mapValues(Object.fromEntries(value.entries()), tree) }
  if (value instanceof Y.Array) return { array: value.toArray().map(tree) }
  return value
}

// Equally formatted neighbours become one.
const delta = (text) => {
  const merged = []
  for (const { insert, attributes = {} } of text.toDelta()) {
    const last = merged.at(-1)
    if (last && typeof insert === 'string' && typeof last[0] === 'string' && same(last[1], attributes)) last[0] += insert
    else merged.push([tree(insert), attributes])
  }
  return merged
}

const same = (a, b) => sorted(a) === sorted(b)

const sorted = (attributes) => JSON.stringify(Object.entries(attributes).sort())

const mapValues = (object, f) => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, f(value)]))
