"""Processes that compact one document again and again: `python -m tests.durability.compacting`.

They share a SQLite file with whoever writes the document, and die of SIGKILL (G7).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

import structlog

from collab import faults
from collab.core.ports import DocumentId, Entry
from collab.errors import UnavailableError
from collab.loading import readable_of
from collab.store.base import RowKind
from collab.store.compaction import Compactor
from collab.store.sql import SqlStore
from tests.durability.compactions import COMPACTORS, PLACES, Figures, Here
from tests.durability.evidence import contents_of
from tests.durability.ledger import compare
from tests.durability.manuscript import Manuscript
from tests.support.processes import Forked

MOST_UPDATES: Final = 200_000
"""Until there have been kills enough: where each process takes a second to start, 35 updates are written meanwhile."""


class Compacting:
    """A process that compacts one document again and again."""

    def __init__(self, database: Path, document: str, place: str | None) -> None:
        """Let it die at `place`, a value of COLLAB_KILL_AT, or when it is told to."""
        environment = {**os.environ, **({faults.VARIABLE: place} if place else {})}
        words, said = [str(database), document], database.with_name("compacting.log")
        self._process = Forked(
            "tests.durability.compacting", words, cwd=Path.cwd(), environment=environment, stdout=said, stderr=said
        )

    @property
    def dead(self) -> bool:
        code = self._process.poll()
        assert code in (None, -signal.SIGKILL), f"a compactor ended with {code}"
        return code is not None

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


async def run_processes(
    folder: Path, seed: int, kills: int, progress: Callable[[int], bool] = lambda killed: True
) -> Figures:
    """Write a document while processes compact it, until so many were killed, or `progress` says it is enough."""
    random = Random(seed)
    database, name = folder / "collab.db", DocumentId("paper")
    manuscript = Manuscript(random)
    figures = Figures(runs=1)
    store = await _open(database)

    def compacting() -> Compacting:
        place = random.choice((None, *PLACES))
        return Compacting(database, name, place and f"{place.value}:{random.randint(1, 5)}")

    compactors = [compacting() for _ in range(COMPACTORS)]
    try:
        for ledger, update in manuscript.updates(MOST_UPDATES):
            await _append(store, name, update)
            ledger.acknowledged += 1
            if random.random() < 0.02:
                random.choice(compactors).kill()
            for at, compactor in enumerate(compactors):
                if compactor.dead:
                    figures.killed += 1
                    compactors[at] = compacting()
            if figures.killed >= kills or not progress(figures.killed):
                break
        rows = await store.load(name)
        figures.compacted = sum(row.kind is RowKind.SNAPSHOT for row in rows)
        figures.findings += compare(contents_of(readable_of(name, rows).full_state()), manuscript.ledgers)
    finally:
        for compactor in compactors:
            compactor.kill()
        await store.close()
    return figures


async def _open(database: Path | str) -> SqlStore:
    # Five processes fight for the one lock of a file, and a rollback journal knows no queue.
    return await SqlStore.open(f"sqlite:///{database}", processes=COMPACTORS + 1, lock_timeout_seconds=30)


async def _append(store: SqlStore, name: DocumentId, update: bytes) -> None:
    """Write an update, however long the others keep the database locked."""
    while True:
        with suppress(UnavailableError):
            await store.append([(name, Entry(update, "ann"))])
            return


async def _compact_for_ever(database: str, document: str) -> None:
    store = await _open(database)
    compactor = Compactor(store, Here(Random(0)), lambda: 0.0)
    while True:
        with suppress(UnavailableError):
            await compactor.compact(DocumentId(document))


if __name__ == "__main__":
    # One line for each of hundreds of compactions.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    if wanted := os.environ.get(faults.VARIABLE):
        faults.arm(wanted)
    asyncio.run(_compact_for_ever(*sys.argv[1:]))
