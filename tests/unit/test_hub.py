"""Opening and closing rooms (H), on the memory store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from collab import loading
from collab.core.connection import Connection
from collab.core.dialects import Y_WEBSOCKET
from collab.core.expense import STEPS_AT_A_STRETCH
from collab.core.inspection import read
from collab.core.merging import BrokenReplicaError
from collab.core.ports import DocumentId, Entry
from collab.core.replica import Replica
from collab.core.room import Due, Room
from collab.core.survey import SLOW_MILLISECONDS, survey, timed
from collab.core.wire import var_bytes
from collab.errors import CollabError, DamagedError, DiskFailedError, UnavailableError
from collab.hub import Hub, HubLimits
from collab.relay.null import NullRelay
from collab.sandbox import Sandbox
from collab.store import compaction
from collab.store.base import Compaction, LogRow
from collab.store.compaction import Compactor
from collab.store.journal import GroupCommitJournal
from collab.store.memory import MemoryStore
from collab.transport.rota import Rota
from collab.transport.session import Session
from tests.support.hostile import text, update
from tests.support.members import Member, typed, typing
from tests.support.room_kit import RecordingSink
from tests.support.view import text_of

NOTES = DocumentId("notes")
SEED = typed(7, 0, "seed")


class SlowStore(MemoryStore):
    """A memory store whose loads wait for the test, and may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.loads = 0
        self.most_rows = 0
        self.open = asyncio.Event()
        self.open.set()
        self.failure: CollabError | None = None

    async def load(self, document: DocumentId, most_updates: int | None = None) -> Sequence[LogRow]:
        self.loads += 1
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        rows = await super().load(document, most_updates)
        self.most_rows = max(self.most_rows, len(rows))
        return rows


@dataclass
class Process:
    """A hub with what it needs."""

    store: SlowStore = field(default_factory=SlowStore)
    linger_seconds: float = 30

    def __post_init__(self) -> None:
        self.journal = GroupCommitJournal(self.store, interval_seconds=0)
        self.sandbox = Sandbox()
        compactor = Compactor(self.store, self.sandbox, lambda: 0.0)
        limits = HubLimits(linger_seconds=self.linger_seconds)
        self.hub = Hub(self.store, self.journal, NullRelay(), compactor, self.sandbox, limits)

    def join(self, room: Room) -> Member:
        sink = RecordingSink()
        connection = Connection(sink, Y_WEBSOCKET, "ann")
        room.admit(connection)
        return Member(room, connection, sink)


@asynccontextmanager
async def running(store: SlowStore | None = None, linger_seconds: float = 30) -> AsyncIterator[Process]:
    process = Process(store or SlowStore(), linger_seconds)
    async with process.hub.running():
        yield process


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - each round is one turn of the loop
            await asyncio.sleep(0)


async def test_a_room_is_opened_once_however_many_ask() -> None:
    """H1, H2."""
    async with running() as process:
        rooms = await asyncio.gather(*(process.hub.open(NOTES) for _ in range(20)))

        assert 1 == len(set(map(id, rooms)))
        assert 1 == process.store.loads


async def test_a_long_log_is_compacted_before_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """H2, C9: nothing is read as a whole that is longer than one compaction takes."""
    monkeypatch.setattr(loading, "UPDATES_AT_ONCE", 4)
    monkeypatch.setattr(compaction, "UPDATES_AT_ONCE", 4)
    async with running() as process:
        await process.store.append([(NOTES, Entry(update, "ann")) for update in typing(7, "hello world")])

        room = await process.hub.open(NOTES)

        assert "hello world" == text_of(room.state()[0], "t")
        assert 4 + 1 == process.store.most_rows
        assert 1 == len(await process.store.load(NOTES))


async def test_a_long_log_opens_also_if_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """H9: the database is locked; only compacting it has to wait."""

    class Locked(SlowStore):
        async def compact(self, compaction: Compaction) -> bool:
            raise UnavailableError("the database is locked")

    monkeypatch.setattr(loading, "UPDATES_AT_ONCE", 4)
    monkeypatch.setattr(compaction, "UPDATES_AT_ONCE", 4)
    async with running(Locked()) as process:
        await process.store.append([(NOTES, Entry(update, "ann")) for update in typing(7, "hello world")])

        room = await process.hub.open(NOTES)

        assert "hello world" == text_of(room.state()[0], "t")


