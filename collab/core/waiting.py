"""Updates that wait for a predecessor, outside of pycrdt (hazards P1).

Not for: telling what an update lacks (`partition`), or taking it in (`replica`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from collab.core.causality import Id
from collab.core.containers import Containers
from collab.core.expense import places_in, steps_for
from collab.core.inspection import Inspection, read
from collab.core.layout import FlawedError
from collab.core.nesting import MAX_DEPTH, check_depth
from collab.core.partition import Cut, cut, repeats
from collab.core.wire import StateVector
from collab.errors import CollabError, TooLargeError, UnavailableError

MAX_RELEASED: Final = 2_000
"""Structs that are let in update by update. More are read again and again by updates that wait for each
other all along: two of 16 KB took 20 s, one struct at a time."""

MOST_FLAWED: Final = 4
"""Updates that are left out of some that are let in together before all are: each costs reading them once more, 40 ms
for as many structs as may wait."""


@dataclass(frozen=True, slots=True)
class WaitingLimits:
    """How much may wait for its predecessors in one document."""

    updates: int = 256
    bytes: int = 1 << 20
    places: int = 2000
    """Places to insert at, each of which may cost a search when it is let in: not tried before (R14)."""
    steps: int = 5_000_000
    """What letting all of it in may take (`core.expense`)."""
    structs: int = 4_000
    """Each is read three times and more until it is let in, at 1.3 to 4 us; and pycrdt makes one value of
    those that continue one another, in quadratic time: 0.2 s for as many."""


@dataclass(frozen=True, slots=True)
class WaitingUpdate:
    """An update, and what it lacks."""

    update: bytes
    """What is left of it."""
    inspection: Inspection
    missing: frozenset[Id]
    """When any of it is there, more of the update can be integrated."""
    whole: bytes
    """As it came."""
    stored: bool = False
    """Whether it is in the log: it was let in once, and what it waits for was lost."""
    senders: set[Any] = field(default_factory=set, compare=False)
    """Whoever sent it, whatever they are to the room."""

    def less(self, parts: Cut) -> WaitingUpdate:
        """Return what is left of it behind its ready part."""
        return replace(self, update=parts.rest, inspection=read(parts.rest), missing=parts.missing)

    def is_due(self, state: StateVector) -> bool:
        """Whether more of it can be integrated now."""
        return any(state.get(client, 0) > clock for client, clock in self.missing)


class LeftOut(NamedTuple):
    """What waited, and may not be let in now that it could be."""

    inspection: Inspection
    """Of what was left of it."""
    error: CollabError
    """What speaks against it."""
    senders: set[Any]


class Parts(NamedTuple):
    """An update, cut in two."""

    ready: bytes
    """What can be integrated of it; perhaps nothing."""
    inspection: Inspection
    """Of the ready part."""
    rest: WaitingUpdate


class CrowdedError(UnavailableError):
    """There is no room for one more that has to wait, because of those that do."""


class WaitingList:
    """What waits in one document, in the order in which it came. Owned by its replica."""

    __slots__ = ("_updates",)

    def __init__(self) -> None:
        self._updates: list[WaitingUpdate] = []

    def __len__(self) -> int:
        return len(self._updates)

    def __contains__(self, update: bytes) -> bool:
        return any(waiting.update == update for waiting in self._updates)

    def __iter__(self) -> Iterator[WaitingUpdate]:
        return iter(self._updates)

    def sent_by(self, sender: object, update: WaitingUpdate) -> None:
        """Take note who sends an update, if anybody, whether it waits already or is about to."""
        if sender is None:
            return
        for waiting in (update, *self._updates):
            if waiting.update == update.update:
                waiting.senders.add(sender)

    def left(self, sender: object) -> None:
        """Forget who sent what, of somebody who has gone."""
        for waiting in self._updates:
            waiting.senders.discard(sender)

    def forget(self, which: Callable[[WaitingUpdate], bool]) -> bool:
        """Forget some of what waits, if anything; what is in the log may not be forgotten."""
        kept = [waiting for waiting in self._updates if waiting.stored or not which(waiting)]
        forgotten = len(kept) < len(self._updates)
        self._updates = kept
        return forgotten

    def add(self, waiting: WaitingUpdate) -> None:
        self._updates.append(waiting)

    def due(self, state: StateVector) -> Iterator[list[WaitingUpdate]]:
        """Remove those of which more can be integrated now; yield them in groups to be let in together.

        `state` grows meanwhile, and each may be what the next waits for.
        """
        structs = 0
        while due := [w for w in self._updates if w.is_due(state)]:
            structs += sum(w.inspection.structs for w in due)
            if structs > MAX_RELEASED:
                due, self._updates = self._updates, []
                yield due
                continue
            self._updates = [w for w in self._updates if w not in due]
            yield from ([waiting] for waiting in due)

    def cut(self, update: bytes, inspection: Inspection, known: StateVector, limits: WaitingLimits | None) -> Parts:
        """Cut an update in two. One without limits is stored.

        Raises:
            TooLargeError: so much of it has to wait that there is no room for it, as is sure before it is cut (R12).
            CrowdedError: the same, because of what waits already.
        """
        if limits:
            runs = inspection.runs
            perhaps_ready = sum(end - start for client, start, end in runs if start <= known.get(client, 0))
            # In front of each run may be a gap, which counts as a struct.
            self._check_structs(inspection.structs - perhaps_ready - len(runs), limits)
        (parts,) = cut([update], known)
        rest = WaitingUpdate(parts.rest, read(parts.rest), parts.missing, update, stored=limits is None)
        return Parts(parts.ready, read(parts.ready), rest)

    def _check_structs(self, structs: int, limits: WaitingLimits) -> None:
        others = sum(w.inspection.structs for w in self._updates)
        _check(structs, others, limits.structs, "structs")

    def check(
        self, newcomer: WaitingUpdate, limits: WaitingLimits, depth: int, structs: int, document_bytes: int
    ) -> None:
        """Raise an error if there is no room for one more (R12).

        Its document is nested `depth` levels deep, and made of about so many structs and bytes.

        Raises:
            TooLargeError: there would be none for it alone, or the document would be nested too deep.
            CrowdedError: others have taken it.
        """
        others = self._updates
        _check(1, len(others), limits.updates, "updates")
        self._check_structs(newcomer.inspection.structs, limits)
        size = sum(len(w.update) for w in others)
        _check(len(newcomer.update), size, limits.bytes, "bytes")
        _check(places_in(newcomer.inspection), sum(places_in(w.inspection) for w in others), limits.places, "places")
        document_bytes += size + len(newcomer.update)
        steps, *steps_of_others = [
            steps_for(w.inspection, w.inspection.deletes, structs, document_bytes) for w in (newcomer, *others)
        ]
        _check(steps, sum(steps_of_others), limits.steps, "steps")
        # Checked now, while there is somebody to refuse it to: it is let in together with others, or read from the log.
        if newcomer.inspection.types:
            own = depth + Containers().depth_with(newcomer.inspection.whereabouts)
            check_depth(own)
            _check(own, sum(Containers().depth_with(w.inspection.whereabouts) for w in others), MAX_DEPTH, "levels")


def _check(own: int, others: int, limit: int, unit: str) -> None:
    """Raise an error if a newcomer and the others come to more than a limit."""
    if own > limit:
        raise TooLargeError("what waits for its predecessors", own, limit, unit)
    if own + others > limit:
        raise CrowdedError(f"what waits for its predecessors in this document: {own + others} {unit}, limit {limit}")


def culprit_in(group: Sequence[WaitingUpdate], known: StateVector, error: CollabError) -> WaitingUpdate:
    """Return which of updates that are let in together is to blame: that which brings what is flawed.

    Else one that says again what is known, which may cut what must stay whole; else the largest.
    """
    if isinstance(error, FlawedError):
        element, clock = error.element
        for waiting in group:
            if any(client == element and start <= clock < end for client, start, end in waiting.inspection.runs):
                return waiting
    again = [waiting for waiting in group if repeats(waiting.inspection, known)]
    return max(again or group, key=lambda waiting: waiting.inspection.structs)
