"""What compaction makes of rows, and when (C)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, TypeVarTuple

import pytest

from collab.core.document import Document
from collab.core.inspection import read
from collab.core.merging import merge
from collab.core.ports import DocumentId, Entry
from collab.core.replica import Replica
from collab.core.survey import survey
from collab.errors import DamagedError
from collab.sandbox import Sandbox
from collab.store import compaction
from collab.store.base import Compaction, LogRow, RowKind
from collab.store.compaction import CompactionPolicy, Compactor, UnprovenError, compacted
from collab.store.history import unpack
from collab.store.journal import GroupCommitJournal
from collab.store.memory import MemoryStore
from tests.support.members import deleted, typed, typing
from tests.support.work import peak_bytes

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

NOTES = DocumentId("notes")

BURST_TENS: Final = 2_000
"""Ten keystrokes each. In the rows of a room they take 5 MB, all at once 240, and twice as many four times that."""

MOST_BURST_BYTES: Final = 40 << 20


def rows_of(updates: Sequence[bytes], first_id: int = 1) -> list[LogRow]:
    return [
        LogRow(first_id + at, RowKind.UPDATE, update, "ann", created_at=100.0 + at) for at, update in enumerate(updates)
    ]


def load(rows: Sequence[LogRow]) -> Replica:
    return Replica.load(
        [row.data for row in rows if row.kind is RowKind.SNAPSHOT],
        [row.data for row in rows if row.kind is RowKind.UPDATE],
    )


def done(rows: Sequence[LogRow], *, history: bool = True) -> Compaction:
    result = compacted(NOTES, rows, history)
    assert result is not None
    return result


def test_a_snapshot_says_what_its_rows_say() -> None:
    """C2."""
    rows = rows_of([*typing(7, "hello"), deleted(7, 1, 2)])

    result = done(rows)

    assert load(rows).digest() == Replica.load([result.snapshot], []).digest()
    assert (1, 2, 3, 4, 5, 6) == result.replaced
    assert 105.0 == result.created_at


def test_what_only_reading_a_snapshot_tells_is_kept_beside_it() -> None:
    """C7: how many structs it has, how deep its types are nested, and where its emoji are."""
    result = done(rows_of([typed(7, 0, "😀")]))

    assert survey(result.snapshot)[1:] == result.survey[1:]
    assert survey(typed(7, 0, "ab")) != result.survey


def test_what_waits_for_a_predecessor_stays_a_row() -> None:
    """C1: a snapshot that held it would lose it (hazards P2)."""
    *rows, early = rows_of([*typing(7, "abc"), typed(9, 1, "y", (9, 0))])

    result = done([*rows, early])

    assert early.id not in result.replaced
    again = load([LogRow(9, RowKind.SNAPSHOT, result.snapshot, "", 0), early])
    again.admit(typed(9, 0, "x"), read(typed(9, 0, "x")))
    assert 2 == again.state[9]


def test_rows_that_all_wait_are_left_alone() -> None:
    """C1."""
    assert compacted(NOTES, rows_of([typed(9, 1, "y", (9, 0))]), history=True) is None


def test_two_snapshots_become_one() -> None:
    """C1: two compactors at once leave two, and neither is wrong."""
    first, second = typing(7, "ab")
    snapshots = [
        LogRow(1, RowKind.SNAPSHOT, first, "", 1.0),
        LogRow(2, RowKind.SNAPSHOT, merge([first, second]), "", 2.0),
    ]

    result = done(snapshots)

    assert (1, 2) == result.replaced
    assert {7: 2} == Replica.load([result.snapshot], []).state


def test_a_row_that_cannot_be_read_stops_it() -> None:
    """C6: nothing is replaced of a document that is damaged."""
    with pytest.raises(DamagedError):
        compacted(NOTES, rows_of([typed(7, 0, "a"), b"\x01\x01\x07"]), history=True)


def test_a_snapshot_that_lacks_something_is_thrown_away() -> None:
    """C2: proved against every row, not believed."""
    rows = rows_of(typing(7, "ab"))
    replica = load(rows)

    with pytest.raises(UnprovenError):
        compaction._prove(NOTES, load(rows[:1]), replica, [(row, read(row.data)) for row in rows])


def test_the_first_segment_holds_every_update_and_can_be_started_from() -> None:
    """C4: history is rebuilt from the segments alone."""
    rows = rows_of(typing(7, "hello"))

    result = done(rows)

    assert result.keyframe
    assert result.segment is not None
    assert rows == unpack(result.segment)


def test_history_can_be_switched_off() -> None:
    """C4."""
    assert done(rows_of(typing(7, "ab")), history=False).segment is None


def test_replaying_the_segments_gives_every_state_there_was() -> None:
    """C4: segments of updates continue the keyframe before them."""
    updates = typing(7, "the quick brown fox")
    segments: list[tuple[bool, list[LogRow]]] = []
    log: list[LogRow] = []
    for at, update in enumerate(updates):
        log += rows_of([update], first_id=100 + at)
        if at % 3 == 2:
            result = done(log)
            assert result.segment is not None
            segments.append((result.keyframe, unpack(result.segment)))
            log = [LogRow(at, RowKind.SNAPSHOT, result.snapshot, "", result.created_at, result.survey)]

    start = max(at for at, (keyframe, _) in enumerate(segments) if keyframe)
    kept = [row for _, rows in segments[start:] for row in rows]

    assert {7: len(updates) - len(updates) % 3} == load(kept).state


def test_any_order_of_rows_gives_the_same_snapshot() -> None:
    """C5: the log is a set."""
    rows = rows_of([*typing(7, "hello"), typed(8, 0, "x", (7, 2)), deleted(7, 1, 2)])
    shuffled = random.Random(5).sample(rows, len(rows))

    assert load([LogRow(1, RowKind.SNAPSHOT, done(rows).snapshot, "", 0)]).digest() == (
        load([LogRow(1, RowKind.SNAPSHOT, done(shuffled).snapshot, "", 0)]).digest()
    )


# ---- when ----


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def compactor(clock: Clock, **policy: float) -> Compactor:
    return Compactor(MemoryStore(), Sandbox(), clock, CompactionPolicy(**policy))  # type: ignore[arg-type]


def rows(count: int, size: int) -> list[tuple[DocumentId, Entry]]:
    """Return so many rows of NOTES, of so many bytes each."""
    return [(NOTES, Entry(bytes(size), "ann"))] * count


def test_a_document_is_due_by_its_rows() -> None:
    """C3."""
    clock = Clock()
    compactor_ = compactor(clock, rows=3, interval_seconds=10)

    compactor_.grew(rows(2, size=10))
    assert [] == compactor_.due()
    compactor_.grew(rows(1, size=10))

    assert [NOTES] == compactor_.due()


def test_a_document_is_due_when_its_updates_outweigh_the_snapshot() -> None:
    """C3."""
    compactor_ = compactor(Clock())
    compactor_.loaded(NOTES, [LogRow(1, RowKind.SNAPSHOT, bytes(100_000), "", 0)])

    compactor_.grew(rows(1, size=100_000))
    assert [] == compactor_.due()
    compactor_.grew(rows(1, size=1))

    assert [NOTES] == compactor_.due()


async def test_a_document_is_compacted_at_most_once_in_an_interval() -> None:
    """C3."""
    clock = Clock()
    compactor_ = compactor(clock, rows=2, interval_seconds=10)
    compactor_.grew(rows(2, size=10))

    await compactor_.compact(NOTES)
    compactor_.grew(rows(2, size=10))
    assert [] == compactor_.due()
    clock.now = 10

    assert [NOTES] == compactor_.due()


@pytest.mark.parametrize("damage", [[], [b"\x01\x01\x07"]], ids=["sound", "damaged"])
async def test_of_a_closed_document_nothing_is_kept_once_it_was_tried(damage: list[bytes]) -> None:
    """C8: neither of one that was compacted, nor of one that cannot be."""
    entries = [(NOTES, Entry(update, "ann")) for update in [*typing(7, "hello"), *damage]]
    store = MemoryStore()
    await store.append(entries)
    compactor_ = Compactor(store, Sandbox(), Clock(), CompactionPolicy(rows=3))
    compactor_.loaded(NOTES, await store.load(NOTES))

    compactor_.closed(NOTES)
    assert [NOTES] == compactor_.due()
    await compactor_.compact(NOTES)

    assert {} == compactor_._tallies


async def test_of_a_document_that_could_not_be_opened_nothing_is_kept() -> None:
    """C8: it may have been compacted meanwhile."""
    compactor_ = compactor(Clock())

    await compactor_.compact(NOTES)

    assert {} == compactor_._tallies


async def test_an_open_document_is_kept_account_of_after_it_was_compacted() -> None:
    """C3, C8: also if it was closed for a moment."""
    compactor_ = compactor(Clock(), rows=3, interval_seconds=0)
    compactor_.grew(rows(3, size=10))
    compactor_.closed(NOTES)
    compactor_.loaded(NOTES, [])

    await compactor_.compact(NOTES)
    compactor_.grew(rows(3, size=10))

    assert [NOTES] == compactor_.due()


async def test_compacting_a_store_leaves_one_row_that_says_all() -> None:
    """C1, C2."""
    store, clock = MemoryStore(), Clock()
    await store.append([(NOTES, Entry(update, "ann")) for update in typing(7, "hello")])
    before = load(await store.load(NOTES)).digest()
    compactor_ = Compactor(store, Sandbox(), clock)

    assert await compactor_.compact(NOTES)

    (row,) = await store.load(NOTES)
    assert RowKind.SNAPSHOT is row.kind
    assert before == load([row]).digest()
    assert not await compactor_.compact(NOTES)


class Watched(Sandbox):
    """Does everything in this process, and keeps how many rows it got each time."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []

    async def run(self, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        await asyncio.sleep(0)  # a turn for whoever else wants the document
        taken: tuple[Any, ...] = arguments
        self.rows.append(len(taken[1]))
        return function(*arguments)


async def stored(updates: Sequence[bytes]) -> MemoryStore:
    store = MemoryStore()
    await store.append([(NOTES, Entry(update, "ann")) for update in updates])
    return store


async def test_a_long_log_is_compacted_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """C9, C4: one snapshot is left, and all that was replaced is in the history."""
    monkeypatch.setattr(compaction, "UPDATES_AT_ONCE", 4)
    store, sandbox = await stored(typing(7, "hello world")), Watched()
    before = await store.load(NOTES)
    compactor_ = Compactor(store, sandbox, Clock())
    compactor_.loaded(NOTES, before)

    assert await compactor_.compact(NOTES)

    assert [4, 5, 4] == sandbox.rows
    (row,) = await store.load(NOTES)
    assert load(before).digest() == load([row]).digest()
    segments = [unpack(segment.data) for segment in await store.segments(NOTES)]
    assert list(before) == [row for rows in segments for row in rows if row.kind is RowKind.UPDATE]
    assert 0 == compactor_._tallies[NOTES].rows


async def test_a_document_is_compacted_by_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """C9: while it is opened it may be due, too."""
    monkeypatch.setattr(compaction, "UPDATES_AT_ONCE", 4)
    store, sandbox = await stored(typing(7, "hello world")), Watched()
    compactor_ = Compactor(store, sandbox, Clock())

    first, second = await asyncio.gather(compactor_.compact(NOTES), compactor_.compact(NOTES))

    assert (True, False) == (first, second)
    assert [4, 5, 4] == sandbox.rows
    assert {} == compactor_._tallies


async def test_what_waits_in_front_of_a_long_log_does_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """C9, C1: then all of it is read together."""
    monkeypatch.setattr(compaction, "UPDATES_AT_ONCE", 4)
    first, *others = typing(7, "hello world")
    store = await stored([*others, first])

    assert await Compactor(store, Watched(), Clock()).compact(NOTES)

    assert 1 == len(await store.load(NOTES))


async def test_whoever_is_slower_at_a_long_log_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """C9, S6: another compactor goes on."""

    class Taken(MemoryStore):
        async def compact(self, compaction: Compaction) -> bool:
            return False

    monkeypatch.setattr(compaction, "UPDATES_AT_ONCE", 4)
    store, sandbox = Taken(), Watched()
    await store.append([(NOTES, Entry(update, "ann")) for update in typing(7, "hello world")])

    assert not await Compactor(store, sandbox, Clock()).compact(NOTES)

    assert [4] == sandbox.rows


async def test_a_burst_takes_memory_in_proportion() -> None:
    """C10: rows as a room writes them, 250 keystrokes each."""
    keystrokes = typing(7, "abcdefghij" * BURST_TENS)
    rows = rows_of([merge(keystrokes[at : at + 250]) for at in range(0, len(keystrokes), 250)])

    assert await peak_bytes(compacted, NOTES, rows, True) < MOST_BURST_BYTES


async def test_a_burst_that_is_applied_at_once_is_noticed() -> None:
    """C10: pycrdt joins neighbours in quadratic time and memory, so the check above can fail."""
    update = merge(typing(7, "abcdefghij" * BURST_TENS))

    assert await peak_bytes(apply_at_once, update) > 4 * MOST_BURST_BYTES


def apply_at_once(update: bytes) -> None:
    document = Document()
    document.apply(update)
    document.commit()


async def test_what_is_appended_is_compacted_when_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """C3: without anybody asking for it."""
    monkeypatch.setattr(compaction, "PACE_SECONDS", 0.001)
    store, clock = MemoryStore(), Clock()
    compactor_ = Compactor(store, Sandbox(), clock, CompactionPolicy(rows=3))
    journal = GroupCommitJournal(store, on_commit=compactor_.grew)
    journal.append(NOTES, [Entry(update, "ann") for update in typing(7, "abc")], ())
    running = [asyncio.ensure_future(journal.run()), asyncio.ensure_future(compactor_.run())]
    try:
        async with asyncio.timeout(20):
            while len(await store.load(NOTES)) != 1:  # noqa: ASYNC110 - it changes without an event
                await asyncio.sleep(0.001)
    finally:
        for task in running:
            task.cancel()

    (row,) = await store.load(NOTES)
    assert RowKind.SNAPSHOT is row.kind
    assert [] == compactor_.due()
