"""Updates that wait for a predecessor, outside of pycrdt (hazards P1).

Not for: telling what an update lacks, or taking it in (`replica`).
"""

from __future__ import annotations

from dataclasses import dataclass

from collab.core.causality import Id
from collab.core.inspection import Inspection
from collab.core.nesting import Nesting, check_depth
from collab.core.wire import StateVector
from collab.errors import TooLargeError


@dataclass(frozen=True, slots=True)
class WaitingLimits:
    """How much may wait for its predecessors in one document."""

    updates: int = 256
    bytes: int = 1 << 20
    places: int = 2000
    """Places to insert at, each of which may cost a search when it is let in: not tried before (R14)."""
    steps: int = 5_000_000
    """Structs that all these searches may walk over; at 10 to 50 ns each."""


@dataclass(frozen=True, slots=True)
class WaitingUpdate:
    """An update, and the first thing that it lacks."""

    update: bytes
    """What is left of it."""
    inspection: Inspection
    missing: Id
    whole: bytes
    """As it came, and as it stands in the log."""


class WaitingList:
    """What waits in one document, in the order in which it came. Owned by its replica."""

    __slots__ = ("_updates",)

    def __init__(self) -> None:
        self._updates: list[WaitingUpdate] = []

    def __len__(self) -> int:
        return len(self._updates)

    def __contains__(self, update: bytes) -> bool:
        return any(waiting.update == update for waiting in self._updates)

    def add(self, waiting: WaitingUpdate) -> None:
        self._updates.append(waiting)

    def take_due(self, state: StateVector) -> list[WaitingUpdate]:
        """Remove and return those whose first missing element is integrated now."""
        due = [w for w in self._updates if state.get(w.missing[0], 0) > w.missing[1]]
        if due:
            self._updates = [w for w in self._updates if w not in due]
        return due

    def check(self, newcomer: WaitingUpdate, limits: WaitingLimits, depth: int, structs: int) -> None:
        """Raise TooLargeError if there is no room for one more (R12).

        Its document is nested `depth` levels deep, and made of about so many structs.
        """
        waiting = [*self._updates, newcomer]
        if len(waiting) > limits.updates:
            raise TooLargeError("what waits for its predecessors", len(waiting), limits.updates, "updates")
        size = sum(len(w.update) for w in waiting)
        if size > limits.bytes:
            raise TooLargeError("what waits for its predecessors", size, limits.bytes)
        places = sum(w.inspection.loose for w in waiting)
        most = min(limits.places, limits.steps // max(structs, 1))
        if places > most:
            raise TooLargeError("what waits for its predecessors", places, most, "places to insert at")
        # Checked now, since nobody is left to refuse it to when it is let in, or loaded from the log.
        if newcomer.inspection.types:
            check_depth(depth + sum(Nesting().depth_with(w.inspection.stretches) for w in waiting))
