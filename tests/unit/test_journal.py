"""The journal over a store that does as it is told; time passes only when a test says so."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest

from collab.core.ports import DocumentId, Entry, Receipt
from collab.errors import UnavailableError
from collab.store.journal import GroupCommitJournal
from collab.store.memory import MemoryStore

NOTES = DocumentId("notes")
PLANS = DocumentId("plans")


class FaultyStore(MemoryStore):
    """Keeps each transaction waiting while `gate` is closed, and fails as long as `failure` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.begun: list[list[bytes]] = []
        self.committed: list[list[bytes]] = []

    async def append(self, batch: Sequence[tuple[DocumentId, Entry]]) -> None:
        transaction = [entry.data for _, entry in batch]
        self.begun.append(transaction)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        await super().append(batch)
        self.committed.append(transaction)


class Timer:
    """Stands in for asyncio.sleep: each pause ends when the test says so."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self._ending = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._ending.clear()
        await self._ending.wait()

    def end(self) -> None:
        self._ending.set()


class Bench:
    """A journal that runs, its store and its time."""

    def __init__(self) -> None:
        self.store = FaultyStore()
        self.timer = Timer()
        self.now = 0.0
        self.commits: list[int] = []
        self.called: list[str] = []
        self.journal = GroupCommitJournal(
            self.store,
            max_bytes=10_000,
            clock=lambda: self.now,
            sleep=self.timer.sleep,
            on_commit=lambda rows: self.commits.append(len(rows)),
        )
        self.run = asyncio.ensure_future(self.journal.run())

    def append(self, *data: bytes, document: DocumentId = NOTES, receipt: str = "") -> None:
        receipts = (self.receipt(receipt),) if receipt else ()
        self.journal.append(document, [Entry(each, "alice") for each in data], receipts)

    def receipt(self, name: str) -> Receipt:
        return lambda: self.called.append(name)

    def restart(self) -> None:
        assert self.run.done()
        self.run = asyncio.ensure_future(self.journal.run())


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    made.store.gate.set()
    made.run.cancel()
    with suppress(asyncio.CancelledError):
        await made.run


async def turns() -> None:
    """Let everything happen that needs no time."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_an_idle_journal_writes_at_once(bench: Bench) -> None:
    """J1: no pause comes before the first transaction."""
    bench.append(b"1", receipt="saved")

    await turns()

    assert [[b"1"]] == bench.store.committed
    assert ["saved"] == bench.called
    assert [1] == bench.commits


async def test_a_transaction_an_interval_for_all_rooms(bench: Bench) -> None:
    """J1: what comes within the interval goes together."""
    bench.append(b"1")
    await turns()
    bench.append(b"2")
    bench.append(b"3", document=PLANS)
    await turns()
    assert [[b"1"]] == bench.store.begun

    bench.timer.end()
    await turns()

    assert [[b"1"], [b"2", b"3"]] == bench.store.committed
    assert all(0 <= pause <= 0.010 for pause in bench.timer.pauses)


async def test_a_journal_with_nothing_to_write_sleeps(bench: Bench) -> None:
    """J1: after the interval it waits for an entry, not for time."""
    bench.append(b"1")
    await turns()
    bench.timer.end()
    await turns()

    assert 1 == len(bench.timer.pauses)
    assert [[b"1"]] == bench.store.begun


async def test_receipts_follow_the_commit(bench: Bench) -> None:
    """J2: not before it, in the order of appending, each once."""
    bench.store.gate.clear()
    bench.append(b"1", receipt="first")
    bench.append(b"2", document=PLANS, receipt="second")
    bench.append(b"3", receipt="third")
    await turns()
    assert [] == bench.called

    bench.store.gate.set()
    await turns()

    assert ["first", "second", "third"] == bench.called


async def test_the_time_until_an_edit_is_saved_is_measured(bench: Bench) -> None:
    """J10: also over transactions that failed."""
    bench.store.failure = UnavailableError("the disk is full")
    bench.append(b"1")
    await turns()
    bench.now, bench.store.failure = 3.0, None
    bench.append(b"2")
    bench.timer.end()
    await turns()

    assert (2, 3.0) == (bench.journal.saved.count, bench.journal.saved.sum)
    assert (1, 2) == (bench.journal.commits.count, bench.journal.rows_written)
    assert 0 == bench.journal.pending_bytes


