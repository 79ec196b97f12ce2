"""Where the elements of an update stand: in which shared type or root, and behind which key.

Most of an update stands beside an element of the document, which its bytes don't place; that stays
"where that one stands", and whoever knows the document resolves it (`containers`). What is left of
thousands of structs is a handful of stretches, however they refer to one another. Not for: refusing
anything; an update is read again from the log, too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from collab.core.causality import Id

Spot = tuple[int, int] | tuple[int | str, int, str | None]
"""Where something stands: two numbers name an element beside which it does, three parts a container: the
client and clock of a shared type, or the name of a root and 0; and the key behind which it stands, if any."""

NOWHERE: Final[Spot] = (-1, 0, None)
"""Garbage stands nowhere."""

TYPED: Final = 1
"""The only element of a stretch that stands there is a shared type."""
SEVERAL: Final = 2
"""Among them is a struct of several elements that is not deleted, and they may stand behind a key."""
BOUNDED: Final = 4
"""Among them is an element with a right neighbour."""

Stretch = tuple[int, int, Spot, Spot | None, int]
"""From (client id, clock) on, up to the next stretch of that client: where they stand; where the right
neighbour of the first of them does, if that may be elsewhere; what they are like (TYPED, SEVERAL, BOUNDED). What
follows a shared type stands inside of it, unless there is another stretch. Not a NamedTuple: thousands come
out of another process, and one takes it seven times as long."""


class Flaw(NamedTuple):
    """Why an update says different things to different readers."""

    element: Id
    """Which element of it does."""
    why: str


class Whereabouts(NamedTuple):
    """What is known of where the elements of an update stand. Each refers to the document only."""

    stretches: tuple[Stretch, ...] = ()
    parents: tuple[tuple[Id, Id], ...] = ()
    """Elements of the document that something is put inside of, and the first of the update that is."""
    depths: tuple[tuple[Id | None, int, Id], ...] = ()
    """How deep its shared types are nested, counted from an element of the document, or from a root: None; and
    the deepest of them."""
    flaw: Flaw | None = None


BETWEEN: Final = "stands between neighbours in different places"
BEHIND_A_KEY: Final = "stands behind a key, and in front of something"
NO_WHEREABOUTS: Final = Whereabouts()
_NOT_HERE: Final = -1
_Run = tuple[int, int, int]
_Raw = tuple[int, int, Spot, Id | None, int]


class Placement:
    """The stretches of one update, as its parser meets them: each client's together, by ascending clock."""

    __slots__ = ("_right", "_stretches")

    def __init__(self) -> None:
        self._stretches: list[_Raw] = []
        self._right: Id | None = None

    def enter(self) -> None:
        """Take note that another client follows, or the same behind a gap."""
        self._right = None

    def put(self, client: int, clock: int, spot: Spot, right: Id | None, traits: int) -> None:
        """Take note of an item, and of its right neighbour if it has a left one, too."""
        if right is not None and right == self._right and spot == (client, clock - 1):
            right = None
        elif right is not None or spot != (client, clock - 1):
            self._right = right
        if spot != (client, clock - 1) or right is not None or traits & TYPED:
            self._stretches.append((client, clock, spot, right, traits))
        elif traits:
            self._add_traits(client, clock, traits)

    def put_garbage(self, client: int, clock: int) -> None:
        """Take note of garbage."""
        self._right = None
        last = self._stretches[-1] if self._stretches else None
        if last is None or last[0] != client or last[2] != NOWHERE:
            self._stretches.append((client, clock, NOWHERE, None, 0))

    def leave(self, client: int, clock: int) -> None:
        """Take note that the update does not bring what follows: each element there stands beside itself."""
        if self._stretches and self._stretches[-1][0] == client:
            self._stretches.append((client, clock, (client, clock), None, 0))

    def whereabouts(self, dead: Sequence[_Run]) -> Whereabouts:
        """Return where everything stands; `dead` is what arrives deleted.

        Nothing may stand beside itself in a circle.
        """
        return _Resolution(self._stretches, dead).whereabouts() if self._stretches else NO_WHEREABOUTS

    def _add_traits(self, client: int, clock: int, traits: int) -> None:
        last = self._stretches[-1] if self._stretches else None
        if last is None or last[0] != client or last[2] == last[:2]:
            self._stretches.append((client, clock, (client, clock - 1), None, traits))
        elif not last[4] & traits:
            self._stretches[-1] = (*last[:4], last[4] | traits)


