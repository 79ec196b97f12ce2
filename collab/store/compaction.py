"""Compaction: many rows of a document become one snapshot, proved before it replaces them.

Not for: what a document is (`core.replica`), or the transaction that swaps the rows (the store). It
deletes exactly the rows that it read, so any number of compactors may work at once (S4, S6). The merging
runs in a process of its own, since pycrdt never lets go of the interpreter (hazards P7).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol

import structlog

from collab import faults
from collab.core.inspection import Inspection, read
from collab.core.poison import load_without_poison
from collab.core.ports import DocumentId, Entry
from collab.core.replica import Replica
from collab.core.survey import survey, timed
from collab.errors import CollabError, DamagedError
from collab.sandbox import Sandbox
from collab.store.base import Archive, Compaction, LogRow, RowKind, Store, contents_of
from collab.store.history import pack
from collab.store.rights import Rights

log = structlog.get_logger(__name__)

SMALLEST_DUE_BYTES: Final = 64 * 1024
"""Updates that weigh less are not worth a snapshot, however small the last one was."""

UPDATES_AT_ONCE: Final = 20_000
"""Of one compaction and its transaction: 0.3 s of the ten that the sandbox gives, and 15 ms of the loop for handing
them over. All of 260,000 at once took ten and more where others worked, too, 300 MB, and stalled the loop for 0.6 s."""

PACE_SECONDS: Final = 5.0
"""How often it is looked at what is due, at least."""
SHORTEST_PACE_SECONDS: Final = 0.1

DAY_SECONDS: Final = 86_400
PRUNE_SECONDS: Final = 3_600.0


class UncompactedError(CollabError):
    """A document that was left as it is; the message says why."""


class UnprovenError(CollabError):
    """A snapshot that does not say what its rows say. It is thrown away, and the rows stay."""


@dataclass(frozen=True, slots=True)
class CompactionPolicy:
    """When a document is due, and what is kept of what it replaces."""

    rows: int = 500
    interval_seconds: float = 30.0
    history: bool = True
    history_days: float | None = None
    """How long history is kept; None for ever."""


class CompactedStore(Store, Archive, Protocol):
    """A store that is its own archive, and knows who may do what."""

    @property
    def rights(self) -> Rights: ...


@dataclass(slots=True)
class _Tally:
    """What the log of a document holds, as far as this process knows."""

    rows: int = 0
    update_bytes: int = 0
    snapshot_bytes: int = 0
    compacted_at: float = float("-inf")
    closed: bool = False
    """Whether it is kept only until the document has been compacted."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Whoever compacts the document has it: two at once would do every part twice, and one of them in vain."""

    def count(self, compaction: Compaction, rows: Sequence[LogRow]) -> None:
        """Take note that some of these rows were replaced."""
        gone = set(compaction.replaced)
        replaced = [row for row in rows if row.id in gone and row.kind is RowKind.UPDATE]
        self.rows -= len(replaced)
        self.update_bytes -= sum(len(row.data) for row in replaced)
        self.snapshot_bytes = len(compaction.snapshot)