async def stored_slow(store: MemoryStore, document: DocumentId, kept: bytes | None = None) -> None:
    """Store a document of one snapshot, which says of itself that it takes long, or whatever is kept beside it."""
    slow = timed(survey(SEED), SLOW_MILLISECONDS + 1) if kept is None else kept
    await store.append([(document, Entry(SEED, "ann"))])
    (row,) = await store.load(document)
    await store.compact(Compaction(document, SEED, slow, 1.0, (row.id,), None, True, 1.0))


class Readers:
    """A sandbox in which work ends when the test says so, one piece after the other."""

    def __init__(self) -> None:
        self.running = 0
        self.may_end = asyncio.Semaphore(0)

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self.running += 1
        await self.may_end.acquire()
        return function(*arguments)


async def test_documents_that_are_hard_to_read_keep_no_others_waiting() -> None:
    """H9, H7: nine of them had all that were not open wait for minutes."""
    async with running() as process:
        hard = [DocumentId(f"hard {at}") for at in range(20)]
        for document in hard:
            await stored_slow(process.store, document)
        readers = process.hub._loader._readers = Readers()  # type: ignore[assignment]
        eves = [asyncio.ensure_future(process.hub.open(document, "eve")) for document in hard[:19]]
        await until(lambda: readers.running == 1)

        async with asyncio.timeout(5):
            await process.hub.open(NOTES, "ben")

        bens = asyncio.ensure_future(process.hub.open(hard[19], "ben"))
        await asyncio.sleep(0)
        for at in (2, 3):
            readers.may_end.release()
            await until(lambda upto=at: readers.running == upto)  # type: ignore[misc]
        assert bens.done() or readers.running == 3
        readers.may_end.release()
        await until(bens.done)
        assert 3 >= sum(eve.done() for eve in eves)
        for _ in hard:
            readers.may_end.release()
        await asyncio.gather(*eves)


@pytest.mark.parametrize("kept", [b"", b"\x00", b"\xff\xff\xff", timed(survey(SEED), 1)[:-1], b"\x80" * 40])
async def test_what_is_kept_beside_a_snapshot_is_made_anew_if_it_cannot_be_read(kept: bytes) -> None:
    """H10: one bit of it had the document answer 500."""
    async with running() as process:
        await stored_slow(process.store, NOTES, kept)

        room = await process.hub.open(NOTES)

        assert "seed" == text_of(room.state()[0], "t")
        assert room._replica._layout.containers.complete


async def test_who_gives_up_waiting_takes_the_room_from_nobody() -> None:
    """H1."""
    async with running() as process:
        process.store.open.clear()
        impatient = asyncio.ensure_future(process.hub.open(NOTES))
        patient = asyncio.ensure_future(process.hub.open(NOTES))
        await until(lambda: process.store.loads == 1)

        impatient.cancel()
        process.store.open.set()

        assert await patient is process.hub.rooms[NOTES]


async def test_a_failed_load_reaches_all_who_wait_and_leaves_nothing_behind() -> None:
    """H3, H4."""
    async with running() as process:
        process.store.failure = UnavailableError("the database is locked")

        outcomes = await asyncio.gather(*(process.hub.open(NOTES) for _ in range(3)), return_exceptions=True)

        assert all(isinstance(outcome, UnavailableError) for outcome in outcomes)
        assert {} == process.hub.rooms
        process.store.failure = None
        assert NOTES == (await process.hub.open(NOTES)).document


async def test_a_damaged_document_does_not_open_and_is_not_overwritten() -> None:
    """H3: an empty document never replaces one that could not be read."""
    store = SlowStore()
    await store.append([(NOTES, Entry(b"\x01\x01\x07", "ann"))])
    async with running(store) as process:
        with pytest.raises(DamagedError, match="'notes' cannot be read"):
            await process.hub.open(NOTES)

        assert [b"\x01\x01\x07"] == [row.data for row in await store.load(NOTES)]


async def test_what_was_taken_is_in_the_store_when_the_hub_has_stopped() -> None:
    """H6."""
    async with running() as process:
        member = process.join(await process.hub.open(NOTES))
        member.say(typed(7, 0, "hello"))  # its turn has not ended

    assert [typed(7, 0, "hello")] == [row.data for row in await process.store.load(NOTES)]


