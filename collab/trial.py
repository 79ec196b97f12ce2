"""Try an update on a copy of its document, in a process that may die of it.

Why: pycrdt holds the interpreter while it integrates, and some updates take it seconds, or the
process with it (hazards P3, P4, P7); and reading a large one takes Python as long. Not for: the
decision to try (`core.room`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from collab.core.burial import bury
from collab.core.causality import Id
from collab.core.connection import Trial, Tried
from collab.core.inspection import Inspection, read
from collab.core.merging import BrokenReplicaError
from collab.core.replica import Replica
from collab.core.waiting import WaitingLimits
from collab.errors import CollabError, MalformedError, TooLargeError
from collab.sandbox import OverspentError, Sandbox, WorkerCrashError, limit_cpu

MAX_MILLISECONDS: Final = 200.0
"""What one update may cost the loop. Everybody on this worker waits for that long."""

PREPARATION_SECONDS: Final = 3.0
"""Of CPU, to load the document and to read the update: twice what an honest one takes that is just cheap
enough to integrate (200,000 structs)."""

INTEGRATION_SECONDS: Final = 0.5
"""Of CPU, after which it is sure that the update is too dear: others wait for this process."""

MAX_FACTS: Final = 150_000
"""What the loop is told of one update: each takes it about a microsecond to be told, to look up and to note. A
document of 30,000 paragraphs, which somebody brings as a whole, is 127,502 of them: 37 and 147 ms, pycrdt's part
included."""


async def carry_out(trial: Trial, sandbox: Sandbox) -> Tried | CollabError:
    """Return an update that may be taken, or what speaks against it."""
    what = trial.state, trial.survey, trial.update, trial.waiting, trial.graves
    try:
        tried, milliseconds = await sandbox.run(attempt, *what)
    except OverspentError:
        return overspent(MAX_MILLISECONDS)
    except (WorkerCrashError, BrokenReplicaError) as error:
        return MalformedError(f"an update that cannot be integrated ({error})")
    except CollabError as error:
        return error
    if milliseconds > MAX_MILLISECONDS:
        return TooLargeError("cost of one update", round(milliseconds), MAX_MILLISECONDS, "ms")
    return tried


def overspent(most_milliseconds: float) -> TooLargeError:
    """Return what speaks against an update whose trial was ended by one of these limits."""
    return TooLargeError("cost of one update", INTEGRATION_SECONDS * 1000, most_milliseconds, "ms or more")


def attempt(
    state: bytes, survey: bytes, update: bytes, limits: WaitingLimits, graves: frozenset[Id] = frozenset()
) -> tuple[Tried, float]:
    """Return what the room needs to take `update`, and how many milliseconds that will take it.

    What stands inside of `graves` is garbage (`core.burial`), which only the room knows.

    Raises:
        MalformedError, TooLargeError, BrokenReplicaError: it may not be taken.
    """
    limit_cpu(PREPARATION_SECONDS)
    replica = Replica.load([state], [], [survey], limits)
    update, inspection = replica.trim(update, read(update))
    if graves:
        update, inspection = bury(update, graves, replica.state)
    tried = Tried(update, inspection, replica.parts(update, inspection))
    facts = sum(map(_facts, _inspections_of(tried)))
    if facts > MAX_FACTS:
        raise TooLargeError("runs, ranges and places in one update", facts, MAX_FACTS, "of them")
    replica.knows(inspection)  # the room knows already what is deleted
    limit_cpu(INTEGRATION_SECONDS)
    started = time.process_time()
    replica.admit(*tried)
    replica.commit()
    milliseconds = (time.process_time() - started) * 1000
    limit_cpu(PREPARATION_SECONDS)
    replica.full_state()
    return tried, milliseconds


def _inspections_of(tried: Tried) -> Iterator[Inspection]:
    yield tried.inspection
    if tried.parts is not None:
        yield tried.parts.inspection
        yield tried.parts.rest.inspection


def _facts(inspection: Inspection) -> int:
    """Return how many things an inspection tells; cuts, which matter only where there are emoji, count a quarter."""
    told = (
        inspection.runs,
        inspection.needs,
        inspection.deletes,
        inspection.dead,
        inspection.whereabouts.stretches,
        inspection.whereabouts.parents,
        inspection.whereabouts.depths,
        inspection.roots,
        inspection.halves,
    )
    return sum(map(len, told)) + len(inspection.cuts) // 4
