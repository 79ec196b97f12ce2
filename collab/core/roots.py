"""What the first element of a root tells of it: nothing in a Yjs document says of which type a root is.

Not for: exports, which look at everything that stands in it (`content`).
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from collab.core.values import DELETED, EMBED, FORMAT, STRING, TYPE, XML_ELEMENT, XML_HOOK, XML_TEXT


class RootKind(Enum):
    """What a root turns out to be, as far as what stands directly in it tells."""

    UNKNOWN = "unknown"
    MAP = "map"
    TEXT = "text"
    XML = "xml"
    ARRAY = "array"


_XML_TYPES: Final = (bytes((XML_ELEMENT,)), bytes((XML_HOOK,)), bytes((XML_TEXT,)))
_KINDS: Final = {
    STRING: RootKind.TEXT,
    FORMAT: RootKind.TEXT,
    EMBED: RootKind.TEXT,
    DELETED: RootKind.UNKNOWN,
}


def kind_of(content: int, body: bytes, *, keyed: bool) -> RootKind:
    """Return what the root is that an item stands in, of such content; `body` begins as the content does."""
    if keyed:
        return RootKind.MAP
    if content == TYPE and body[:1] in _XML_TYPES:
        return RootKind.XML
    return _KINDS.get(content, RootKind.ARRAY)
