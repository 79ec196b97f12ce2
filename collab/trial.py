"""Try an update on a copy of its document, in a process that may die of it.

Why: pycrdt holds the interpreter while it integrates, and some updates take it seconds, or the
process with it (hazards P3, P4, P7). Not for: the decision to try (`core.room`).
"""

from __future__ import annotations

import time
from typing import Final

from pycrdt import Doc

from collab.core.connection import Trial
from collab.core.inspection import Inspection, read
from collab.core.partition import split
from collab.core.wire import decode_state_vector
from collab.errors import CollabError, MalformedError, TooLargeError
from collab.sandbox import Sandbox, WorkerCrashError

MAX_MILLISECONDS: Final = 100.0
"""What one update may cost the loop. Everybody on this worker waits for that long."""

MAX_RANGES: Final = 100_000
"""Runs and deleted ranges of one update: each costs the loop half a microsecond of bookkeeping."""


async def carry_out(trial: Trial, sandbox: Sandbox) -> Inspection | CollabError:
    """Return the inspection of an update that may be taken, or what speaks against it."""
    try:
        inspection, milliseconds = await sandbox.run(attempt, trial.state, trial.update)
    except WorkerCrashError as error:
        return MalformedError(f"an update that cannot be integrated ({error})")
    except CollabError as error:
        return error
    if milliseconds > MAX_MILLISECONDS:
        return TooLargeError("cost of one update", round(milliseconds), MAX_MILLISECONDS, "ms")
    return inspection


def attempt(state: bytes, update: bytes) -> tuple[Inspection, float]:
    """Return what `update` is made of, and how many milliseconds its integration into `state` takes.

    Raises:
        MalformedError, TooLargeError: it may not be taken.
    """
    inspection = read(update)
    ranges = len(inspection.runs) + len(inspection.deletes) + len(inspection.dead)
    if ranges > MAX_RANGES:
        raise TooLargeError("ranges in one update", ranges, MAX_RANGES, "ranges")
    doc: Doc[object] = Doc()  # type: ignore[type-var]
    doc.apply_update(state)
    ready, _ = split(update, decode_state_vector(doc.get_state()))
    started = time.process_time()
    doc.apply_update(ready)
    milliseconds = (time.process_time() - started) * 1000
    doc.get_update()
    return inspection, milliseconds
