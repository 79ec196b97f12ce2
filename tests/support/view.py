"""What a document says, as plain JSON by which a pycrdt Doc and a Yjs Doc can be compared.

Every test document has the same four roots. Not for: the order in which it came to be, or what was
deleted. `tests/node/view.mjs` says the same of a Yjs Doc.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

View = dict[str, Any]
Chunk = tuple[Any, dict[str, Any] | None]


def roots(doc: Doc[Any]) -> tuple[Text, Map[Any], Array[Any], XmlFragment]:
    """Return the roots that every test document has."""
    return (
        doc.get("text", type=Text),
        doc.get("map", type=Map),
        doc.get("array", type=Array),
        doc.get("xml", type=XmlFragment),
    )


def view(doc: Doc[Any]) -> View:
    """Return what all roots of a document hold."""
    with doc.transaction():
        return {root: tree(value) for root, value in zip(("text", "map", "array", "xml"), roots(doc), strict=True)}


def view_of(update: bytes) -> View:
    """Return what a document holds that is made of this one update."""
    doc: Doc[Any] = Doc(client_id=1)
    doc.apply_update(update)
    return view(doc)


def text_of(update: bytes, root: str = "text") -> str:
    """Return one text of a document that is made of this one update."""
    doc: Doc[Any] = Doc(client_id=1)
    doc.apply_update(update)
    return str(doc.get(root, type=Text))


def tree(value: Any) -> Any:
    """Return a shared type with everything in it; other values as they are."""
    if isinstance(value, Text | XmlText):
        node: Any = {"text": delta(value.diff())}
        return node | {"attributes": _attributes(value)} if isinstance(value, XmlText) else node
    if isinstance(value, Map):
        return {"map": {key: tree(inner) for key, inner in value.items()}}
    if isinstance(value, Array):
        return {"array": [tree(item) for item in value]}
    if isinstance(value, XmlElement):
        children = [tree(child) for child in value.children]
        return {"element": value.tag, "attributes": _attributes(value), "children": children}
    if isinstance(value, XmlFragment):
        return {"fragment": [tree(child) for child in value.children]}
    return value


def delta(chunks: Iterable[Chunk]) -> list[list[Any]]:
    """Return formatted text as [insert, attributes], with equally formatted neighbours as one."""
    merged: list[list[Any]] = []
    for insert, attributes in chunks:
        attributes = attributes or {}
        if merged and isinstance(insert, str) and isinstance(merged[-1][0], str) and merged[-1][1] == attributes:
            insert = merged.pop()[0] + insert
        merged.append([insert, attributes])
    return merged


def _attributes(node: XmlElement | XmlText) -> dict[str, Any]:
    # pycrdt types it as an Iterable of pairs that has no __iter__.
    attributes: Any = node.attributes
    return dict(attributes)
