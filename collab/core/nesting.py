"""How deep the shared types of a document are nested.

Why: a document nested 5,000 levels deep throws in every Yjs that reads it, and one of 12,000 ends
the process (hazards P3); the nesting may be built over many messages. Not for: values in one item,
which `values` bounds.

An element never moves to another type, so inside of how many types it is can be noted once. Most of
a client's elements are at the level of the one before; noted is where that changes, and of what was
loaded only what is deeper than any editor goes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Final

from collab.core.causality import Id
from collab.core.placement import Stretch
from collab.core.wire import StateVector
from collab.errors import TooLargeError

MAX_DEPTH: Final = 1000
"""Levels of shared types in one document: far above any editor's, a fifth of where Yjs gives up."""

SHALLOW: Final = 64
"""Levels up to which elements of a snapshot are not told apart: each counts as being at the deepest of
them. Ten lists in one another take 20 to 30."""

_MAX_LEVEL: Final = 2**16 - 1


class Levels:
    """At which levels the elements of one client are: from each of `starts` on, at the level beside it."""

    __slots__ = ("levels", "starts")

    def __init__(self, starts: array[int] | None = None, levels: array[int] | None = None) -> None:
        self.starts = array("I") if starts is None else starts
        self.levels = array("H") if levels is None else levels

    def append(self, start: int, level: int, before: int) -> None:
        """Take note of a level, unless it is that of what comes before; without any that is `before`."""
        if self.starts and self.starts[-1] == start:
            self.levels[-1] = level
        elif level != (self.levels[-1] if self.levels else before):
            self.starts.append(start)
            self.levels.append(level)


class Nesting:
    """At which level each element of a document is: inside of how many types. Owned by one replica.

    Never too low; too high by at most SHALLOW, and that only below what was loaded.
    """

    __slots__ = ("_clients", "_floor", "deepest")

    def __init__(self) -> None:
        self.deepest = 0
        """How deep types are nested: 0 without any, 1 in a root."""
        self._floor = 0
        """The level of whatever nothing is noted of."""
        self._clients: dict[int, Levels] = {}

    def depth_with(self, stretches: Iterable[Stretch]) -> int:
        """Return how deep the types among `stretches` will be nested: 0 without any."""
        return max((self._level(anchor) + levels + 1 for _, _, anchor, levels, typed in stretches if typed), default=0)

    def add(self, stretches: Iterable[Stretch], known: StateVector) -> None:
        """Take note of where elements stand; of those that were `known` before it is noted already."""
        for client, clock, anchor, levels, typed in stretches:
            level = self._level(anchor) + levels
            end = known.get(client, 0)
            if clock < end:
                # The rest of a struct that is known in part, which says again where it stands.
                clock, level = end, max(level, self._level((client, end - 1)))
            self._note(client, clock, min(level, _MAX_LEVEL))
            if typed and level >= self.deepest:
                self.deepest = level + 1

    def _level(self, element: Id | None) -> int:
        if element is None:
            return 0
        noted = self._clients.get(element[0])
        at = bisect_right(noted.starts, element[1]) - 1 if noted else -1
        return noted.levels[at] if noted and at >= 0 else self._floor

    def _note(self, client: int, clock: int, level: int) -> None:
        noted = self._clients.get(client)
        if noted is not None:
            noted.append(clock, level, self._floor)
        elif level != self._floor:
            noted = self._clients[client] = Levels()
            noted.append(clock, level, self._floor)

    # ---- of a snapshot ----

    @property
    def floor(self) -> int:
        """The level that everything counts as being at of which `deep` does not tell."""
        return max((level for noted in self._clients.values() for level in noted.levels if level <= SHALLOW), default=0)

    def deep(self) -> dict[int, Levels]:
        """Return the levels of what is deeper than SHALLOW, and where `floor` begins again; mostly there is none."""
        floor = self.floor
        deep: dict[int, Levels] = {}
        for client, noted in self._clients.items():
            told = Levels()
            for start, level in zip(noted.starts, noted.levels, strict=True):
                told.append(start, level if level > SHALLOW else floor, floor)
            if told.starts:
                deep[client] = told
        return deep

    def load(self, deepest: int, floor: int, deep: Mapping[int, Levels]) -> None:
        """Take over what was kept of a snapshot, or of one more.

        Of two snapshots of a document one may hold more of a client's elements than the other; what
        both hold is at the same level in both.
        """
        self.deepest = max(self.deepest, deepest)
        self._floor = max(self._floor, floor)
        for client, levels in deep.items():
            noted = self._clients.get(client)
            if noted is None or noted.starts[-1] < levels.starts[-1]:
                self._clients[client] = levels
        if floor != self._floor or len(self._clients) > len(deep):
            for noted in self._clients.values():
                noted.levels = array("H", (max(level, self._floor) for level in noted.levels))


def check_depth(depth: int) -> None:
    """Raise TooLargeError if a document would be nested too deep."""
    if depth > MAX_DEPTH:
        raise TooLargeError("nesting of shared types", depth, MAX_DEPTH, "levels")