async def test_the_time_counts_from_when_an_edit_was_received(bench: Bench) -> None:
    """J10: it may have waited for its turn, or its trial, before it came to the log."""
    bench.now = 5.0
    bench.journal.append(NOTES, [Entry(b"1", "alice")], (), received_at=1.0)
    await turns()

    assert 4.0 == bench.journal.saved.sum


async def test_a_receipt_without_entries_waits_for_the_transaction_under_way(bench: Bench) -> None:
    """J3: the row that brought the update is not on disk yet."""
    bench.store.gate.clear()
    bench.append(b"1", receipt="first")
    await turns()
    bench.append(receipt="known")
    await turns()
    assert [] == bench.called

    bench.store.gate.set()
    await turns()

    assert ["first", "known"] == bench.called


async def test_a_receipt_without_entries_waits_for_pending_entries(bench: Bench) -> None:
    """J3: those that wait for the next transaction count, too."""
    bench.store.gate.clear()
    bench.append(b"1")
    await turns()
    bench.append(b"2")
    bench.append(receipt="known")

    bench.store.gate.set()
    await turns()
    assert [] == bench.called
    bench.timer.end()
    await turns()

    assert ["known"] == bench.called


async def test_a_receipt_of_another_document_waits_for_nothing(bench: Bench) -> None:
    """J3: called in the next turn, never within append."""
    bench.store.gate.clear()
    bench.append(b"1")
    await turns()

    bench.append(document=PLANS, receipt="known")
    assert [] == bench.called
    await turns()

    assert ["known"] == bench.called


async def test_a_journal_knows_what_it_holds(bench: Bench) -> None:
    """J3: pending or under way, until it is on disk."""
    bench.store.gate.clear()
    assert not bench.journal.holds(NOTES)
    bench.append(b"1")
    assert bench.journal.holds(NOTES)
    await turns()
    assert (True, False) == (bench.journal.holds(NOTES), bench.journal.holds(PLANS))

    bench.store.gate.set()
    await turns()

    assert not bench.journal.holds(NOTES)


async def test_an_unavailable_store_loses_nothing(bench: Bench) -> None:
    """J4: it is tried again ever less often, and nothing is receipted until it works."""
    bench.store.failure = UnavailableError("the disk is full")
    bench.append(b"1", receipt="first")
    for _ in range(7):
        await turns()
        bench.timer.end()
    await turns()
    bench.append(b"2", receipt="second")
    assert [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0] == bench.timer.pauses
    assert ("the disk is full", []) == (bench.journal.problem, bench.called)

    bench.store.failure = None
    bench.timer.end()
    await turns()

    assert [[b"1", b"2"]] == bench.store.committed
    assert (None, ["first", "second"]) == (bench.journal.problem, bench.called)


async def test_the_first_retry_is_soon_again_after_a_success(bench: Bench) -> None:
    """J4: the next outage begins with a short pause."""
    bench.append(b"1")
    for failure in (UnavailableError("locked"), UnavailableError("locked"), None, UnavailableError("locked")):
        bench.store.failure = failure
        bench.append(b"2")
        await turns()
        bench.timer.end()

    assert [0.1, 0.2, 0.1] == [pause for pause in bench.timer.pauses if pause > 0.010]


async def test_a_journal_is_full_until_it_has_written(bench: Bench) -> None:
    """J5: what is being written counts as well as what waits."""
    bench.store.gate.clear()
    bench.append(bytes(9_000))
    await turns()
    large = bench.journal.full
    bench.append(bytes(1_000))
    too_large = bench.journal.full

    bench.store.gate.set()
    await turns()

    assert (False, True, False) == (large, too_large, bench.journal.full)


async def test_many_small_entries_fill_a_journal(bench: Bench) -> None:
    """J5: an entry takes memory even if it is empty, and so does a receipt."""
    bench.append(*[b""] * 25)
    assert not bench.journal.full
    for _ in range(25):
        bench.append(receipt="known")

    assert bench.journal.full


async def test_cancelling_waits_for_the_transaction(bench: Bench) -> None:
    """J6: it has been written, so it is receipted."""
    bench.store.gate.clear()
    bench.append(b"1", receipt="saved")
    await turns()
    bench.append(b"2", receipt="later")

    for _ in range(3):
        bench.run.cancel()
        await turns()
    assert not bench.run.done()
    bench.store.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await bench.run

    assert ["saved"] == bench.called
    assert [[b"1"]] == bench.store.committed