class Compactor:
    """Keeps account of the logs of open documents, and compacts those that are due."""

    def __init__(
        self,
        store: CompactedStore,
        sandbox: Sandbox,
        clock: Callable[[], float],
        policy: CompactionPolicy | None = None,
    ) -> None:
        """Use `clock`, seconds of any steady clock, to keep the pace of the policy."""
        self._store = store
        self._archive: Archive = store
        self._sandbox = sandbox
        self._clock = clock
        self._policy = policy or CompactionPolicy()
        self._tallies: dict[DocumentId, _Tally] = {}

    def loaded(self, document: DocumentId, rows: Sequence[LogRow]) -> None:
        """Take note of what the log of a document holds."""
        tally = self._tallies.setdefault(document, _Tally())
        tally.closed = False
        updates = [row for row in rows if row.kind is RowKind.UPDATE]
        tally.rows = len(updates)
        tally.update_bytes = sum(len(row.data) for row in updates)
        tally.snapshot_bytes = sum(len(row.data) for row in rows) - tally.update_bytes

    def grew(self, rows: Sequence[tuple[DocumentId, Entry]]) -> None:
        """Take note of rows that were written."""
        for document, entry in rows:
            tally = self._tallies.get(document)
            if tally is None:
                tally = self._tallies[document] = _Tally()
            tally.rows += 1
            tally.update_bytes += len(entry.data)

    def due(self) -> list[DocumentId]:
        """Return the documents to compact: the updates outweigh the snapshot, or are too many (C3)."""
        now = self._clock()
        return [
            document
            for document, tally in self._tallies.items()
            if self._outgrown(tally) and now - tally.compacted_at >= self._policy.interval_seconds
        ]

    def closed(self, document: DocumentId) -> None:
        """Forget a document that is closed, at once or when it has been compacted."""
        tally = self._tallies.get(document)
        if tally is not None:
            tally.closed = True
            if not self._outgrown(tally):
                del self._tallies[document]

    async def run(self) -> None:
        """Compact what is due, and drop history that is too old, until cancelled."""
        next_prune = self._clock()
        while True:
            # Looked at more often where less time may lie between two compactions.
            await asyncio.sleep(min(PACE_SECONDS, max(self._policy.interval_seconds, SHORTEST_PACE_SECONDS)))
            for document in self.due():
                await self.compact(document)
            if self._policy.history_days is not None and self._clock() >= next_prune:
                await self._archive.prune(time.time() - self._policy.history_days * DAY_SECONDS)
                next_prune = self._clock() + PRUNE_SECONDS

    async def compact(self, document: DocumentId) -> bool:
        """Replace the rows of a document by one snapshot; False if nothing was replaced.

        Raises:
            UnavailableError: the store does not answer.
        """
        # Of a document that is not open: while it is opened, or at somebody's wish.
        tally = self._tallies.setdefault(document, _Tally(closed=True))
        tally.compacted_at = self._clock()
        try:
            async with tally.turn:
                any_replaced = await self._compact(document, tally)
        except UncompactedError as error:
            log.error("a document was not compacted", document=document, error=str(error))
            any_replaced = False
        if tally.closed and self._tallies.get(document) is tally:
            # Also if it could not be: whoever opens it next has it tried again.
            del self._tallies[document]
        return any_replaced

    async def _compact(self, document: DocumentId, tally: _Tally) -> bool:
        """Compact some updates after the other; False if nothing was replaced."""
        any_replaced = False
        most: int | None = UPDATES_AT_ONCE
        while True:
            rows = await self._load(document, most)
            complete = most is None or sum(row.kind is RowKind.UPDATE for row in rows) < most
            compaction = await self._compaction_of(document, rows)
            if compaction is not None:
                if not await self._replace(compaction):
                    return any_replaced  # another compactor was quicker
                any_replaced = True
                tally.count(compaction, rows)
                log.info(
                    "compacted",
                    document=document,
                    rows=len(compaction.replaced),
                    snapshot_bytes=len(compaction.snapshot),
                )
            if complete:
                return any_replaced
            if compaction is None or len(compaction.replaced) < UPDATES_AT_ONCE // 2:
                # What came first waits for what came later.
                most = None

    async def _load(self, document: DocumentId, most_updates: int | None) -> Sequence[LogRow]:
        try:
            return await self._store.load(document, most_updates)
        except DamagedError as error:
            raise UncompactedError(str(error)) from error

    async def _compaction_of(self, document: DocumentId, rows: Sequence[LogRow]) -> Compaction | None:
        """Return what may replace some of these rows, found out in another process; None if there is nothing."""
        if sum(row.kind is RowKind.UPDATE for row in rows) == 0 and len(rows) < 2:
            return None
        try:
            return await self._sandbox.run(compacted, document, tuple(rows), self._policy.history)
        except CollabError as error:
            raise UncompactedError(str(error)) from error

    async def _replace(self, compaction: Compaction) -> bool:
        if faults.reach is not None:
            faults.reach(faults.Point.BEFORE_COMPACTION)
        if not await self._store.compact(compaction):
            return False
        if faults.reach is not None:
            faults.reach(faults.Point.AFTER_COMPACTION)
        return True

    def _outgrown(self, tally: _Tally) -> bool:
        return tally.rows >= self._policy.rows or tally.update_bytes > max(tally.snapshot_bytes, SMALLEST_DUE_BYTES)


def compacted(document: DocumentId, rows: Sequence[LogRow], history: bool) -> Compaction | None:
    """Return what may replace those of `rows` that wait for nothing; None if all of them do.

    Raises:
        DamagedError: a row cannot be read.
        UnprovenError: the snapshot does not hold what the rows hold.
    """
    try:
        snapshots, updates, surveys = contents_of(rows)
        replica, _ = load_without_poison(Replica, snapshots, updates, surveys)
        inspected = [(row, read(row.data)) for row in rows]
    except CollabError as error:
        raise DamagedError(document, str(error)) from error
    # What waits for a predecessor stays a row of its own: no snapshot may hold it (hazards P2).
    inspected = [(row, says) for row, says in inspected if row.kind is RowKind.SNAPSHOT or replica.knows(says)]
    covered = [row for row, _ in inspected]
    if not any(row.kind is RowKind.UPDATE for row in covered) and len(covered) < 2:
        return None
    snapshot = replica.full_state()
    kept = survey(snapshot)
    started = time.process_time()
    proof = Replica.load([snapshot], [], [kept])
    milliseconds = (time.process_time() - started) * 1000
    _prove(document, proof, replica, inspected)
    replaced_updates = [row for row in covered if row.kind is RowKind.UPDATE]
    keyframe = _is_keyframe(snapshots, replaced_updates, snapshot)
    dates = [row.created_at for row in replaced_updates or covered]
    return Compaction(
        document=document,
        snapshot=snapshot,
        survey=timed(kept, milliseconds),
        created_at=max(row.created_at for row in covered),
        replaced=tuple(row.id for row in covered),
        segment=pack(covered if keyframe else replaced_updates) if history else None,
        keyframe=keyframe,
        first_at=min(dates),
    )


def _prove(
    document: DocumentId, proof: Replica, replica: Replica, covered: Sequence[tuple[LogRow, Inspection]]
) -> None:
    """Raise UnprovenError unless a document made from the snapshot alone knows every row (C2)."""
    if proof.digest() != replica.digest():
        raise UnprovenError(f"a snapshot of {document!r} differs from its rows")
    for row, says in covered:
        if not proof.knows(says):
            raise UnprovenError(f"a snapshot of {document!r} lacks what row {row.id} says")


def _is_keyframe(snapshots: Sequence[bytes], updates: Sequence[LogRow], snapshot: bytes) -> bool:
    """Whether the history segment shall hold the replaced snapshots, so that history can start at it.

    Always, when there are none. Else as often as makes keyframes weigh about what the updates
    between them weigh: the chance is their ratio, drawn from the snapshot's own hash.
    """
    if not snapshots:
        return True
    chance = sum(len(row.data) for row in updates) / sum(map(len, snapshots))
    return int.from_bytes(sha256(snapshot).digest()[:4]) / 2**32 < chance
