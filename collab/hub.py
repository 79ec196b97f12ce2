"""All rooms of this process: each opened once however many ask, and closed when nobody is left.

Not for: what happens inside of a room (`core.room`), or sockets (`transport`). The hub owns the one
TaskGroup of the process, with the journal, the janitor, and what opens, mends and compacts rooms.
The rules are H of docs/spec.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakSet

import structlog

from collab.budgets import WorkLimits
from collab.core.challenge import Challenge
from collab.core.connection import Connection, RoomLimits, Trial, Tried
from collab.core.inspection import Inspection
from collab.core.ports import DocumentId, Uplink
from collab.core.room import Due, Room
from collab.core.turn import NOBODY
from collab.core.waiting import WaitingLimits
from collab.errors import CollabError, DamagedError, DiskFailedError, NotFoundError, UnavailableError
from collab.fair_queue import FairQueue
from collab.loading import Loader
from collab.sandbox import Sandbox
from collab.stateless import StatelessHandler, StatelessMessages
from collab.store.base import Store
from collab.store.compaction import Compactor
from collab.store.journal import GroupCommitJournal
from collab.trial import carry_out

log = structlog.get_logger(__name__)

TICK_SECONDS: Final = 5.0
"""How often rooms are told the time. A keep-alive is due every 20 s, a client gives up after 30."""

CHALLENGE_SECONDS: Final = 3.0
"""How long the owner of a client id may take to answer: many round trips on a bad line, and less than people wait."""

MAX_BACKOFF_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class HubLimits:
    """How rooms are opened and closed."""

    linger_seconds: float = 30.0
    tick_seconds: float = TICK_SECONDS
    concurrent_loads: int = 8
    drain_seconds: float = 10.0
    """How long stopping may wait for the log."""
    create_on_open: bool = True
    """Whether a document that is not there is one that nobody has written to yet."""
    work: WorkLimits = field(default_factory=WorkLimits)
    room: RoomLimits = field(default_factory=RoomLimits)
    waiting: WaitingLimits = field(default_factory=WaitingLimits)


class Hub:
    """Owner of every room and of every task of this process."""

    def __init__(
        self,
        store: Store,
        journal: GroupCommitJournal,
        uplink: Uplink,
        compactor: Compactor,
        trials: Sandbox,
        limits: HubLimits | None = None,
        handler: StatelessHandler | None = None,
    ) -> None:
        """Use these parts; `handler` is told what clients say to the application."""
        self.rooms: dict[DocumentId, Room] = {}
        self.problems: dict[str, str] = {}
        """What is wrong right now, by the name of the task; empty when all is well."""
        self.limits = limits or HubLimits()
        self._store = store
        self._journal = journal
        self._uplink = uplink
        self._compactor = compactor
        self._trials = trials
        self._trial_turns = FairQueue()
        self._stateless = StatelessMessages(handler, self.run_errand)
        self._loader = Loader(store, compactor, self.limits.waiting, self.limits.concurrent_loads)
        self._opening: dict[DocumentId, asyncio.Future[Room]] = {}
        self._lineages: dict[DocumentId, str] = {}
        """Of open rooms, once somebody has asked."""
        self._acquainted: WeakSet[Room] = WeakSet()
        self._idle_since: dict[DocumentId, float] = {}
        self._expected: dict[DocumentId, int] = {}
        """How many are in a room, or on their way."""
        self._dirty: list[Room] = []
        self._mending: set[DocumentId] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._errands: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the hub's tasks; what was appended is on disk when this ends."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            writing = tasks.create_task(self._supervise("journal", self._journal.run))
            supervised = [
                writing,
                tasks.create_task(self._supervise("janitor", self._watch)),
                tasks.create_task(self._supervise("compactor", self._compactor.run)),
            ]
            try:
                yield
            finally:
                self._settle()
                # After a failure of the disk nobody writes any more: waiting only keeps people from the next process.
                if not writing.done():
                    await self._flush()
                for task in [*supervised, *self._errands]:
                    task.cancel()
                self._tasks = None

    async def _flush(self) -> None:
        try:
            await self._journal.flush(timeout_seconds=self.limits.drain_seconds)
        except UnavailableError as error:
            # Nobody was told that these are saved, and their clients still have them.
            log.error("stopping with edits that are not on disk", error=str(error))

    # ---- opening ----

    async def open(self, document: DocumentId, principal: str = NOBODY) -> Room:
        """Return the room of a document for somebody, opened once however many ask (H1).

        Raises:
            UnavailableError: the store does not answer.
            DamagedError: what is stored cannot be read; nothing overwrites it (H3).
        """
        room = self.rooms.get(document)
        if room is not None:
            return room
        opening = self._opening.get(document)
        if opening is None:
            opening = self._opening[document] = self._loop.create_future()
            self.start(self._open(document, principal, opening))
        # Shielded: whoever gives up waiting takes the room from nobody else.
        return await asyncio.shield(opening)

    @asynccontextmanager
    async def kept_open(self, document: DocumentId, principal: str) -> AsyncIterator[Room]:
        """Give the room of a document, and keep it while somebody is on the way into it, or in it (H11).

        Raises:
            CollabError: as `open` does.
        """
        self._expected[document] = self._expected.get(document, 0) + 1
        try:
            yield await self.open(document, principal)
        finally:
            self._expected[document] -= 1
            if not self._expected[document]:
                del self._expected[document]

    async def look_up_authors(self, room: Room) -> None:
        """Tell a room whose each client id is (S8): who may only comment has none of others, and begins nothing (R30).

        Raises:
            UnavailableError: the store does not answer.
        """
        if room not in self._acquainted:
            room.begun = room.begun or await self._store.describe(room.document) is not None
            room.authors.update(await self._store.clients(room.document))
            self._acquainted.add(room)

    async def _open(self, document: DocumentId, principal: str, opened: asyncio.Future[Room]) -> None:
        try:
            if not self.limits.create_on_open and await self._store.describe(document) is None:
                raise NotFoundError(f"there is no document {document!r}")
            replica = await self._loader.load(document, principal)
        except CollabError as error:
            if not isinstance(error, NotFoundError):
                log.warning("a document could not be opened", document=document, error=str(error))
            opened.set_exception(error)
            opened.exception()  # seen, even if everybody has gone
        except Exception as error:
            log.exception("a document could not be opened", document=document)
            opened.set_exception(DamagedError(document, f"{type(error).__name__} while it was opened"))
            opened.exception()
        else:
            room = Room(
                document, replica, self._journal, self._uplink, self._wake, self.limits.room, self._stateless.hear
            )
            room.tick(self._loop.time())
            self.rooms[document] = room
            self._idle_since[document] = self._loop.time()
            opened.set_result(room)
        finally:
            del self._opening[document]

    async def lineage(self, document: DocumentId) -> str | None:
        """Return the lineage of a document, None as long as nothing of it is stored (L1)."""
        lineage = self._lineages.get(document)
        if lineage is None and (stored := await self._store.describe(document)) is not None:
            lineage = stored.lineage
            if document in self.rooms:
                # It changes only while no server runs.
                self._lineages[document] = lineage
        return lineage

    async def bring(self, document: DocumentId, update: bytes, inspection: Inspection) -> None:
        """Tell a room of what has been stored past it, whether it is open, opening, or being read again (N4)."""
        if document in self._opening:
            with suppress(CollabError):
                await self.open(document)
        room = self.rooms.get(document)
        # Rare, and nobody waits but whoever creates the document: not worth an event of its own.
        while room is not None and room.broken and self.rooms.get(document) is room:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        if room is not None and not room.broken:
            room.bring(update, inspection)

    # ---- the end of each turn ----

    def _wake(self, room: Room) -> None:
        if not self._dirty:
            self._loop.call_soon(self._settle)
        self._dirty.append(room)

    def _settle(self) -> None:
        dirty, self._dirty = self._dirty, []
        for room in dirty:
            if not room.broken:
                room.settle()
            elif room.document not in self._mending:
                self._mending.add(room.document)
                self.start(self._mend(room))

    async def _mend(self, room: Room) -> None:
        """Read a broken room's document again, once all that it appended is in the log (R13)."""
        log.error("pycrdt failed; the document is read again", document=room.document)
        try:
            await self._journal.flush(room.document)
            room.mend(await self._loader.load(room.document, NOBODY))
        except CollabError as error:
            log.error("the document cannot be read again", document=room.document, error=str(error))
            self._close(room, error)
        except Exception as error:
            log.exception("the document cannot be read again", document=room.document)
            self._close(room, DamagedError(room.document, f"{type(error).__name__} while it was read again"))
        finally:
            self._mending.discard(room.document)

    # ---- trials ----

    def find_out(self, room: Room, due: Due, done: Callable[[], None]) -> None:
        """Try an update in another process, or see whether somebody is there; tell the room, then call `done`."""
        self.start(self._find_out(room, due, done))

    async def _find_out(self, room: Room, due: Due | None, done: Callable[[], None]) -> None:
        while due is not None:
            if isinstance(due, Challenge):
                await asyncio.sleep(CHALLENGE_SECONDS)
                due = room.decide(due)
            else:
                async with self._trial_turns.turn(due.connection.principal, room.document):
                    outcome = await self._outcome_of(room, due)
                due = room.resume(due, outcome)
        done()

    async def _outcome_of(self, room: Room, trial: Trial) -> Tried | CollabError:
        if trial.connection.closed:
            return UnavailableError("whoever sent the update has gone")
        try:
            return await carry_out(trial, self._trials)
        except Exception:
            log.exception("a trial failed", document=room.document)
            return UnavailableError("the update could not be tried")

    # ---- closing ----

    def is_open(self, room: Room) -> bool:
        """Whether whoever comes for its document gets this room."""
        return self.rooms.get(room.document) is room

    def left(self, room: Room, connection: Connection) -> None:
        """Take note that a connection is gone."""
        room.leave(connection)
        if not room.connections:
            self._idle_since[room.document] = self._loop.time()

    def _close(self, room: Room, error: CollabError) -> None:
        for connection in list(room.connections):
            room.close(connection, error)
        self._forget(room)

    def _forget(self, room: Room) -> None:
        del self.rooms[room.document]
        room.retire()
        self._idle_since.pop(room.document, None)
        self._lineages.pop(room.document, None)
        self._compactor.closed(room.document)

    def sweep(self, now: float) -> None:
        """Drop rooms that nobody came back to, and of which nothing waits to be written (H5)."""
        for document, room in list(self.rooms.items()):
            if room.connections or room.broken or document in self._expected:
                continue
            idle = now - self._idle_since.setdefault(document, now)
            if idle >= self.limits.linger_seconds and not self._journal.holds(document):
                self._forget(room)

    async def _watch(self) -> None:
        """Tell rooms the time, and close idle ones."""
        while True:
            await asyncio.sleep(self.limits.tick_seconds)
            now = self._loop.time()
            for room in list(self.rooms.values()):
                try:
                    room.tick(now)
                except Exception:
                    # Whatever is wrong with one of them, the others go on.
                    log.exception("a room could not be told the time", document=room.document)
            self.sweep(now)

    # ---- tasks ----

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Do a piece of work in a task of its own; its failure is logged, and ends nothing else."""
        if self._tasks is None:
            work.close()
            return
        self._tasks.create_task(self._guard(work))

    def run_errand(self, work: Coroutine[object, object, None]) -> None:
        """Do something of the application's own in a task that is given up when the server stops.

        Nobody knows how long that may take; its failure is logged, and ends nothing else.
        """
        if self._tasks is None:
            work.close()
            return
        task = self._tasks.create_task(self._guard(work))
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _guard(self, work: Awaitable[None]) -> None:
        """Keep the failure of one piece of work from ending all others, but for one of the disk (S19)."""
        try:
            await work
        except DiskFailedError:
            log.critical("the disk has failed; the server ends")
            raise
        except Exception:
            log.exception("a task of the hub failed")

    async def _supervise(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a task for ever: one that fails is started again, later each time (H8)."""
        backoff = 0.1
        while True:
            started = self._loop.time()
            try:
                await run()
            except DiskFailedError:
                # What the disk holds is not known any more (hazards S5): only a new process can find out.
                log.critical("the disk has failed; the server ends", task=name)
                raise
            except Exception as error:
                log.exception("a task failed and is started again", task=name)
                self.problems[name] = f"{name} failed: {error}"
            if self._loop.time() - started > MAX_BACKOFF_SECONDS * 2:
                backoff = 0.1
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
            self.problems.pop(name, None)
