"""The items of a Yjs state with what they hold, cut wherever another item or a deletion refers to.

Not for: their order in the document (`order`); or what may be in a state, which the gate has decided
before it got here. Source: Yjs UpdateDecoder.js, Item.js, the Content classes; lib0 decoding.js.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from collab.content.values import Subdocument, Undefined, parse, read_any
from collab.core.causality import Id
from collab.core.values import (
    ANY,
    BINARY,
    DELETED,
    DOCUMENT,
    EMBED,
    FORMAT,
    JSON,
    STRING,
    TYPE,
    XML_ELEMENT,
    XML_HOOK,
    XML_TEXT,
)
from collab.core.wire import Reader
from collab.errors import MalformedError

GC: Final = 0
_SKIP: Final = 10
_HAS_LEFT, _HAS_RIGHT, _HAS_KEY = 0x80, 0x40, 0x20


@dataclass(slots=True, eq=False)
class Branch:
    """A shared type: a root, if it has no kind, or what an item holds. `order` fills it."""

    kind: int | None = None
    name: str = ""
    """An element's or a hook's."""
    start: Item | None = None
    first: dict[str, Item] = field(default_factory=dict)
    """For each key the item that the others under it follow."""
    last: dict[str, Item] = field(default_factory=dict)
    """For each key the item that counts."""

    def items(self) -> Iterator[Item]:
        """Yield what stands in it in its order, deleted items included."""
        item = self.start
        while item is not None:
            yield item
            item = item.right

    def entries(self) -> Iterator[tuple[str, Any]]:
        """Yield each key that is set, with its value, by key."""
        for key in sorted(self.last):
            item = self.last[key]
            if not item.deleted:
                yield key, item.values()[-1]


@dataclass(slots=True, eq=False)
class Item:
    """One struct of a state, or a piece of one. Its place in the document is `order`'s to set."""

    client: int
    clock: int
    length: int
    kind: int
    content: Any
    origin_id: Id | None = None
    right_origin_id: Id | None = None
    parent: str | Id | None = None
    """A root's name or what it is inside of; None if a neighbour tells."""
    key: str | None = None
    deleted: bool = False
    branch: Branch | None = None
    origin: Item | None = None
    right_origin: Item | None = None
    right: Item | None = None

    def values(self) -> list[Any]:
        """Return what it counts as in an array: a text's characters, else each of its values."""
        if self.kind in (ANY, JSON, STRING) and self.content:
            return list(self.content)
        return [self.content if self.kind in (BINARY, EMBED, TYPE, DOCUMENT) else Undefined.UNDEFINED]


def decode(state: bytes) -> dict[int, list[Item]]:
    """Return each client's items in the order of their clocks, without what a gap separates from its first.

    Raises:
        MalformedError: the state cannot be read.
    """
    reader = Reader(state)
    clients: dict[int, list[Item]] = {}
    cuts: dict[int, list[int]] = {}
    for _ in range(reader.var_uint()):
        count = reader.var_uint()
        client = reader.var_uint()
        clients[client] = _read_client(reader, client, count, cuts)
    deletions = _read_deletions(reader)
    for client, ranges in deletions.items():
        cuts.setdefault(client, []).extend(bound for bounds in ranges for bound in bounds)
    for client, items in clients.items():
        clients[client] = items = _cut(items, sorted(cuts.get(client, ())))
        _delete(items, sorted(deletions.get(client, ())))
    return clients


def _read_client(reader: Reader, client: int, count: int, cuts: dict[int, list[int]]) -> list[Item]:
    """Return the items of one client, and add to `cuts` at which clocks others have to begin."""
    items: list[Item] = []
    clock = reader.var_uint()
    # What a gap separates from the beginning waits for its predecessor, and is not in the document yet.
    connected = clock == 0
    for _ in range(count):
        info = reader.byte()
        if info in (GC, _SKIP):
            item = Item(client, clock, reader.var_uint(), GC, None, deleted=True)
            connected = connected and info == GC
        else:
            item = _read_item(reader, info, client, clock)
            if item.origin_id is not None:
                cuts.setdefault(item.origin_id[0], []).append(item.origin_id[1] + 1)
            if item.right_origin_id is not None:
                cuts.setdefault(item.right_origin_id[0], []).append(item.right_origin_id[1])
        if item.length == 0:
            raise MalformedError(f"state at byte {reader.position}: a struct without length")
        clock += item.length
        if connected:
            items.append(item)
    return items


