"""Group commit: what rooms append is written in one transaction for all of them, then receipted.

Not for deciding what is written, nor for restarting itself: the hub supervises `run`. The rules are J
of docs/spec.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from collab import faults
from collab.core.ports import DocumentId, Entry, Journal, Receipt
from collab.errors import UnavailableError
from collab.measures import Distribution
from collab.store.base import Store

_FIRST_RETRY_SECONDS = 0.1
_LAST_RETRY_SECONDS = 2.0

# A commit takes milliseconds; one that takes this long is felt by whoever waits for "saved".
_SLOW_SECONDS = 1.0

# What Python needs beside the bytes, as tracemalloc says: 153 for an entry in a batch, about 200 for a receipt.
_OVERHEAD_BYTES = 200

_log = structlog.get_logger(__name__)

Rows = Sequence[tuple[DocumentId, Entry]]


@dataclass(slots=True)
class _Batch:
    """What one transaction will write, and who waits for it."""

    rows: list[tuple[DocumentId, Entry]] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    documents: set[DocumentId] = field(default_factory=set)
    received_at: list[float] = field(default_factory=list)
    bytes: int = 0

    def add(self, document: DocumentId, entries: Sequence[Entry], received_at: float) -> None:
        self.received_at.append(received_at)
        for entry in entries:
            self.rows.append((document, entry))
            self.bytes += _OVERHEAD_BYTES + len(entry.data)
        self.documents.add(document)

    def await_by(self, receipts: Sequence[Receipt]) -> None:
        self.receipts += receipts
        self.bytes += _OVERHEAD_BYTES * len(receipts)

    def join(self, later: _Batch) -> None:
        self.rows += later.rows
        self.receipts += later.receipts
        self.documents |= later.documents
        self.received_at += later.received_at
        self.bytes += later.bytes


class GroupCommitJournal(Journal):
    """Owns what is not on disk yet. `run` is its one writer; everything else is synchronous.

    At any time an entry is in exactly one of two batches: the pending one, which grows, or the one
    that is being committed.
    """

    def __init__(
        self,
        store: Store,
        *,
        interval_seconds: float = 0.010,
        max_bytes: int = 64 * 1024 * 1024,
        on_commit: Callable[[Rows], None] = lambda rows: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Write to `store` at most once in `interval_seconds`.

        `on_commit` hears what each transaction wrote.
        """
        self.saved = Distribution()
        """Seconds from when it was received until it was on disk: the first of what one room brought in one turn."""
        self.commits = Distribution()
        """Seconds that transactions took."""
        self.rows_written = 0
        self._store = store
        self._interval_seconds = interval_seconds
        self._max_bytes = max_bytes
        self._on_commit = on_commit
        self._clock = clock
        self._sleep = sleep
        self._committing_since: float | None = None
        self._pending = _Batch()
        self._committing = _Batch()
        self._work = asyncio.Event()
        self._problem: str | None = None

    @property
    def full(self) -> bool:
        """Whether so much is waiting that rooms must refuse writes."""
        return self.pending_bytes >= self._max_bytes

    @property
    def pending_bytes(self) -> int:
        """What is kept in memory until it is on disk, overhead included."""
        return self._pending.bytes + self._committing.bytes

    @property
    def problem(self) -> str | None:
        """Why nothing can be written, None if the last transaction was committed and the next one goes well."""
        if self._problem is None and self._committing_since is not None:
            seconds = self._clock() - self._committing_since
            if seconds > _SLOW_SECONDS:
                return f"the transaction under way has not ended after {seconds:.0f} seconds"
        return self._problem

    def append(
        self,
        document: DocumentId,
        entries: Sequence[Entry],
        receipts: Sequence[Receipt],
        received_at: float | None = None,
    ) -> None:
        if entries:
            self._pending.add(document, entries, self._clock() if received_at is None else received_at)
            self._pending.await_by(receipts)
            self._work.set()
        elif document in self._pending.documents:
            self._pending.await_by(receipts)
        elif document in self._committing.documents:
            self._committing.await_by(receipts)
        else:
            for receipt in receipts:
                asyncio.get_running_loop().call_soon(_call, receipt)

    def holds(self, document: DocumentId) -> bool:
        """Whether something of this document is not on disk yet."""
        return document in self._pending.documents or document in self._committing.documents

    async def flush(self, document: DocumentId | None = None, *, timeout_seconds: float | None = None) -> None:
        """Wait until everything appended before, of one document or of all, is on disk.

        Raises:
            UnavailableError: it is not after `timeout_seconds`; it is still kept, and will be tried again.
        """
        written = asyncio.get_running_loop().create_future()

        def receipt() -> None:
            if not written.done():
                written.set_result(None)

        if document is not None:
            self.append(document, (), (receipt,))
        elif self._pending.rows:
            self._pending.await_by((receipt,))
        elif self._committing.rows:
            self._committing.await_by((receipt,))
        else:
            return
        try:
            await asyncio.wait_for(written, timeout_seconds)
        except TimeoutError as error:
            reason = self._problem or "the transaction has not ended"
            raise UnavailableError(f"not on disk after {timeout_seconds:g} seconds: {reason}") from error

    async def run(self) -> None:
        """Write until cancelled, and then until the transaction that is under way has ended.

        Raises:
            Exception: the store failed otherwise than by being unavailable. Nothing is lost: whoever
                supervises runs this again.
        """
        loop = asyncio.get_running_loop()
        retry_seconds = _FIRST_RETRY_SECONDS
        while True:
            await self._work.wait()
            started = loop.time()
            if await self._commit():
                retry_seconds = _FIRST_RETRY_SECONDS
                await self._sleep(max(0.0, started + self._interval_seconds - loop.time()))
            else:
                await self._sleep(retry_seconds)
                retry_seconds = min(2 * retry_seconds, _LAST_RETRY_SECONDS)

    async def _commit(self) -> bool:
        """Write what is pending; False if the store is unavailable."""
        batch = self._committing = self._pending
        self._pending = _Batch()
        self._work.clear()
        started = self._committing_since = self._clock()
        writing = asyncio.ensure_future(self._store.append(batch.rows))
        cancelled = await _outlast(writing)
        self._committing, self._committing_since = _Batch(), None
        try:
            writing.result()
        except BaseException as error:
            self._keep(batch, error)
            if not isinstance(error, UnavailableError):
                raise
        else:
            self._finish(batch, started)
        if cancelled is not None:
            raise cancelled
        return self._problem is None

    def _keep(self, batch: _Batch, error: BaseException) -> None:
        """Take back what was not written, in front of what came meanwhile."""
        batch.join(self._pending)
        self._pending = batch
        self._work.set()
        problem = str(error) or type(error).__name__
        if problem != self._problem:
            _log.error("cannot write", problem=problem, entries=len(batch.rows))
        self._problem = problem

    def _finish(self, batch: _Batch, started: float) -> None:
        if self._problem is not None:
            _log.info("writing again", entries=len(batch.rows))
        self._problem = None
        if faults.reach is not None:
            faults.reach(faults.Point.AFTER_COMMIT)
        for receipt in batch.receipts:
            _call(receipt)
        now = self._clock()
        self.commits.add(now - started)
        for received_at in batch.received_at:
            self.saved.add(now - received_at)
        self.rows_written += len(batch.rows)
        self._on_commit(batch.rows)


async def _outlast(task: asyncio.Future[None]) -> asyncio.CancelledError | None:
    """Wait for the end of `task`, even when cancelled meanwhile; return that cancellation.

    A transaction can't be called back: only its end tells whether it was written (J6).
    """
    cancelled = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:  # noqa: BLE001 - its own result tells
            break
    return cancelled


def _call(receipt: Receipt) -> None:
    try:
        receipt()
    except Exception:  # noqa: BLE001 - one room must not keep the others waiting
        _log.exception("a receipt failed")
