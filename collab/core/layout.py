"""What a document is made of, as far as a reader may stumble over it: where elements stand, what must stay whole.

The gate reads updates one by one (`inspection`); here it is known what they refer to. Not for: noting
where elements stand (`containers`), taking updates in (`replica`).

What must stay whole: Yjs takes for granted that of all that stands behind a key only the last item is
not deleted. One struct may bring several elements there, and honest ones do: who undoes two deletions of
one key at once makes such a one. If it is cut, by somebody who puts something between or deletes only its
end, its first part is neither last nor deleted, and every Yjs throws when what it stands in is deleted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Final

from collab.core.causality import Id
from collab.core.containers import Containers
from collab.core.deletions import DeleteSet
from collab.core.inspection import GC, SKIP, Inspection, Parser, Run
from collab.core.nesting import check_depth
from collab.core.placement import SEVERAL, Flaw
from collab.core.values import DELETED
from collab.core.wire import MAX_CLOCK, StateVector
from collab.errors import MalformedError

_CONTENT: Final = 0x1F
_DEAD: Final = (GC, SKIP, DELETED)


class FlawedError(MalformedError):
    """An update that says different things to different readers."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.why)
        self.element = flaw.element


class Layout:
    """Owned by one replica."""

    __slots__ = ("containers", "whole")

    def __init__(self) -> None:
        self.containers = Containers()
        self.whole = DeleteSet()
        """Clocks at which a struct of several elements must not be cut: all but the first of each."""

    def add(self, update: bytes, inspection: Inspection) -> None:
        """Take note of what an update brings, of which nothing was known before."""
        whereabouts = inspection.whereabouts
        if whereabouts.stretches:
            for run in self._wholes(update, inspection):
                self.whole.add(*run)
            self.containers.add(whereabouts)

    def goes_on(self, inspection: Inspection, known: StateVector) -> bool:
        """Whether an update is typing: one client goes on where it stopped, beside what is known.

        Such a one lacks nothing and has no flaw.
        """
        if inspection.deletes or inspection.halves or len(inspection.runs) != 1:
            return False
        stretches = inspection.whereabouts.stretches
        if (stretches or inspection.cuts) and (self.whole or (stretches and not self.containers.goes_on(stretches))):
            return False
        client, start, _ = inspection.runs[0]
        if start != known.get(client, 0):
            return False
        for other, clock in inspection.needs:  # noqa: SIM110 - a generator costs more than the rest of this
            if clock >= known.get(other, 0):
                return False
        return True

    def check_depth(self, inspection: Inspection) -> None:
        """Raise TooLargeError if an update nests shared types too deep."""
        check_depth(self.containers.depth_with(inspection.whereabouts))

    def check(self, update: bytes, inspection: Inspection, deletions: Callable[[], DeleteSet]) -> None:
        """Make sure that an update that may be integrated says the same to all readers.

        What is deleted is asked for only if it matters. What integrating something has deleted since it was last
        read, such as an overwritten key, need not be in it.

        Raises:
            FlawedError: it does not.
        """
        if inspection.whereabouts.stretches or self.whole:
            check_flaw(self.containers.flaw_in(inspection.whereabouts, _Dead(inspection, deletions)))
            self._check_cuts(inspection, self._wholes(update, inspection))

    def graves(self, inspection: Inspection, deletions: Callable[[], DeleteSet] | None) -> set[Id]:
        """Return the deleted elements that are no shared types and that an update puts something inside of (R25).

        Without `deletions` any that are no shared types: whoever let that in knew that they are deleted.
        """
        return {
            parent
            for parent, _ in inspection.whereabouts.parents
            if self.containers.is_no_type(parent) and (deletions is None or deletions().covers(*parent, parent[1] + 1))
        }

    def _wholes(self, update: bytes, inspection: Inspection) -> list[Run]:
        """Return where the structs of an update must not be cut that it puts behind keys, not deleted."""
        stretches = inspection.whereabouts.stretches
        keyed: dict[int, list[tuple[int, int]]] = {}
        for at in [at for at, stretch in enumerate(stretches) if stretch[4] & SEVERAL]:
            client, clock, spot, _, _ = stretches[at]
            if self.containers.is_behind_key(spot):
                following = stretches[at + 1 : at + 2]
                end = following[0][1] if following and following[0][0] == client else MAX_CLOCK
                keyed.setdefault(client, []).append((clock, end))
        if not keyed:
            return []
        deleted = _set_of(inspection.deletes)
        parser = Parser(update)
        parser.record = True
        parser.parse()
        wholes: list[Run] = []
        for struct in parser.recorded:
            client, clock, end = struct[:3]
            if end - clock < 2 or client not in keyed or update[struct.begin_byte] & _CONTENT in _DEAD:
                continue
            before = bisect_right(keyed[client], clock, key=itemgetter(0)) - 1
            if before >= 0 and clock < keyed[client][before][1] and not deleted.covers(client, clock, end):
                wholes.append((client, clock + 1, end))
        return wholes

    def _check_cuts(self, inspection: Inspection, own: list[Run]) -> None:
        if not own and not self.whole:
            return
        new = _set_of(own)
        for client, clock in (*inspection.cuts, *(run[:2] for run in inspection.deletes)):
            here = client, clock, clock + 1
            if self.whole.covers(*here) or new.covers(*here):
                raise FlawedError(Flaw((client, clock), f"what client {client} put behind a key is cut at {clock}"))


def check_flaw(flaw: Flaw | None) -> None:
    """Raise FlawedError if there is one."""
    if flaw:
        raise FlawedError(flaw)


class _Dead:
    """Tells which elements are deleted; works it out once somebody asks."""

    __slots__ = ("_arriving", "_deletions", "_inspection", "_soon")

    def __init__(self, inspection: Inspection, deletions: Callable[[], DeleteSet]) -> None:
        self._inspection = inspection
        self._deletions = deletions
        self._arriving: DeleteSet | None = None
        self._soon: DeleteSet | None = None

    def before(self, element: Id) -> bool:
        """Whether an element is deleted already, or arrives so."""
        if self._deletions().covers(*element, element[1] + 1):
            return True
        if self._arriving is None:
            self._arriving = _set_of(self._inspection.dead)
        return self._arriving.covers(*element, element[1] + 1)

    def soon(self, element: Id) -> bool:
        """Whether an element is deleted already, or will be by the update."""
        if self._soon is None:
            self._soon = _set_of(self._inspection.deletes)
        return self._soon.covers(*element, element[1] + 1) or self.before(element)


def _set_of(runs: Iterable[Run]) -> DeleteSet:
    ranges = DeleteSet()
    for run in runs:
        ranges.add(*run)
    return ranges