async def test_the_end_of_a_turn_settles_the_room() -> None:
    """R4, H: nobody has to ask for it."""
    async with running() as process:
        room = await process.hub.open(NOTES)
        author, reader = process.join(room), process.join(room)
        reader.ask()

        author.say(typed(7, 0, "hello"))
        await until(lambda: bool(reader.updates))

        assert [typed(7, 0, "hello")] == reader.updates


async def test_a_disk_that_fails_anybody_ends_the_server() -> None:
    """S19: also if it is not the log that hears of it, but whoever creates a document."""

    async def fail() -> None:
        raise DiskFailedError("the disk did not keep it")

    async def serve() -> None:
        async with running() as process:
            process.hub.start(fail())
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as ended:
        await serve()

    assert ended.group_contains(DiskFailedError)


async def test_whatever_comes_is_a_sign_of_life_also_if_it_has_to_wait() -> None:
    """R16: while an update of somebody is tried, the answer to a question stands behind it."""
    async with running() as process:
        room = await process.hub.open(NOTES)
        sink = RecordingSink()
        connection = Connection(sink, Y_WEBSOCKET, "ann")
        session = Session(process.hub, Rota(asyncio.get_running_loop()), room, connection, sink)
        session.enter()
        session.received(b"\x00\x02" + var_bytes(typed(7, 0, "x" * 70_000)))
        assert connection.busy

        connection.silent = True
        session.received(b"\x03")

        assert not connection.silent
        await until(lambda: not connection.busy)
        session.lost()


async def test_who_has_gone_has_no_socket_read_again_that_somebody_else_uses() -> None:
    """T5, T14: a socket of several documents is one for whoever comes to the same one later."""

    class Socket(RecordingSink):
        resumed = 0

        def resume_reading(self) -> None:
            self.resumed += 1

    async with running() as process:
        room, socket = await process.hub.open(NOTES), Socket()
        session = Session(
            process.hub, Rota(asyncio.get_running_loop()), room, Connection(socket, Y_WEBSOCKET, "ann"), socket
        )
        session.enter()
        over = asyncio.Event()
        find_out = process.hub.find_out

        def noted(room: Room, due: Due, done: Callable[[], None]) -> None:
            def and_say_so() -> None:
                done()
                over.set()

            find_out(room, due, and_say_so)

        process.hub.find_out = noted  # type: ignore[method-assign]
        session.received(b"\x00\x02" + var_bytes(typed(7, 0, "x" * 70_000)))
        session.lost()
        await over.wait()

        assert 0 == socket.resumed


async def test_a_room_stays_open_for_whoever_is_on_the_way() -> None:
    """H11: else they are in one room, and whoever comes next in another."""
    async with running(linger_seconds=0) as process:
        later = asyncio.get_running_loop().time() + 1_000
        async with process.hub.kept_open(NOTES, "ann") as room:
            process.hub.sweep(later)
            assert room is await process.hub.open(NOTES)

        process.hub.sweep(later)
        assert not process.hub.is_open(room)


async def test_who_comes_into_a_closed_room_comes_again() -> None:
    """H11: whatever closed it."""
    async with running(linger_seconds=0) as process:
        room = await process.hub.open(NOTES)
        process.hub.sweep(asyncio.get_running_loop().time() + 1_000)
        sink = RecordingSink()
        session = Session(
            process.hub, Rota(asyncio.get_running_loop()), room, Connection(sink, Y_WEBSOCKET, "ann"), sink
        )

        session.enter()

        assert sink.closed is not None
        assert 1013 == sink.closed[0]
        assert set() == room.connections
        session.lost()


async def test_an_empty_room_lingers_and_then_closes() -> None:
    """H5."""
    async with running(linger_seconds=30) as process:
        room = await process.hub.open(NOTES)
        member = process.join(room)
        now = asyncio.get_running_loop().time()
        process.hub.left(room, member.connection)

        process.hub.sweep(now + 29)
        assert {NOTES: room} == process.hub.rooms
        process.hub.sweep(now + 31)

        assert {} == process.hub.rooms


async def test_a_room_with_somebody_in_it_stays() -> None:
    """H5."""
    async with running(linger_seconds=0) as process:
        room = await process.hub.open(NOTES)
        process.join(room)

        process.hub.sweep(asyncio.get_running_loop().time() + 1000)

        assert {NOTES: room} == process.hub.rooms


