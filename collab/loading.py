"""Documents out of their logs: the easy ones at once, the hard ones one after the other.

Hard is what this process cannot read at one stretch: a long log, a snapshot that takes long, a row on which
pycrdt fails. Not for: who has a document open (`hub`), or compacting what is open (`store.compaction`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Final

import structlog

from collab.core.merging import BrokenReplicaError
from collab.core.partition import in_pieces
from collab.core.poison import find_poison, load_without_poison
from collab.core.ports import DocumentId
from collab.core.replica import Replica
from collab.core.survey import SurveyError, is_slow, recall, survey
from collab.core.waiting import WaitingLimits
from collab.errors import CollabError, DamagedError, MalformedError, UnavailableError
from collab.fair_queue import FairQueue
from collab.sandbox import Sandbox
from collab.store.base import LogRow, RowKind, Store, contents_of
from collab.store.compaction import UPDATES_AT_ONCE, Compactor

log = structlog.get_logger(__name__)

SLOW_LOAD_BYTES: Final = 256 * 1024
"""Updates of a document from which on they are merged in another process before it is opened:
inspecting them takes this one 1.3 to 4 us for each of their structs."""

READING_SECONDS: Final = 60.0
"""For work on a document that this process cannot read at one stretch. To find a row that pycrdt fails on
takes as long as loading the document once more."""


class Loader:
    """Loads documents, some at once; of the hard ones one, and whose is next goes round (H9)."""

    def __init__(self, store: Store, compactor: Compactor, waiting: WaitingLimits, at_once: int) -> None:
        self._store = store
        self._compactor = compactor
        self._waiting = waiting
        self._easy = asyncio.Semaphore(at_once)
        self._hard = FairQueue()
        self._readers = Sandbox(seconds=READING_SECONDS)

    async def load(self, document: DocumentId, principal: str) -> Replica:
        """Return a document as the log has it (H2), for somebody.

        Raises:
            UnavailableError: the store does not answer.
            DamagedError: what is stored cannot be read.
        """
        try:
            async with self._easy:
                rows = await self._store.load(document, UPDATES_AT_ONCE)
                replica = None if _is_hard(rows) else await self._easy_replica(rows)
            if replica is None:
                async with self._hard.turn(principal, document):
                    replica, rows = await self._load_hard(document, rows)
        except MalformedError as error:
            raise DamagedError(document, str(error)) from error
        self._compactor.loaded(document, rows)
        return replica

    async def _easy_replica(self, rows: Sequence[LogRow]) -> Replica | None:
        """Return what rows are, None if that is hard to find out."""
        try:
            return await self._replica_of(rows)
        except (BrokenReplicaError, SurveyError):
            return None

    async def _load_hard(self, document: DocumentId, rows: Sequence[LogRow]) -> tuple[Replica, Sequence[LogRow]]:
        if _is_long(rows):
            # If it cannot be written to the store now, reading all of it takes longer, and that is all.
            with suppress(UnavailableError):
                await self._compactor.compact(document)
            rows = await self._store.load(document)
        rows = await self._surveyed(document, rows)
        try:
            return await self._replica_of(rows), rows
        except BrokenReplicaError:
            return await self._without_poison(document, rows), rows

    async def _surveyed(self, document: DocumentId, rows: Sequence[LogRow]) -> Sequence[LogRow]:
        """Return rows with the surveys of their snapshots made anew if they cannot be read."""
        try:
            recall(contents_of(rows)[2])
        except SurveyError as error:
            log.error("what is kept with a snapshot is damaged; it is read anew", document=document, error=str(error))
            return [
                replace(row, survey=await self._readers.run(survey, row.data)) if row.kind is RowKind.SNAPSHOT else row
                for row in rows
            ]
        return rows

    async def _replica_of(self, rows: Sequence[LogRow], *, one_by_one: bool = False) -> Replica:
        snapshots, updates, surveys = contents_of(rows)
        replica = Replica(self._waiting)
        if any(map(is_slow, surveys)):
            pieces = [await self._readers.run(in_pieces, snapshot) for snapshot in snapshots]
            for _ in replica.take_rows(list(chain(*pieces))):
                await asyncio.sleep(0)
        else:
            replica.take_snapshots(snapshots, surveys)
        for _ in replica.take_rows(updates, one_by_one=one_by_one):
            await asyncio.sleep(0)  # integrating them may take long
        return replica

    async def _without_poison(self, document: DocumentId, rows: Sequence[LogRow]) -> Replica:
        """Return a document without the rows that pycrdt fails on; which they are another process finds out (R22)."""
        try:
            poison = await self._readers.run(find_poison, *contents_of(rows))
            good = [row for row in rows if row.kind is RowKind.SNAPSHOT or row.data not in poison]
            replica = await self._replica_of(good, one_by_one=True)
        except BrokenReplicaError as error:
            raise DamagedError(document, str(error)) from error
        log.error("rows of a document cannot be integrated; they stay in the log", document=document, rows=len(poison))
        return replica


def readable_of(document: DocumentId, rows: Sequence[LogRow]) -> Replica:
    """Return the document that the rows of its log are, without those on which pycrdt fails (R22).

    This may take long: it is work for another process.

    Raises:
        DamagedError: a row cannot be read.
    """
    try:
        return load_without_poison(Replica, *contents_of(rows))[0]
    except UnavailableError:
        raise
    except CollabError as error:
        raise DamagedError(document, str(error)) from error


def _is_hard(rows: Sequence[LogRow]) -> bool:
    return _is_long(rows) or any(map(is_slow, contents_of(rows)[2]))


def _is_long(rows: Sequence[LogRow]) -> bool:
    """Whether a log is to be compacted before it is read; of one that is longer not all rows need to be here."""
    updates = [len(row.data) for row in rows if row.kind is RowKind.UPDATE]
    return sum(updates) > SLOW_LOAD_BYTES or len(updates) == UPDATES_AT_ONCE