def _read_item(reader: Reader, info: int, client: int, clock: int) -> Item:
    origin = (reader.var_uint(), reader.var_uint()) if info & _HAS_LEFT else None
    right_origin = (reader.var_uint(), reader.var_uint()) if info & _HAS_RIGHT else None
    parent: str | Id | None = None
    key = None
    if origin is None and right_origin is None:
        parent = reader.var_string() if reader.var_uint() == 1 else (reader.var_uint(), reader.var_uint())
        key = reader.var_string() if info & _HAS_KEY else None
    kind = info & 0x1F
    read_content = _CONTENTS.get(kind)
    if read_content is None:
        raise MalformedError(f"state at byte {reader.position}: content of kind {kind}")
    content, length = read_content(reader)
    return Item(client, clock, length, kind, content, origin, right_origin, parent, key, kind == DELETED)


def _read_deletions(reader: Reader) -> dict[int, list[tuple[int, int]]]:
    deletions: dict[int, list[tuple[int, int]]] = {}
    for _ in range(reader.var_uint()):
        ranges = deletions.setdefault(reader.var_uint(), [])
        for _ in range(reader.var_uint()):
            start = reader.var_uint()
            ranges.append((start, start + reader.var_uint()))
    reader.finish()
    return deletions


# ---- cutting ----


def _cut(items: list[Item], cuts: list[int]) -> list[Item]:
    """Return `items` so that at each of the ascending `cuts` one begins."""
    result: list[Item] = []
    at = 0
    for item in items:
        end = item.clock + item.length
        inner: list[int] = []
        while at < len(cuts) and cuts[at] < end:
            if cuts[at] > item.clock and (not inner or inner[-1] != cuts[at]):
                inner.append(cuts[at])
            at += 1
        if inner:
            result += _pieces(item, inner)
        else:
            result.append(item)
    return result


def _pieces(item: Item, cuts: list[int]) -> Iterator[Item]:
    """Yield the item in pieces; each but the first stands to the right of the one before."""
    bounds = [0, *(cut - item.clock for cut in cuts), item.length]
    contents = _slices(item.content, bounds)
    for (start, end), content in zip(pairwise(bounds), contents, strict=True):
        clock = item.clock + start
        piece = Item(item.client, clock, end - start, item.kind, content, item.origin_id, item.right_origin_id)
        piece.deleted = item.deleted
        if start:
            piece.origin_id = (item.client, clock - 1)
        else:
            piece.parent, piece.key = item.parent, item.key
        yield piece


def _slices(content: Any, bounds: list[int]) -> list[Any]:
    if isinstance(content, str) and len(content) < bounds[-1]:
        # Lengths are in UTF-16 code units. A character that is cut in two becomes two U+FFFD, as in Yjs.
        units = content.encode("utf-16-le")
        return [units[2 * start : 2 * end].decode("utf-16-le", "replace") for start, end in pairwise(bounds)]
    if isinstance(content, str | list):
        return [content[start:end] for start, end in pairwise(bounds)]
    return [content] * (len(bounds) - 1)


def _delete(items: list[Item], ranges: list[tuple[int, int]]) -> None:
    """Mark what stands in one of the ascending ranges; none of them ends within an item."""
    at = 0
    reached = 0
    for item in items:
        while at < len(ranges) and ranges[at][0] <= item.clock:
            reached = max(reached, ranges[at][1])
            at += 1
        if item.clock < reached:
            item.deleted = True


# ---- what an item holds ----


def _read_string(reader: Reader) -> tuple[str, int]:
    text = reader.var_string()
    return text, len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _read_json_values(reader: Reader) -> tuple[list[Any], int]:
    texts = [reader.var_string() for _ in range(reader.var_uint())]
    return [Undefined.UNDEFINED if text == "undefined" else parse(text) for text in texts], len(texts)


def _read_values(reader: Reader) -> tuple[list[Any], int]:
    values = [read_any(reader) for _ in range(reader.var_uint())]
    return values, len(values)


def _read_type(reader: Reader) -> tuple[Branch, int]:
    kind = reader.var_uint()
    if kind > XML_TEXT:
        raise MalformedError(f"state at byte {reader.position}: a shared type of kind {kind}")
    return Branch(kind, reader.var_string() if kind in (XML_ELEMENT, XML_HOOK) else ""), 1


def _read_document(reader: Reader) -> tuple[Subdocument, int]:
    guid = reader.var_string()
    read_any(reader)
    return Subdocument(guid), 1


_CONTENTS: Final[dict[int, Callable[[Reader], tuple[Any, int]]]] = {
    DELETED: lambda reader: (None, reader.var_uint()),
    JSON: _read_json_values,
    BINARY: lambda reader: (reader.var_bytes(), 1),
    STRING: _read_string,
    EMBED: lambda reader: (parse(reader.var_string()), 1),
    FORMAT: lambda reader: ((reader.var_string(), parse(reader.var_string())), 1),
    TYPE: _read_type,
    ANY: _read_values,
    DOCUMENT: _read_document,
}
"""For each kind of content: read it, and its length in clock ticks."""