async def test_a_room_stays_until_what_it_took_is_written() -> None:
    """H5."""
    async with running(linger_seconds=0) as process:
        room = await process.hub.open(NOTES)
        member = process.join(room)
        member.send(typed(7, 0, "hello"))
        process.hub.left(room, member.connection)
        later = asyncio.get_running_loop().time() + 1000

        process.hub.sweep(later)
        assert {NOTES: room} == process.hub.rooms
        await process.journal.flush()
        process.hub.sweep(later)

        assert {} == process.hub.rooms


class FailsOnce(Replica):
    """A replica whose library fails on one text."""

    def _apply(self, update: bytes) -> None:
        if b"poison" in update:
            raise BrokenReplicaError("pycrdt failed")
        super()._apply(update)


async def test_a_room_that_fails_keeps_none_from_being_told_the_time() -> None:
    """H5, H8, A5: whatever is wrong with it, the others are kept alive, and closed when they are idle."""
    process = Process(SlowStore(), linger_seconds=0)
    process.hub.limits = replace(process.hub.limits, tick_seconds=0)

    def fail(now: float) -> None:
        raise RuntimeError("the handler is closed")

    async with process.hub.running(), process.hub.kept_open(DocumentId("bad"), "ann") as bad:
        bad.tick = fail  # type: ignore[method-assign]
        good = await process.hub.open(DocumentId("good"))

        await until(lambda: not process.hub.is_open(good))
        assert {} == process.hub.problems


async def test_a_broken_room_is_mended_from_the_log() -> None:
    """R13, H7."""
    async with running() as process:
        room = await process.hub.open(NOTES)
        room._replica = FailsOnce()
        author, other = process.join(room), process.join(room)
        other.ask()

        author.say(typed(7, 0, "hello"))
        author.say(typed(7, 5, "poison", (7, 4)))
        await until(lambda: not room.broken)

        assert 4400 == author.closed_with
        assert other.closed_with is None
        other.send(typed(8, 0, "!", (7, 4)))
        await process.journal.flush()
        assert 2 == len(await process.store.load(NOTES))


async def test_who_has_a_document_open_that_turns_out_to_be_damaged_is_told() -> None:
    """R13, H3: and nothing overwrites it."""
    async with running() as process:
        room = await process.hub.open(NOTES)
        room._replica = FailsOnce()
        author, other = process.join(room), process.join(room)
        process.store.failure = DamagedError("notes", "a bad row")

        author.say(typed(7, 0, "poison"))
        await until(lambda: other.closed_with is not None)

        assert 1011 == other.closed_with
        assert {} == process.hub.rooms
        assert () == tuple(await MemoryStore.load(process.store, NOTES))


async def test_a_snapshot_that_takes_long_is_let_in_piece_by_piece() -> None:
    """H2, H7, C7: compaction says how long; 30,000 letters that were all typed at one place take 12 s."""
    crowded = update({9: (0, [text("y", left=(7, at % 5)) for at in range(500)]), 7: (0, [text("hello")])})
    snapshot = Replica.load([], [crowded]).full_state()
    async with running() as process:
        await process.store.append([(NOTES, Entry(crowded, "eve"))])
        (row,) = await process.store.load(NOTES)
        slow = timed(survey(snapshot), SLOW_MILLISECONDS + 1)
        await process.store.compact(Compaction(NOTES, snapshot, slow, 1.0, (row.id,), None, True, 1.0))

        room = await process.hub.open(NOTES)

        assert Replica.load([snapshot], []).digest() == room.state()[1]
        assert 505 == len(text_of(room.state()[0]))


def test_rows_that_take_long_are_taken_a_few_at_a_time() -> None:
    """H7: 87 KB of letters, all typed at one place, stopped everybody for 3 s at each attempt to open them."""
    rows = [typed(7, 0, "hello")]
    rows += [update({client: (0, [text("y", left=(7, client % 5))])}) for client in range(100, 4100)]
    replica = Replica()

    turns = len(list(replica.take_rows(rows)))

    assert 4005 == len(text_of(replica.full_state(), "t"))
    assert turns > 4000 * 4000 / 2 / STEPS_AT_A_STRETCH


