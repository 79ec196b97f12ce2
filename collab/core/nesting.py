"""How deep the shared types of a document are nested, as an upper bound that is cheap to keep.

Why: a document nested 5,000 levels deep throws in every Yjs that reads it, and one of 12,000 ends
the process (hazards P3); the nesting may be built over many messages. Not for: values in one item,
which `values` bounds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from collab.core.causality import Id, Place, Struct
from collab.core.inspection import NestedType, Parser
from collab.errors import TooLargeError

MAX_DEPTH: Final = 1000
"""Levels of shared types in one document: far above any editor's, a fifth of where Yjs gives up."""


_NOWHERE: Final = (-1, -1)


class Nesting:
    """The depth of each nested type that was let in since the document was loaded.

    A type beside an element that is not a type itself may be anywhere, and counts as one level
    below the deepest. The bound of the document is never too low; `measure` tells
    the truth when it matters.
    """

    __slots__ = ("_depths", "_floor", "deepest")

    def __init__(self, loaded: int = 0) -> None:
        """Start with a document whose types are nested `loaded` levels deep."""
        self._floor = loaded
        self._depths: dict[Id, int] = {}
        self.deepest = loaded

    def depth_with(self, types: Iterable[NestedType]) -> int:
        """Return the bound on the depth of the document with `types` in it, without taking them."""
        return max(self._place(types, {}), default=0)

    def add(self, types: Iterable[NestedType]) -> None:
        self.deepest = max((self.deepest, *self._place(types, self._depths)))

    def _place(self, types: Iterable[NestedType], placed: dict[Id, int]) -> list[int]:
        here = {nested.id: nested for nested in types}
        deepest = self.deepest
        for nested in here.values():
            # What an update is inside of may stand behind it.
            chain = [nested]
            while (outer := here.get(chain[-1].reference or _NOWHERE)) and outer.id not in placed:
                chain.append(outer)
            for link in reversed(chain):
                placed[link.id] = depth = self._depth(link, placed, deepest)
                deepest = max(deepest, depth)
        return [placed[id] for id in here]

    def _depth(self, nested: NestedType, placed: dict[Id, int], deepest: int) -> int:
        if nested.place is Place.ROOT or nested.reference is None:
            return 1
        known = placed.get(nested.reference) or self._depths.get(nested.reference)
        if nested.place is Place.INSIDE:
            return (known or max(self._floor, 1)) + 1
        if known is None:
            # Whatever stands beside this element later is as deep, not one deeper each time.
            known = placed[nested.reference] = deepest + 1
        return known


def check_depth(depth: int) -> None:
    """Raise TooLargeError if a document would be nested too deep."""
    if depth > MAX_DEPTH:
        raise TooLargeError("nesting of shared types", depth, MAX_DEPTH, "levels")


def measure(update: bytes) -> int:
    """Return how deep the shared types of a complete state are nested: 0 without any, 1 in a root."""
    parser = Parser(update)
    parser.record = True
    types = {nested.id for nested in parser.inspection().types}
    structs: dict[int, list[Struct]] = {}
    for struct in parser.recorded:
        structs.setdefault(struct.client, []).append(struct)
    starts = {client: [struct.clock for struct in items] for client, items in structs.items()}
    levels: dict[Id, int] = {}
    """For each struct, by its first id, how many types it is inside of."""
    for struct in parser.recorded:
        chain = [struct]
        while (before := _container_of(chain[-1], structs, starts)) and (before.client, before.clock) not in levels:
            chain.append(before)
        for link in reversed(chain):
            before = _container_of(link, structs, starts)
            level = levels[before.client, before.clock] if before else 0
            levels[link.client, link.clock] = level + (link.place is Place.INSIDE)
    return max((levels[id] + 1 for id in types), default=0)


def _container_of(struct: Struct, structs: dict[int, list[Struct]], starts: dict[int, list[int]]) -> Struct | None:
    """Return the struct that this one is inside of or beside; None in a root, and in garbage."""
    if struct.place in (None, Place.ROOT):
        return None
    client, clock = struct.refs[0]
    at = bisect_right(starts.get(client, []), clock) - 1
    return structs[client][at] if at >= 0 else None
