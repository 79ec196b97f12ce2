"""A document as JSON: every root by its name, as `toJSON()` of its shared type gives it in Yjs (rules X7 to X11)."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from collab.content import xml
from collab.content.tree import Array, Map, Node, Root, Text, Value, XmlText, read, unfold
from collab.content.values import Subdocument, Undefined
from collab.core.wire import MAX_SAFE_INTEGER


def render(state: bytes) -> bytes:
    """Return the document as one JSON object in UTF-8.

    Raises:
        MalformedError: the state cannot be read.
    """
    members = (f"{_quote(name)}:{_root(root)}" for name, root in read(state).items())
    # A half of a surrogate pair is written as JSON.stringify writes it: escaped.
    return f"{{{','.join(members)}}}".encode("utf-8", "backslashreplace")


def _root(root: Root) -> str:
    if root.sequence is not None and root.entries is not None:
        return f'{{"attributes":{unfold(root.entries, _parts)},"content":{unfold(root.sequence, _parts)}}}'
    node = root.sequence or root.entries
    return "null" if node is None else unfold(node, _parts)


def _parts(node: Node) -> Iterator[str | Node]:
    if isinstance(node, Map):
        yield from _members(node)
    elif isinstance(node, Array):
        yield "["
        for at, item in enumerate(node.items):
            if at:
                yield ","
            yield item
        yield "]"
    elif isinstance(node, Value):
        yield _value(node.data)
    elif isinstance(node, Text) and not isinstance(node, XmlText):
        yield _quote(node.plain)
    else:
        yield _quote(xml.render(node))


def _members(node: Map) -> Iterator[str | Node]:
    yield "{"
    separator = ""
    for key, value in node.entries.items():
        if isinstance(value, Value) and value.data is Undefined.UNDEFINED:
            continue
        yield f"{separator}{_quote(key)}:"
        yield value
        separator = ","
    yield "}"


def _value(value: Any) -> str:
    """Return a value as JSON; it is at most 64 levels deep, so this may recurse."""
    if isinstance(value, str):
        return _quote(value)
    if value is None or value is Undefined.UNDEFINED:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return xml.number(value) if math.isfinite(value) else "null"
    if isinstance(value, int):
        # Most readers of JSON would round it.
        return str(value) if abs(value) <= MAX_SAFE_INTEGER else f'"{value}"'
    if isinstance(value, bytes):
        return _quote(b64encode(value).decode())
    if isinstance(value, Subdocument):
        return f'{{"guid":{_quote(value.guid)}}}'
    if isinstance(value, list):
        return f"[{','.join(map(_value, value))}]"
    # Sorted, since pycrdt keeps them in no order: else each worker would write another file.
    written = (key for key in sorted(value) if value[key] is not Undefined.UNDEFINED)
    members = (f"{_quote(key)}:{_value(value[key])}" for key in written)
    return f"{{{','.join(members)}}}"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
