"""What only reading all of a snapshot would tell, kept beside it: how many structs, where they stand, where emoji.

Reading takes over a microsecond for each struct, so it is done where the snapshot is made, in
another process, and opening a document unpacks a few arrays. Not for: the state vector and the
deletions, which pycrdt tells.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple
from zlib import crc32

from collab.core.inspection import read
from collab.core.layout import Layout
from collab.core.packing import pack, unpack
from collab.core.surrogates import Halves
from collab.core.wire import Reader, var_bytes, var_uint
from collab.errors import MalformedError

SLOW_MILLISECONDS: Final = 150
"""A snapshot that takes longer to integrate is let in piece by piece."""


class SurveyError(MalformedError):
    """What was kept is not what `survey` made. The snapshot itself may be sound."""


class Recollection(NamedTuple):
    """What was kept."""

    structs: int
    layout: Layout
    halves: Halves


def survey(snapshot: bytes) -> bytes:
    """Return what is to be kept with a complete state.

    How long it takes to integrate (`timed`), the number of its structs, the depth of its types; its CRC-32,
    and a zero, where once was told of depths; then the second halves of surrogate pairs, behind the number of
    clients and their ids, as arrays of 32 bits in little-endian order; last, where everything stands
    (`packing`). Those made before that was noted end before it.
    """
    inspection = read(snapshot)
    layout, halves = Layout(), Halves()
    layout.add(snapshot, inspection)
    halves.add(inspection.halves)
    return _encode(inspection.structs, layout.containers.deepest, halves, crc32(snapshot)) + pack(layout)


def timed(kept: bytes, milliseconds: float) -> bytes:
    """Return a survey that tells also how long its snapshot took to integrate."""
    return var_uint(round(milliseconds)) + kept[1:]


def is_slow(kept: bytes) -> bool:
    """Whether a snapshot takes so long that others should have a turn meanwhile."""
    try:
        return Reader(kept).var_uint() > SLOW_MILLISECONDS
    except MalformedError:
        return True  # nobody knows


def vouches_for(kept: bytes, snapshot: bytes) -> bool:
    """Whether what was kept has the checksum of a snapshot, so that this is as it was stored."""
    try:
        return _checksum(kept) == crc32(snapshot)
    except MalformedError:
        return False


def _checksum(kept: bytes) -> int:
    """Return the CRC-32 that was noted; 0 in those made before there was one."""
    reader = Reader(kept)
    for _ in range(3):
        reader.var_uint()
    return reader.var_uint()


def is_of(kept: bytes, snapshot: bytes) -> bool:
    """Whether what was kept is what is to be kept with a snapshot, but for how long that took. This may take long.

    Those that were made before there was a checksum are only read.
    """
    try:
        recall([kept])
        if _checksum(kept) == 0:
            return True
        reader = Reader(kept)
        reader.var_uint()
    except MalformedError:
        return False
    return kept[reader.position :] == survey(snapshot)[1:]


def survey_of_emoji(halves: Halves) -> bytes:
    """Return a survey that tells of a document no more than where its emoji are."""
    return _encode(0, 0, halves)


def _encode(structs: int, deepest: int, halves: Halves, checksum: int = 0) -> bytes:
    parts = [b"\x00", var_uint(structs), var_uint(deepest), var_uint(checksum), b"\x00"]
    parts.append(var_uint(len(halves.clocks)))
    for client, clocks in halves.clocks.items():
        parts += (var_uint(client), _packed(clocks))
    return b"".join(parts)


def recall(surveys: Iterable[bytes]) -> Recollection:
    """Return what was kept with the snapshots of a document, together.

    Raises:
        SurveyError: it is not what `survey` made.
    """
    try:
        return _recall(surveys)
    except MalformedError as error:
        raise SurveyError(f"what was kept with a snapshot: {error}") from error


def _recall(surveys: Iterable[bytes]) -> Recollection:
    structs, layout, halves = 0, Layout(), Halves()
    containers = layout.containers
    for kept in surveys:
        reader = Reader(kept)
        reader.var_uint()
        # Two snapshots of a document have most of their structs in common.
        structs = max(structs, reader.var_uint())
        containers.deepest = max(containers.deepest, reader.var_uint())
        _skip_depths(reader)
        halves.load({reader.var_uint(): _unpacked(reader) for _ in range(reader.var_uint())})
        if reader.position < reader.end:
            unpack(reader, layout)
        else:
            containers.complete = False
        reader.finish()
    return Recollection(structs, layout, halves)


def _skip_depths(reader: Reader) -> None:
    reader.var_uint()
    for _ in range(reader.var_uint()):
        reader.var_uint()
        reader.var_bytes()
        reader.var_bytes()


def _packed(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return var_bytes(numbers.tobytes())


def _unpacked(reader: Reader) -> array[int]:
    numbers = array("I")
    numbers.frombytes(reader.var_bytes())
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
