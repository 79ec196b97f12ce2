"""In which shared type, or root, and behind which key each element of a document stands.

Why: pycrdt and Yjs disagree about an element whose two neighbours stand in different places, and
pycrdt fails on one inside of what is no shared type; neither tells, and both are built over many
messages. Not for: which elements an update brings where (`placement`), what is refused (`replica`).

An element never moves, so where it stands can be noted once. Most of a client's elements stand
where the one before does; noted is where that changes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, Protocol
from zlib import crc32

from collab.core.causality import Id
from collab.core.nesting import MAX_DEPTH
from collab.core.placement import BEHIND_A_KEY, BETWEEN, BOUNDED, TYPED, Flaw, Spot, Stretch, Whereabouts

UNKNOWN: Final = 0
"""The container of garbage, and of whatever was stored before containers were noted."""

CLOCK_BITS: Final = 31
_CLOCK: Final = (1 << CLOCK_BITS) - 1

KEYS: Final = 255
"""How many keys of one type are told apart, by a hash: those that share one pass for the same."""

MANY_CONTEXTS: Final = 0xFFFF
"""From this number on a client's contexts take four bytes each, not two."""

FAR: Final = 64
"""Inside of more types than this no editor goes. How many these are is kept, so that nobody has them counted again."""

MOST_FAR: Final = 1000

Context = tuple[int | str, int]
"""Whose elements: the client of a shared type, or the name of a root; and the hash of the key, 0 without one.
A container is the number of a context, and behind it (CLOCK_BITS) the clock of the type."""


class Dead(Protocol):
    """Tells which elements are deleted. It may take long."""

    def before(self, element: Id) -> bool:
        """Whether an element is deleted already, or arrives so."""

    def soon(self, element: Id) -> bool:
        """Whether an element is deleted already, or will be by the update that is looked at."""


class Track:
    """Where the elements of one client stand: from each of `starts` on, in the container beside it."""

    __slots__ = ("contexts", "inside", "last", "parents", "right", "starts")

    def __init__(
        self,
        inside: int,
        starts: array[int] | None = None,
        parents: array[int] | None = None,
        contexts: array[int] | None = None,
    ) -> None:
        self.inside = inside
        """The context of whatever stands in this client's types, behind no key."""
        self.starts = array("I") if starts is None else starts
        self.parents = array("I") if parents is None else parents
        """Clocks of types, and in the lowest bit whether the element at the start is a type itself. What
        follows such a one stands inside of it, unless it is noted otherwise."""
        self.contexts = array("H") if contexts is None else contexts
        self.last = self._from(len(self.starts) - 1, itself=False)
        """The container of whatever comes next, unless it is noted otherwise."""
        self.right: Id | None = None
        """An element that is known to stand where the last one does."""

    def at(self, clock: int) -> int:
        """Return the container of an element."""
        at = bisect_right(self.starts, clock) - 1
        if at < 0:
            return UNKNOWN
        return self._from(at, itself=clock == self.starts[at])

    def is_type(self, clock: int) -> bool:
        at = bisect_right(self.starts, clock) - 1
        return at >= 0 and self.starts[at] == clock and bool(self.parents[at] & 1)

    def note(self, clock: int, container: int, *, typed: bool) -> None:
        """Take note of the container of an element, and of all that follow up to the next that is noted."""
        starts = self.starts
        if starts and starts[-1] >= clock:  # what was noted for whatever would come behind a type
            del starts[-1], self.parents[-1], self.contexts[-1]
            if not typed and container == self._from(len(starts) - 1, itself=False):
                self.last = container
                return
        self.last = self.inside << CLOCK_BITS | clock if typed else container
        context = container >> CLOCK_BITS
        if context > MANY_CONTEXTS and self.contexts.typecode == "H":
            self.contexts = array("I", self.contexts)
        starts.append(clock)
        self.parents.append((container & _CLOCK) << 1 | typed)
        self.contexts.append(context)

    def _from(self, at: int, *, itself: bool) -> int:
        """Return the container of the element that is noted there, or of those behind it."""
        if at < 0:
            return UNKNOWN
        parent = self.parents[at]
        if parent & 1 and not itself:
            return self.inside << CLOCK_BITS | self.starts[at]
        return self.contexts[at] << CLOCK_BITS | parent >> 1