async def test_a_document_is_opened_without_what_pycrdt_fails_on() -> None:
    """R22, H7: each such row had the document loaded once more on the loop, 30 ms a time where it is large."""
    async with running() as process:
        rows = [typed(7, 0, "hello")]
        rows += [update({client: (0, [text("x", inside=(7, 5))])}) for client in range(66, 96)]
        rows.append(typed(7, 5, "!", (7, 4)))
        await process.store.append([(NOTES, Entry(row, "eve")) for row in rows])

        room = await process.hub.open(NOTES)

        assert "hello!" == text_of(room.state()[0], "t")
        assert 32 == len(await process.store.load(NOTES))


async def test_a_task_that_fails_is_started_again_and_readiness_says_so() -> None:
    """H8."""
    calls = 0

    async def fail_twice() -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise RuntimeError("no disk")
        await asyncio.Event().wait()

    async with running() as process:
        supervised: Awaitable[None] = process.hub._supervise("fragile", fail_twice)
        task = asyncio.ensure_future(supervised)
        await until(lambda: "fragile" in process.hub.problems)
        assert process.hub.problems == {"fragile": "fragile failed: no disk"}
        await until(lambda: calls == 3)
        assert {} == process.hub.problems
        task.cancel()


async def test_stopping_does_not_wait_for_ever_for_a_database() -> None:
    """H6: what is not on disk was not acknowledged either."""

    class Gone(SlowStore):
        async def append(self, batch: Sequence[tuple[DocumentId, Entry]]) -> None:
            raise UnavailableError("the database is locked")

    process = Process(Gone())
    process.hub.limits = HubLimits(drain_seconds=0.01)
    async with asyncio.timeout(5), process.hub.running():
        process.join(await process.hub.open(NOTES)).send(typed(7, 0, "hello"))

    assert process.journal.holds(NOTES)


async def test_an_unexpected_failure_to_open_is_an_answer_too() -> None:
    """H3, H4: nobody waits for ever."""

    class Broken(SlowStore):
        async def load(self, document: DocumentId, most_updates: int | None = None) -> Sequence[LogRow]:
            raise RuntimeError("a bug")

    async with running(Broken()) as process:
        async with asyncio.timeout(5):
            with pytest.raises(DamagedError, match="RuntimeError"):
                await process.hub.open(NOTES)

        assert {} == process.hub.rooms


class LateStore(SlowStore):
    """A store whose loads have read their rows when they wait for the test."""

    async def load(self, document: DocumentId, most_updates: int | None = None) -> Sequence[LogRow]:
        rows = await MemoryStore.load(self, document, most_updates)
        self.loads += 1
        await self.open.wait()
        return rows


async def test_what_is_stored_past_a_room_that_opens_reaches_it() -> None:
    """N4: the room has read its document before that was created."""
    async with running(LateStore()) as process:
        process.store.open.clear()
        opening = asyncio.ensure_future(process.hub.open(NOTES))
        await until(lambda: process.store.loads == 1)

        assert await process.store.create(NOTES, Entry(SEED, "ann"))
        bringing = asyncio.ensure_future(process.hub.bring(NOTES, SEED, read(SEED)))
        process.store.open.set()
        await bringing

        assert SEED == (await opening).state()[0]
        assert 1 == len(await process.store.load(NOTES))


async def test_what_is_stored_past_a_broken_room_reaches_it() -> None:
    """N4: its document was read again before that was created."""
    async with running(LateStore()) as process:
        room = await process.hub.open(NOTES)
        process.store.open.clear()
        room._break(BrokenReplicaError("for the test"), None)
        await until(lambda: process.store.loads == 2)

        assert await process.store.create(NOTES, Entry(SEED, "ann"))
        bringing = asyncio.ensure_future(process.hub.bring(NOTES, SEED, read(SEED)))
        await asyncio.sleep(0)
        process.store.open.set()
        await bringing

        assert SEED == room.state()[0]


async def test_the_lineage_of_a_document_is_that_of_its_store() -> None:
    """L1: none as long as nothing is stored, then always the same."""
    async with running() as process:
        await process.hub.open(NOTES)
        assert await process.hub.lineage(NOTES) is None

        await process.store.append([(NOTES, Entry(SEED, "ann"))])

        described = await process.store.describe(NOTES)
        assert described is not None
        assert described.lineage == await process.hub.lineage(NOTES) == await process.hub.lineage(NOTES)
