"""In which roots of a document an update changes something: what a commenter's may do is up to that.

Not for: who may change which (`room`), or where elements of the document stand (`containers`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from operator import itemgetter

from collab.core.causality import Id
from collab.core.containers import Containers
from collab.core.deletions import DeleteSet
from collab.core.inspection import Inspection
from collab.core.placement import NOWHERE, Spot, Stretch
from collab.core.wire import StateVector


def roots_changed(
    inspection: Inspection, containers: Containers, state: StateVector, deleted: DeleteSet
) -> Iterator[str | None]:
    """Yield the root of each thing that an update puts somewhere, or deletes that was not; None where nobody knows.

    All that it depends on is in the document. What it brings as garbage stands nowhere, and changes nothing.
    """
    update = _Update(inspection, containers, state)
    for client, start, end in inspection.runs:
        if end > state.get(client, 0):
            yield from update.roots_of_run(client, max(start, state.get(client, 0)))
    for client, start, end in inspection.deletes:
        for first, last in deleted.gaps(client, start, min(end, state.get(client, 0))):
            yield from map(containers.root_of, containers.between(client, first, last))


class _Update:
    """What one update brings, and where that stands."""

    def __init__(self, inspection: Inspection, containers: Containers, state: StateVector) -> None:
        self._containers = containers
        self._state = state
        self._stretches: dict[int, list[Stretch]] = {}
        for stretch in inspection.whereabouts.stretches:
            self._stretches.setdefault(stretch[0], []).append(stretch)

    def roots_of_run(self, client: int, start: int) -> Iterator[str | None]:
        stretches = [each for each in self._stretches.get(client, ()) if each[1] >= start]
        if not stretches or stretches[0][1] > start:
            yield self._root_of((client, start))
        for _, _, spot, _, _ in stretches:
            if spot != NOWHERE:
                yield self._root_at(spot)

    def _root_of(self, element: Id) -> str | None:
        client, clock = element
        if clock < self._state.get(client, 0):
            return self._containers.root_of(self._containers.of(element))
        stretches = self._stretches.get(client, [])
        at = bisect_right(stretches, clock, key=itemgetter(1)) - 1
        # Without a stretch of its own it goes on where the document has that client's last element.
        return self._root_at(stretches[at][2] if at >= 0 else (client, self._state.get(client, 0) - 1))

    def _root_at(self, spot: Spot) -> str | None:
        if spot == NOWHERE:
            return None
        owner = spot[0]
        # The gate has seen to it that nothing refers to itself, however far around.
        return owner if isinstance(owner, str) else self._root_of((owner, spot[1]))