class Containers:
    """Where each element of a document stands, and how deep its types are nested. Owned by one replica."""

    __slots__ = ("_far", "_numbers", "complete", "contexts", "deepest", "tracks")

    def __init__(self) -> None:
        self.complete = True
        """Whether only garbage is unknown; else something was stored before containers were noted."""
        self.deepest = 0
        """How deep types are nested: 0 without any, 1 in a root."""
        self.tracks: dict[int, Track] = {}
        self.contexts: list[Context] = [("", -1)]
        """By number; the first is that of the unknown."""
        self._numbers: dict[Context, int] = {}
        self._far: dict[int, int] = {}
        """Levels of containers that it takes long to count."""

    def of(self, element: Id) -> int:
        """Return the container of an element."""
        track = self.tracks.get(element[0])
        return UNKNOWN if track is None else track.at(element[1])

    def between(self, client: int, start: int, end: int) -> Iterator[int]:
        """Yield the container of each element of a client from one clock up to another, those of a stretch once."""
        track = self.tracks.get(client)
        yield UNKNOWN if track is None else track.at(start)
        if track is not None:
            yield from map(track.at, track.starts[bisect_right(track.starts, start) : bisect_left(track.starts, end)])

    def root_of(self, container: int) -> str | None:
        """Return the root that a container is in, None if nobody knows."""
        while container != UNKNOWN:
            owner = self.contexts[container >> CLOCK_BITS][0]
            if isinstance(owner, str):
                return owner
            container = self.of((owner, container & _CLOCK))
        return None

    def is_no_type(self, element: Id) -> bool:
        """Whether an element is known to be no shared type; one that is deleted may have been one."""
        track = self.tracks.get(element[0])
        return track is not None and track.at(element[1]) != UNKNOWN and not track.is_type(element[1])

    def is_behind_key(self, spot: Spot) -> bool:
        return spot[2] is not None if len(spot) == 3 else self._has_key(self.of(spot))

    def number(self, context: Context) -> int:
        """Return the number of a context; a new one, if it has none yet."""
        number = self._numbers.get(context)
        if number is None:
            number = self._numbers[context] = len(self.contexts)
            self.contexts.append(context)
        return number

    # ---- what an update would do ----

    def goes_on(self, stretches: tuple[Stretch, ...]) -> bool:
        """Whether a client goes on where it stopped, between neighbours that are known to stand together."""
        if len(stretches) != 1:
            return False
        ((client, clock, spot, other, traits),) = stretches
        track = self.tracks.get(client)
        return (
            track is not None
            and spot == (client, clock - 1)
            and (other is None or other == track.right)
            and (not traits or not (traits & TYPED or self._has_key(track.last)))
        )

    def depth_with(self, whereabouts: Whereabouts) -> int:
        """Return how deep the types of an update will be nested: 0 without any."""
        return max((depth for depth, _ in self._depths(whereabouts)), default=0)

    def _depths(self, whereabouts: Whereabouts) -> Iterator[tuple[int, Id]]:
        levels: dict[int, int] = {}
        for anchor, depth, element in whereabouts.depths:
            yield depth if anchor is None else depth + self._level(self.of(anchor), levels), element

    def flaw_in(self, whereabouts: Whereabouts, dead: Dead) -> Flaw | None:
        """Return why an update would say one thing to pycrdt and another to Yjs, if it would."""
        if whereabouts.flaw:
            return whereabouts.flaw
        for parent, (client, clock) in whereabouts.parents:
            if self.is_no_type(parent) and not dead.before(parent):
                why = f"stands inside of what is no shared type, {parent[0]} at clock {parent[1]}"
                return Flaw((client, clock), f"client {client} at clock {clock} {why}")
        for client, clock, spot, other, traits in whereabouts.stretches:
            if other is not None and not self._agree(spot, other, dead):
                return Flaw((client, clock), f"client {client} at clock {clock} {BETWEEN}")
            if traits & BOUNDED and self.is_behind_key(spot):
                return Flaw((client, clock), f"client {client} at clock {clock} {BEHIND_A_KEY}")
        return None

    def _has_key(self, container: int) -> bool:
        return self.contexts[container >> CLOCK_BITS][1] > 0

    def _agree(self, spot: Spot, other: Spot, dead: Dead) -> bool:
        here, there = self._container(spot), self._container(other)
        if here == there:
            return True
        if UNKNOWN not in (here, there):
            return False
        # Garbage beside what is none: Yjs makes garbage of what comes between, and yrs does not. It is what was
        # in a type that was deleted; so whatever is beside it is going the same way.
        known, container = (other, there) if here == UNKNOWN else (spot, here)
        parent = self._parent(known, container)
        return not self.complete or (parent is not None and dead.soon(parent))

    def _parent(self, spot: Spot, container: int) -> Id | None:
        """Return the type that something stands in, None for a root."""
        owner = spot[0] if container < 0 else self.contexts[container >> CLOCK_BITS][0]
        if isinstance(owner, str):
            return None
        return owner, spot[1] if container < 0 else container & _CLOCK

    def _container(self, spot: Spot) -> int:
        """Return the container that a spot is in; a negative number for one that nothing stands in yet."""
        if len(spot) == 2:
            return self.of(spot)
        owner, clock, key = spot
        if owner == -1:
            return UNKNOWN
        number = self._numbers.get((owner, 0 if key is None else _hash(key)))
        return -1 if number is None else number << CLOCK_BITS | clock

    def _level(self, container: int, levels: dict[int, int]) -> int:
        """Return inside of how many types whatever stands there is; `levels` has those found before."""
        outwards: list[int] = []
        while container not in levels:
            if container in self._far:
                levels[container] = self._far[container]
                break
            owner = self.contexts[container >> CLOCK_BITS][0]
            if isinstance(owner, str):
                levels[container] = self.deepest if container == UNKNOWN and not self.complete else 0
            elif len(outwards) > MAX_DEPTH:
                levels[container] = MAX_DEPTH
            else:
                outwards.append(container)
                container = self.of((owner, container & _CLOCK))
        level = levels[container]
        for container in reversed(outwards):
            level += 1
            levels[container] = level
        return level

    # ---- what it did ----

    def add(self, whereabouts: Whereabouts) -> None:
        """Take note of where the elements of an update stand, of which none was known before."""
        depths = list(self._depths(whereabouts)) if whereabouts.depths else ()
        client, track = -1, Track(0)
        for next_client, clock, spot, other, traits in whereabouts.stretches:
            if next_client != client:
                client = next_client
                track = self.tracks.get(client) or self.tracks.setdefault(client, Track(self.number((client, 0))))
            if len(spot) == 3:
                container = self._settled(spot)
            else:
                container = track.last if spot == (client, clock - 1) else self.of(spot)
            if container == UNKNOWN and other is not None:
                container = self._settled(other)
            if other is not None or container != track.last:
                track.right = other if other is not None and len(other) == 2 else None
            if traits & TYPED or container != track.last:
                track.note(clock, container, typed=bool(traits & TYPED))

        for depth, element in depths:
            self.deepest = max(self.deepest, depth)
            if depth > FAR:
                if len(self._far) >= MOST_FAR:
                    self._far.clear()
                self._far[self.of(element)] = depth - 1

    def _settled(self, spot: Spot) -> int:
        """Return the container that a spot is in, and have it."""
        if len(spot) == 2:
            return self.of(spot)
        owner, clock, key = spot
        context = owner, 0 if key is None else _hash(key)
        number = self._numbers.get(context) or (self.number(context) if owner != -1 else UNKNOWN)
        return number << CLOCK_BITS | clock


def _hash(key: str) -> int:
    return 1 + crc32(key.encode()) % KEYS
