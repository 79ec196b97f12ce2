"""Where the elements of an update stand: inside of how many shared types, and counted from what.

Of most updates that is a root, or one element of the document that somebody typed beside; so what is
left of thousands of structs is a handful of stretches, however they refer to one another. Not for:
how deep a document is (`nesting`), whose elements an update refers to without bringing them.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from collab.core.causality import Id

Stretch = tuple[int, int, Id | None, int, bool]
"""From (client id, clock) on, up to the next stretch of that client: the element that these are counted
from, None for a root; inside of how many types more than it they are; whether shared types are among
them. Not a NamedTuple: thousands come out of another process, and one takes it seven times as long."""

_NOT_HERE: Final = -1


class Placement:
    """The stretches of one update, as its parser meets them: each client's together, by ascending clock."""

    __slots__ = ("_stretches",)

    def __init__(self) -> None:
        self._stretches: list[Stretch] = []

    def begin(self, client: int, clock: int, anchor: Id | None, *, inside: bool, typed: bool) -> None:
        """Take note of an element that does not stand behind the one before it."""
        self._stretches.append((client, clock, anchor, int(inside), typed))

    def go_on_with_type(self, client: int, clock: int) -> None:
        """Take note of a shared type that stands behind the element before it."""
        last = self._stretches[-1] if self._stretches else None
        if last is None or last[0] != client or _is_gap(last):
            self._stretches.append((client, clock, (client, clock - 1), 0, True))
        elif not last[4]:
            self._stretches[-1] = (*last[:4], True)

    def leave(self, client: int, clock: int) -> None:
        """Take note that the update does not bring what follows: each element there is counted from itself."""
        if self._stretches and self._stretches[-1][0] == client:
            self._stretches.append((client, clock, (client, clock), 0, False))

    def stretches(self) -> tuple[Stretch, ...]:
        """Return them counted from roots and from what the update does not bring; neighbours that agree are one.

        Nothing may be counted from itself in a circle.
        """
        if len(self._stretches) < 2:
            return tuple(self._stretches)
        return self._merged(self._resolved())

    def _resolved(self) -> list[tuple[Id | None, int]]:
        stretches = self._stretches
        clocks: dict[int, list[int]] = {}
        first: dict[int, int] = {}
        for at, (client, clock, *_) in enumerate(stretches):
            first.setdefault(client, at)
            clocks.setdefault(client, []).append(clock)

        def outer(at: int) -> int:
            """Return in which stretch the element stands that one is counted from."""
            anchor = stretches[at][2]
            if anchor is None or anchor[0] not in clocks:
                return _NOT_HERE
            before = bisect_right(clocks[anchor[0]], anchor[1]) - 1
            found = first[anchor[0]] + before
            return _NOT_HERE if before < 0 or _is_gap(stretches[found]) else found

        places: dict[int, tuple[Id | None, int]] = {}
        for start in range(len(stretches)):
            chain: list[int] = []
            at = start
            # What a client's elements are inside of may stand behind them, if it is another client's.
            while at != _NOT_HERE and at not in places:
                chain.append(at)
                at = outer(at)
            if not chain:
                continue
            anchor, levels = (stretches[chain[-1]][2], 0) if at == _NOT_HERE else places[at]
            for at in reversed(chain):
                levels += stretches[at][3]
                places[at] = anchor, levels
        return [places[at] for at in range(len(stretches))]

    def _merged(self, places: list[tuple[Id | None, int]]) -> tuple[Stretch, ...]:
        merged: list[Stretch] = []
        for stretch, place in zip(self._stretches, places, strict=True):
            if _is_gap(stretch):
                continue
            client, clock, _, _, typed = stretch
            last = merged[-1] if merged else None
            if last is None or last[0] != client or last[2:4] != place:
                merged.append((client, clock, *place, typed))
            elif typed and not last[4]:
                merged[-1] = (*last[:4], True)
        return tuple(merged)


def _is_gap(stretch: Stretch) -> bool:
    client, clock, anchor, _, _ = stretch
    return anchor == (client, clock)
