"""What a database is after a power cut at any moment of a server's life (G2).

A real server is recorded while people type: from the making of its database through checkpoints,
compactions, its death and its next start to its end. Then disks are made of the record, each as it may
have been found at some moment, and the server's own store opens them.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from collab.core.ports import DocumentId
from collab.errors import CollabError, StartupError
from collab.loading import readable_of
from collab.store.sql import SqlStore
from tests.durability import tracing
from tests.durability.disk import Disk
from tests.durability.evidence import contents_of
from tests.durability.ledger import Findings, Ledger, compare
from tests.durability.recording import Event, Receipt, events
from tests.durability.typist import Typist, company, wait_until
from tests.support.server import Server

PAUSE_SECONDS: Final = 0.02
_FIRST_RECEIPTS: Final = 16
MEMORY: Final = Path("/dev/shm")
"""Disks are looked at here, where syncs cost nothing, if there is such a place."""


@dataclass(frozen=True)
class Record:
    """A server's life, and what its typists wrote down."""

    database: str
    events: Sequence[Event]
    restart: int
    """How many of the events were the first server's."""
    ledgers: dict[str, list[Ledger]]
    """Of each document."""

    @property
    def acknowledged(self) -> int:
        return sum(ledger.acknowledged for ledgers in self.ledgers.values() for ledger in ledgers)


@dataclass
class Figures:
    """What came of some images."""

    images: int = 0
    unsound: list[str] = field(default_factory=list)
    """Why an image could not be opened, or what is damaged in it."""
    findings: Findings = field(default_factory=Findings)
    with_receipts: int = 0
    """Images of a moment at which something had been acknowledged."""

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.images + other.images,
            self.unsound + other.unsound,
            self.findings + other.findings,
            self.with_receipts + other.with_receipts,
        )


async def record(
    folder: Path,
    seed: int,
    *,
    updates: int,
    typists: int = 8,
    patiently: bool = False,
    failing: bool = False,
    module: str = "tests.durability.hurried",
) -> Record:
    """Record two servers, one after the other: one that dies in a commit, one that ends when it is asked to.

    The first one's syncs fail, if `failing` is told, and it ends of that. The second ends when it has
    acknowledged so many updates. `folder` is there, and is not shared with
    another record.
    """
    server = Server(folder / "data", compact_rows=60, compact_interval_seconds=0.2)
    server.module = module
    people = company(seed, min(typists, 3), typists)
    logs = folder / "first", folder / "second"
    try:
        # What is written and not yet synced then, the next server finds in the kernel's cache.
        last = Random(seed).randint(40, 80)
        server.wrapper = tracing.record(logs[0], **{"fail_from_sync" if failing else "kill_at_sync": last})
        # One that syncs too little to die of it is killed anyway, if its death is all that is wanted.
        most = float("inf") if failing else 4 * updates
        await _live(
            server,
            people,
            lambda: server.wait(0) is not None or _acknowledged(people) >= most,
            patiently=patiently,
        )
        await _end(server, signal.SIGKILL, logs[0])
        server.wrapper = tracing.record(logs[1])
        enough = _acknowledged(people) + updates
        await _live(server, people, lambda: _acknowledged(people) >= enough, patiently=patiently)
        await _end(server, signal.SIGTERM, logs[1])
    finally:
        server.kill()
    ledgers: dict[str, list[Ledger]] = {}
    for person in people:
        await person.offline()
        person.close()
        ledgers.setdefault(person.document, []).append(person.ledger)
    first, second = (list(events(log, server.database.resolve())) for log in logs)
    return Record(server.database.name, first + second, len(first), ledgers)


def _acknowledged(typists: Iterable[Typist]) -> int:
    return sum(each.ledger.acknowledged for each in typists)


async def _live(server: Server, typists: Sequence[Typist], done: Callable[[], bool], *, patiently: bool) -> None:
    """Let everybody type until it is enough."""
    await asyncio.to_thread(server.start)
    for typist in typists:
        await typist.offline()
        typist.go_online(server.ws_url)
    typing = [asyncio.ensure_future(typist.type(PAUSE_SECONDS, patiently=patiently)) for typist in typists]
    try:
        await wait_until(done, "the server has died, or enough is saved")
    finally:
        for task in typing:
            task.cancel()
        await asyncio.gather(*typing, return_exceptions=True)


async def _end(server: Server, number: signal.Signals, log: Path) -> None:
    """End a server, if it has not ended, but not its tracer, which has to write that down."""
    with suppress(ProcessLookupError):
        os.kill(server.pid, number)
    assert await asyncio.to_thread(server.wait, 30) is not None, server.log
    pattern = re.compile(rf"^{server.pid} +\+\+\+ ", re.MULTILINE)
    await wait_until(lambda: pattern.search(log.read_text()) is not None, "strace has written everything")
    server.kill()


def moments(record: Record, images: int, seed: int) -> list[int]:
    """Return when to cut: a third of them at any event, a third behind receipts, a third soon after the new start."""
    random = Random(seed)
    receipts = [at for at, event in enumerate(record.events) if isinstance(event, Receipt)]
    first = [at for at in receipts if at >= record.restart][:_FIRST_RECEIPTS]
    return [
        random.choice((random.randrange(len(record.events)), *random.choices(receipts), *random.choices(first)))
        for _ in range(images)
    ]


async def cut(
    record: Record, seed: int, moments: Sequence[int], progress: Callable[[int], bool] = lambda done: True
) -> Figures:
    """Look at a disk of each moment, or until `progress` says that it is enough."""
    random = Random(seed)
    disk, told, figures = Disk(), dict.fromkeys(_clients(record), 0), Figures()
    happened = 0
    for moment in sorted(moments):
        for event in record.events[happened : moment + 1]:
            disk.take(event)
            if isinstance(event, Receipt):
                told[event.client] = max(told[event.client], event.count)
        happened = moment + 1
        await _look(disk.after_power_cut(random), record, told, figures)
        if not progress(figures.images):
            break
    return figures


def _clients(record: Record) -> list[int]:
    return [ledger.client for ledgers in record.ledgers.values() for ledger in ledgers]


async def _look(image: dict[str, bytes], record: Record, told: dict[int, int], figures: Figures) -> None:
    figures.images += 1
    figures.with_receipts += any(told.values())
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        for name, content in image.items():
            (Path(folder) / name).write_bytes(content)
        database = Path(folder) / record.database
        try:
            store = await SqlStore.open(f"sqlite:///{database}")
            try:
                for document, ledgers in record.ledgers.items():
                    name = DocumentId(document)
                    contents = contents_of(readable_of(name, await store.load(name)).full_state())
                    figures.findings += compare(contents, ledgers, [told[each.client] for each in ledgers])
            finally:
                await store.close()
            with closing(sqlite3.connect(database)) as connection:
                (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
            if verdict != "ok":
                figures.unsound.append(verdict)
        except (CollabError, StartupError) as error:
            figures.unsound.append(str(error))
