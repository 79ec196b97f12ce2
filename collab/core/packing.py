"""Where the elements of a document stand, as bytes beside its snapshot.

Not for: what they mean (`layout`). Neighbours in a document resemble each other, so columns of small
differences are written byte by byte, the lowest of all first, and compressed: 20,000 paragraphs of
rich text take 0.3 to 2 bytes for each struct, and are unpacked in 10 ms.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Final

from collab.core.containers import MANY_CONTEXTS, Context, Track
from collab.core.layout import Layout
from collab.core.wire import Reader, var_bytes, var_string, var_uint
from collab.errors import MalformedError

LEVEL: Final = 6
"""Of zlib: the ninth takes thrice as long for a tenth less."""

_WIDTH: Final = 4
_MASK: Final = (1 << 8 * _WIDTH) - 1


def pack(layout: Layout) -> bytes:
    """Return where everything stands, and what must stay whole.

    Compressed by zlib: the number of contexts, and for each the hash of its key and its client or, behind
    a 0, the name of its root; the number of clients, and for each its id and three columns of `Track`,
    written as differences; last the number of clients with what must stay whole, and for each how many
    ranges, and where they begin and end.
    """
    containers = layout.containers
    parts = [var_uint(len(containers.contexts) - 1)]
    for owner, key in containers.contexts[1:]:
        parts.append(var_uint(key))
        parts.append(b"\x00" + var_string(owner) if isinstance(owner, str) else b"\x01" + var_uint(owner))
    tracks = [(client, track) for client, track in containers.tracks.items() if track.starts]
    parts.append(var_uint(len(tracks)))
    for client, track in tracks:
        starts = (after - before for before, after in pairwise((0, *track.starts)))
        parents = _shifted(track.parents, track.starts, track.contexts, track.inside, -2)
        parts += (var_uint(client), _column(starts), _column(track.contexts), _column(parents))
    wholes = list(layout.whole.ranges())
    parts.append(var_uint(len(wholes)))
    for client, ranges in wholes:
        parts += (var_uint(client), var_uint(len(ranges)))
        parts += (var_uint(clock) for bounds in ranges for clock in bounds)
    return var_bytes(zlib.compress(b"".join(parts), LEVEL))


def unpack(reader: Reader, layout: Layout) -> None:
    """Add to a layout what `pack` made of one.

    Of two snapshots of a document one may hold more of a client's elements than the other; what both
    hold stands in both at the same place.

    Raises:
        MalformedError: it is not what `pack` made.
    """
    try:
        _unpack(Reader(zlib.decompress(reader.var_bytes())), layout)
    except (zlib.error, IndexError, OverflowError) as error:
        raise MalformedError(f"a survey that cannot be unpacked: {error}") from error


def _unpack(reader: Reader, layout: Layout) -> None:
    containers = layout.containers
    numbers = array("I", (0, *(containers.number(_context(reader)) for _ in range(reader.var_uint()))))
    same = numbers[-1] == len(numbers) - 1
    for _ in range(reader.var_uint()):
        client = reader.var_uint()
        inside = containers.number((client, 0))
        starts = array("I", accumulate(_numbers(reader)))
        contexts = _numbers(reader)
        if not same:
            contexts = array("I", map(numbers.__getitem__, contexts))
        shifted = _numbers(reader)
        if not 0 < len(starts) == len(shifted) == len(contexts):
            raise MalformedError("a survey whose columns differ in length")
        parents = array("I", _shifted(shifted, starts, contexts, inside, 2))
        if max(contexts) <= MANY_CONTEXTS:
            contexts = array("H", contexts)
        known = containers.tracks.get(client)
        if known is None or known.starts[-1] < starts[-1]:
            containers.tracks[client] = Track(inside, starts, parents, contexts)
    for _ in range(reader.var_uint()):
        client = reader.var_uint()
        for _ in range(reader.var_uint()):
            layout.whole.add(client, reader.var_uint(), reader.var_uint())
    reader.finish()


def _shifted(parents: Iterable[int], starts: Iterable[int], contexts: Iterable[int], inside: int, by: int) -> list[int]:
    """Return parents of a client's own as counted from their children: mostly it has just made them."""
    columns = zip(parents, starts, contexts, strict=True)
    return [(parent + by * start) & _MASK if context == inside else parent for parent, start, context in columns]


def _context(reader: Reader) -> Context:
    key = reader.var_uint()
    return (reader.var_uint() if reader.byte() else reader.var_string()), key


def _column(numbers: Iterable[int]) -> bytes:
    raw = array("I", numbers)
    if sys.byteorder == "big":
        raw.byteswap()
    data = raw.tobytes()
    return var_bytes(b"".join(data[at::_WIDTH] for at in range(_WIDTH)))


def _numbers(reader: Reader) -> array[int]:
    planes = reader.var_bytes()
    count = len(planes) // _WIDTH
    data = bytearray(_WIDTH * count)
    for at in range(_WIDTH):
        data[at::_WIDTH] = planes[at * count : (at + 1) * count]
    numbers = array("I", bytes(data))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
