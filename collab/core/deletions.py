"""What is known to be deleted: for each client, disjoint ranges of clocks.

Not for: the encoding (`wire.encode_delete_set`). A state vector doesn't tell deletions, so a room
that wants to know whether an update brings anything new has to keep them (rule R5).
"""

from __future__ import annotations

import operator
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from hashlib import sha256
from itertools import chain

from collab.core.wire import Reader, var_bytes, var_uint


class DeleteSet:
    """A set of (client, clock), kept as ranges. Owned by one replica."""

    __slots__ = ("_bounds",)

    def __init__(self) -> None:
        # start, end, start, end, ...: ascending, so an odd insertion point lies inside a range.
        self._bounds: dict[int, array[int]] = {}

    @classmethod
    def read(cls, reader: Reader) -> DeleteSet:
        """Return the delete set at this place of bytes that can be trusted."""
        deleted = cls()
        for _ in range(reader.var_uint()):
            client = reader.var_uint()
            numbers = reader.var_uints(2 * reader.var_uint())
            starts = numbers[::2]
            ends = list(map(operator.add, starts, numbers[1::2]))
            if starts and all(map(operator.lt, ends, starts[1:])) and client not in deleted._bounds:
                deleted._bounds[client] = array("I", chain.from_iterable(zip(starts, ends, strict=True)))
                continue
            for start, end in zip(starts, ends, strict=True):
                deleted.add(client, start, end)
        return deleted

    def __bool__(self) -> bool:
        return bool(self._bounds)

    def add(self, client: int, start: int, end: int) -> None:
        """Add the clocks from `start` up to but without `end`."""
        bounds = self._bounds.get(client)
        if bounds is None:
            self._bounds[client] = array("I", (start, end))
            return
        first = bisect_left(bounds, start)
        last = bisect_right(bounds, end)
        bounds[first:last] = array("I", ([] if first & 1 else [start]) + ([] if last & 1 else [end]))

    def covers(self, client: int, start: int, end: int) -> bool:
        """Whether all of these clocks are in the set."""
        bounds = self._bounds.get(client)
        if bounds is None:
            return False
        after = bisect_right(bounds, start)
        return bool(after & 1) and end <= bounds[after]

    def gaps(self, client: int, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges within these clocks that are not in the set."""
        bounds = self._bounds.get(client, ())
        while start < end:
            after = bisect_right(bounds, start)
            until = bounds[after] if after < len(bounds) else end
            if not after & 1:
                yield start, min(until, end)
            start = until

    def digest(self) -> bytes:
        """Return a hash that equal sets have in common, on machines of one kind."""
        digest = sha256()
        for client in sorted(self._bounds):
            digest.update(var_uint(client) + var_bytes(self._bounds[client].tobytes()))
        return digest.digest()

    def ranges(self) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Yield each client with its ascending (start, end) ranges."""
        for client, bounds in self._bounds.items():
            yield client, list(zip(bounds[::2], bounds[1::2], strict=True))
