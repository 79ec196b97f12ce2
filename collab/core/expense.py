"""What an update may cost to integrate, guessed from above before it is tried.

Not for: refusing it. What may be dear is tried in another process, and its cost measured (R14).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from collab.core.inspection import Inspection, Run
from collab.core.surrogates import Halves

STEPS_AT_A_STRETCH: Final = 2_000_000
"""What nobody else has a turn for, up to 100 ms. A step, walking over one struct, takes 10 to 50 ns."""

BYTES_A_STEP: Final = 32
"""Of the text in which a place is looked for: 1.6 ns each, up to that place."""

MOVED_STRUCTS_A_STEP: Final = 100
MOVED_BYTES_A_STEP: Final = 500
"""By a deletion that splits what it deletes a part of: 0.5 ns a struct, 0.1 ns a byte. Deletions come in
ascending order, so each is found from where the last one ended."""

MERGED_STRUCTS_A_STEP: Final = 500
"""Neighbours that are deleted become one, and each time what stands behind them moves: 0.1 ns a struct."""

TORN_STEPS: Final = 50
"""For each struct of a document in which an emoji is cut in two: all of it is read, and made again."""

COMPARED_IN_A_STEP: Final = 4
"""Squared: a document that is made again compares all structs that stand at one place, at 14 ns."""

STRUCTS_MERGED_IN_A_STEP: Final = 7
"""Squared: values that continue one another are put together from the last to the first, 7 ns for each of
each that comes behind it."""

STEPS_AT_ONCE: Final = 8_192
"""A deletion counts once for each of these in its transaction, which takes in 256: 100 ms at its end."""

SMALLEST_STRUCT_BYTES: Final = 5
"""Of those that stay by themselves: neighbours of the same kind become one."""


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """What goes beyond one of these is tried first."""

    update_bytes: int = 64 * 1024
    places: int = 64
    """To insert at: 2,000 in 12 KB stalled the loop for 1.8 s."""
    structs: int = 2_000
    """Values that continue one another become one, in quadratic time: 3,900 in 23 KB take 0.2 s. And if
    they have to be cut, each is read three times, at 1.3 to 4 us."""
    steps: int = STEPS_AT_A_STRETCH
    attempts: int = 3
    """How often an update is tried of which something comes from elsewhere meanwhile."""


class Measured(Protocol):
    """What a replica tells of its document."""

    structs: int
    size_bytes: int
    halves: Halves

    def full_state(self) -> bytes:
        """Return all of it; afterwards the figures above are right."""

    def knows(self, inspection: Inspection) -> bool: ...

    def new_deletions(self, inspection: Inspection) -> Sequence[Run]: ...


def is_dear(inspection: Inspection, document: Measured, limits: TrialLimits) -> bool:
    """Whether integrating an update may take so long that it must be tried first."""
    making = document.structs * TORN_STEPS + document.structs**2 // COMPARED_IN_A_STEP
    torn = making > limits.steps and document.halves.are_cut_by(inspection)
    if not torn and inspection.structs <= limits.structs and places_in(inspection) <= limits.places:
        if steps_for(inspection, inspection.deletes, document.structs, document.size_bytes) <= limits.steps:
            return False
        # Once more, with figures that take a while to get.
        document.full_state()
        news = document.new_deletions(inspection)
        if steps_for(inspection, news, document.structs, document.size_bytes) <= limits.steps:
            return False
    return not document.knows(inspection)


def places_in(inspection: Inspection) -> int:
    """Return at how many places an update inserts, each of which has to be looked for."""
    # Where a client goes on is found at once, if it is the only one.
    return inspection.loose + max(len(inspection.runs) - 1, 0)


def steps_for(inspection: Inspection, deletions: Sequence[Run], structs: int, size_bytes: int) -> int:
    """Return how many steps an update may take of which these deletions are news.

    Its document has about so many structs and bytes, all of which may stand in one place, or in one text.
    """
    steps = places_in(inspection) * (structs + size_bytes // BYTES_A_STEP)
    if deletions:
        merged = min(structs, sum(end - start for _, start, end in deletions))
        steps += len(deletions) * (structs // MOVED_STRUCTS_A_STEP + size_bytes // MOVED_BYTES_A_STEP)
        steps += merged * structs // MERGED_STRUCTS_A_STEP
    return steps


def steps_to_load(inspection: Inspection, structs: int, size_bytes: int) -> int:
    """Return how many steps rows of a log may take that come into a document of that size together."""
    merging = inspection.structs**2 // STRUCTS_MERGED_IN_A_STEP
    return merging + steps_for(inspection, inspection.deletes, structs, size_bytes)


def weight_of_deletions(inspection: Inspection, structs: int, size_bytes: int) -> int:
    """Return for how many keystrokes an update with deletions counts in its transaction."""
    return steps_for(inspection, inspection.deletes, structs, size_bytes) // STEPS_AT_ONCE