async def test_cancelling_keeps_what_could_not_be_written(bench: Bench) -> None:
    """J6: the transaction failed, so its entries are pending, before those that came later."""
    bench.store.gate.clear()
    bench.store.failure = UnavailableError("locked")
    bench.append(b"1", receipt="first")
    await turns()
    bench.append(b"2", receipt="second")
    bench.run.cancel()
    bench.store.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await bench.run
    assert [] == bench.called

    bench.store.failure = None
    bench.restart()
    await turns()

    assert [[b"1", b"2"]] == bench.store.committed
    assert ["first", "second"] == bench.called


async def test_cancelling_an_idle_journal_is_quick(bench: Bench) -> None:
    """J6: while it waits for entries, or for the end of the interval."""
    bench.append(b"1")
    await turns()
    bench.append(b"2", receipt="later")
    bench.run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bench.run

    bench.restart()
    await turns()

    assert [[b"1"], [b"2"]] == bench.store.committed
    assert ["later"] == bench.called


async def test_another_failure_leaves_run(bench: Bench) -> None:
    """J7: whoever supervises decides when to run again; nothing is lost meanwhile."""
    bench.store.failure = ValueError("a bug")
    bench.append(b"1", receipt="saved")
    with pytest.raises(ValueError, match="a bug"):
        await bench.run
    assert ([], "a bug") == (bench.called, bench.journal.problem)

    bench.store.failure = None
    bench.restart()
    await turns()

    assert [[b"1"]] == bench.store.committed
    assert ["saved"] == bench.called


async def test_a_receipt_that_raises_harms_nobody(bench: Bench) -> None:
    """J8: neither the others nor the journal."""

    def fail() -> None:
        raise ValueError("a bug")

    bench.journal.append(NOTES, [Entry(b"1", "alice")], [fail, bench.receipt("second")])
    bench.append(b"2", receipt="third")
    await turns()
    bench.journal.append(NOTES, [], [fail, bench.receipt("fourth")])
    await turns()

    assert ["second", "third", "fourth"] == bench.called
    assert not bench.run.done()


async def test_a_receipt_may_append(bench: Bench) -> None:
    """J2: what it appends goes into the next transaction."""
    bench.journal.append(NOTES, [Entry(b"1", "alice")], [lambda: bench.append(b"2", receipt="second")])
    await turns()
    bench.timer.end()
    await turns()

    assert [[b"1"], [b"2"]] == bench.store.committed
    assert ["second"] == bench.called


@pytest.mark.parametrize("document", [None, NOTES])
async def test_flushing_waits_for_what_was_appended_before(bench: Bench, document: DocumentId | None) -> None:
    """J9: be it under way or pending."""
    await bench.journal.flush(document)
    bench.store.gate.clear()
    bench.append(b"1")
    await turns()
    under_way = asyncio.ensure_future(bench.journal.flush(document))
    await turns()
    bench.append(b"2")
    pending = asyncio.ensure_future(bench.journal.flush(document))
    await turns()
    assert not under_way.done()

    bench.store.gate.set()
    await turns()
    assert (True, False) == (under_way.done(), pending.done())
    bench.timer.end()
    await pending


async def test_flushing_one_document_waits_for_no_other(bench: Bench) -> None:
    """J9: only for its own entries."""
    bench.store.gate.clear()
    bench.append(b"1")
    await turns()

    await bench.journal.flush(PLANS)

    assert [] == bench.store.committed


@pytest.mark.parametrize("document", [None, NOTES])
async def test_flushing_reports_in_time(bench: Bench, document: DocumentId | None) -> None:
    """J9: with the reason; the entries are kept."""
    bench.store.failure = UnavailableError("the disk is full")
    bench.append(b"1", receipt="saved")
    await turns()
    with pytest.raises(UnavailableError, match="the disk is full"):
        await bench.journal.flush(document, timeout_seconds=0)

    bench.store.failure = None
    bench.timer.end()
    await turns()

    assert ["saved"] == bench.called


async def test_a_transaction_that_does_not_end_is_a_problem_until_it_does(bench: Bench) -> None:
    """J11: a disk that takes seconds is not well, and nobody else would say so."""
    bench.store.gate.clear()
    bench.append(b"1", receipt="saved")
    await turns()
    bench.now = 0.9
    assert (None, []) == (bench.journal.problem, bench.called)

    bench.now = 3.0
    problem = "the transaction under way has not ended after 3 seconds"
    assert (problem, []) == (bench.journal.problem, bench.called)

    bench.store.gate.set()
    await turns()
    assert (None, ["saved"]) == (bench.journal.problem, bench.called)
