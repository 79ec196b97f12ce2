"""What only reading all of a snapshot would tell, kept beside it: how many structs, how deep types, where emoji.

Reading takes over a microsecond for each struct, so it is done where the snapshot is made, in
another process, and opening a document copies a few arrays. Not for: the state vector and the
deletions, which pycrdt tells.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple

from collab.core.inspection import read
from collab.core.nesting import Levels, Nesting
from collab.core.surrogates import Halves
from collab.core.wire import Reader, var_bytes, var_uint

SLOW_MILLISECONDS: Final = 150
"""A snapshot that takes longer to integrate is let in piece by piece."""


class Recollection(NamedTuple):
    """What was kept."""

    structs: int
    nesting: Nesting
    halves: Halves


def survey(snapshot: bytes) -> bytes:
    """Return what is to be kept with a complete state; six to eight bytes, if editors made it and there is no emoji.

    How long it takes to integrate (`timed`), the number of its structs, the depth of its types, what
    counts as the level of most elements (`Nesting.floor`); then, each behind the number of clients and
    their ids, the levels that are deeper and the second halves of surrogate pairs, as arrays of 32 and
    16 bits in little-endian order.
    """
    inspection = read(snapshot)
    nesting, halves = Nesting(), Halves()
    nesting.add(inspection.stretches, {})
    halves.add(inspection.halves)
    return _encode(inspection.structs, nesting, halves)


def timed(kept: bytes, milliseconds: float) -> bytes:
    """Return a survey that tells also how long its snapshot took to integrate."""
    return var_uint(round(milliseconds)) + kept[1:]


def is_slow(kept: bytes) -> bool:
    """Whether a snapshot takes so long that others should have a turn meanwhile."""
    return Reader(kept).var_uint() > SLOW_MILLISECONDS


def survey_of_emoji(halves: Halves) -> bytes:
    """Return a survey that tells of a document no more than where its emoji are."""
    return _encode(0, Nesting(), halves)


def _encode(structs: int, nesting: Nesting, halves: Halves) -> bytes:
    deep = nesting.deep()
    parts = [b"\x00", var_uint(structs), var_uint(nesting.deepest), var_uint(nesting.floor), var_uint(len(deep))]
    for client, noted in deep.items():
        parts += (var_uint(client), _packed(noted.starts), _packed(noted.levels))
    parts.append(var_uint(len(halves.clocks)))
    for client, clocks in halves.clocks.items():
        parts += (var_uint(client), _packed(clocks))
    return b"".join(parts)


def recall(surveys: Iterable[bytes]) -> Recollection:
    """Return what was kept with the snapshots of a document, together.

    Raises:
        MalformedError: it is not what `survey` made.
    """
    structs, nesting, halves = 0, Nesting(), Halves()
    for kept in surveys:
        reader = Reader(kept)
        reader.var_uint()
        # Two snapshots of a document have most of their structs in common.
        structs = max(structs, reader.var_uint())
        deepest, floor = reader.var_uint(), reader.var_uint()
        deep = {}
        for _ in range(reader.var_uint()):
            client = reader.var_uint()
            deep[client] = Levels(_unpacked("I", reader), _unpacked("H", reader))
        nesting.load(deepest, floor, deep)
        halves.load({reader.var_uint(): _unpacked("I", reader) for _ in range(reader.var_uint())})
        reader.finish()
    return Recollection(structs, nesting, halves)


def _packed(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return var_bytes(numbers.tobytes())


def _unpacked(kind: str, reader: Reader) -> array[int]:
    numbers = array(kind)
    numbers.frombytes(reader.var_bytes())
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