class _Resolution:
    """Works out where stretches stand that refer to one another."""

    def __init__(self, stretches: list[_Raw], dead: Sequence[_Run]) -> None:
        self._stretches = stretches
        self._dead: dict[int, list[_Run]] = {}
        for run in dead:
            self._dead.setdefault(run[0], []).append(run)
        self._clocks: dict[int, list[int]] = {}
        self._first: dict[int, int] = {}
        self._gaps: set[int] = set()
        for at, (client, clock, spot, _, _) in enumerate(stretches):
            self._first.setdefault(client, at)
            self._clocks.setdefault(client, []).append(clock)
            if spot == (client, clock):
                self._gaps.add(at)
        self._parents: dict[Id, Id] = {}
        self._depths: dict[Id | None, tuple[int, Id]] = {}
        self._flaw: Flaw | None = None

    def whereabouts(self) -> Whereabouts:
        spots = self._spots()
        merged: list[Stretch] = []
        behind: Stretch | None = None
        """What stands beside the last shared type, unless it is put inside of it, as is the rule."""
        for at, (client, clock, spot, right, traits) in enumerate(self._stretches):
            here, anchor, levels = spots[at]
            if behind is not None and behind[:2] != (client, clock):
                merged.append(behind)
                behind = None
            if at in self._gaps:
                continue
            if len(here) == 3 and here[2] is None:
                traits &= ~SEVERAL
            if traits & TYPED and (anchor not in self._depths or levels >= self._depths[anchor][0]):
                self._depths[anchor] = levels + 1, (client, clock)
            other = None if right is None else self._other(client, clock, here, right, spots)
            if traits & BOUNDED and len(here) == 3 and here[2] is not None:
                self._object(client, clock, BEHIND_A_KEY)
            if behind is not None:
                if other is None and not traits & TYPED and spot == (client, clock - 1, None):
                    behind = None
                    continue
                merged.append((client, clock, here, other, traits))
            else:
                last = merged[-1] if merged else None
                typed = traits & TYPED or (last and last[4] & TYPED)
                if not last or typed or last[0] != client or last[2] != here or other not in (None, last[3]):
                    merged.append((client, clock, here, other, traits))
                elif traits & ~last[4]:
                    merged[-1] = (*last[:4], last[4] | traits)
            behind = (client, clock + 1, here, None, 0) if traits & TYPED else None
        if behind is not None:
            merged.append(behind)
        depths = tuple((anchor, *deepest) for anchor, deepest in self._depths.items())
        return Whereabouts(tuple(merged), tuple(self._parents.items()), depths, self._flaw)

    def _other(
        self, client: int, clock: int, here: Spot, right: Id, spots: list[tuple[Spot, Id | None, int]]
    ) -> Spot | None:
        """Return where a right neighbour stands, unless it surely does where the left one does."""
        found = self._find(right)
        there = right if found == _NOT_HERE else spots[found][0]
        if there == here:
            return None
        if len(here) == len(there) == 3 and here != NOWHERE != there:
            self._object(client, clock, BETWEEN)
        return there

    def _spots(self) -> list[tuple[Spot, Id | None, int]]:
        """Return for each stretch where it stands, and inside of how many types more than what it is counted from."""
        places: dict[int, tuple[Spot, Id | None, int]] = {}
        for start in range(len(self._stretches)):
            chain: list[int] = []
            at = start
            # What a client's elements are inside of may stand behind them, if it is another client's.
            while at != _NOT_HERE and at not in places:
                chain.append(at)
                at = self._outer(at)
            for inner in reversed(chain):
                places[inner] = self._place(inner, None if at == _NOT_HERE else places[at])
                at = inner
        return [places[at] for at in range(len(self._stretches))]

    def _outer(self, at: int) -> int:
        """Return in which stretch the element stands that one is counted from."""
        spot = self._stretches[at][2]
        if at in self._gaps or isinstance(spot[0], str):
            return _NOT_HERE
        return self._find((spot[0], spot[1]))

    def _place(self, at: int, outer: tuple[Spot, Id | None, int] | None) -> tuple[Spot, Id | None, int]:
        client, clock, spot, _, _ = self._stretches[at]
        if len(spot) == 2:
            return outer or (spot, spot, 0)
        owner, parent_clock, _ = spot
        if isinstance(owner, str) or owner < 0:
            return spot, None, 0
        parent = owner, parent_clock
        if outer is None:
            self._parents.setdefault(parent, (client, clock))
            return spot, parent, 1
        start, traits = self._stretches[self._find(parent)][1::3]
        if not (traits & TYPED and start == parent_clock) and outer[0] != NOWHERE and not self._is_dead(parent):
            self._object(client, clock, f"stands inside of what is no shared type, {owner} at clock {parent_clock}")
        return spot, outer[1], outer[2] + 1

    def _find(self, element: Id) -> int:
        """Return in which stretch an element stands, if it is here."""
        clocks = self._clocks.get(element[0])
        if clocks is None:
            return _NOT_HERE
        before = bisect_right(clocks, element[1]) - 1
        found = self._first[element[0]] + before
        return _NOT_HERE if before < 0 or found in self._gaps else found

    def _is_dead(self, element: Id) -> bool:
        runs = self._dead.get(element[0], [])
        before = bisect_right(runs, element[1], key=itemgetter(1)) - 1
        return before >= 0 and element[1] < runs[before][2]

    def _object(self, client: int, clock: int, why: str) -> None:
        self._flaw = self._flaw or Flaw((client, clock), f"client {client} at clock {clock} {why}")
