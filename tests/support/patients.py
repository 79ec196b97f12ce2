"""Databases that a doctor is called to, of each kind, and what happens to them past the code under test.

Not for damaged pages of files (`damage`), nor for telling damage (`collab.doctor`).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple

from collab.content import render
from collab.core.merging import merge
from collab.core.ports import DocumentId
from collab.doctor.command import database_at
from collab.doctor.database import Database
from collab.doctor.report import Report, Surgery
from collab.doctor.rounds import Doctor
from collab.loading import readable_of
from collab.sandbox import Sandbox
from collab.store.compaction import compacted
from collab.store.sql import SqlStore
from tests.support import damage
from tests.support.members import typing
from tests.support.postgres import PostgresServer
from tests.support.processes import run_collab

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

DEADLINE_SECONDS = 20.0


HELLO: Final = typing(7, "hello")
TRUNCATED: Final = "UPDATE log SET data = substr(data, 1, length(data) - 2) WHERE id = ?"


class Patient(Protocol):
    """A database with documents, which may be changed as no server would."""

    @property
    def url(self) -> str: ...

    async def change(self, sql: str, *values: object) -> None:
        """Change it; `?` stands for each value. Nothing that would keep it right is in force."""

    async def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what it answers."""


class SqlitePatient:
    """A file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    async def change(self, sql: str, *values: object) -> None:
        damage.change(self.path, sql, *values)

    async def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return damage.ask(self.path, sql, *values)


class PostgresPatient:
    """A database on a server."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.server = server
        self.name = name

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    async def change(self, sql: str, *values: object) -> None:
        async with self.server.session(self.name) as session:
            # As a superuser restores what comes in another order: no foreign key is looked at.
            await session.execute("SET session_replication_role = replica")
            await session.execute(_numbered(sql), *values)

    async def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        async with self.server.session(self.name) as session:
            return [tuple(row) for row in await session.fetch(_numbered(sql), *values)]


def _numbered(sql: str) -> str:
    """Return a statement in PostgreSQL's words, whose values have numbers."""
    number = count(1)
    return "".join(f"${next(number)}" if character == "?" else character for character in sql)


class Quiet:
    """Somebody who waits for a round to end, without looking."""

    def begin(self, total: int) -> None: ...

    def step(self) -> None: ...

    def say(self, what: str) -> None: ...


class Interrupted(Sandbox):
    """Something else happens each time a document has been examined, before anything comes of it."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(seconds=30)
        self._meanwhile = meanwhile

    async def run(self, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        result = await super().run(function, *arguments)
        await self._meanwhile()
        return result


def doctor(patient: Patient, *names: str, sandbox: Sandbox | None = None, database: Database | None = None) -> Doctor:
    at = database or database_at(patient.url, allow_unsafe_commits=False)
    return Doctor(at, names, sandbox or Sandbox(seconds=30), Quiet())


async def look(patient: Patient, *names: str) -> Report:
    return await doctor(patient, *names).look()


async def treat(patient: Patient) -> Surgery:
    """Repair, and insist on nothing being wrong afterwards but what is lost for good."""
    surgery = await doctor(patient).treat()
    report = await look(patient)
    assert not report.repairable, (surgery, report)
    return surgery


def found(report: Report) -> Mapping[str, Sequence[tuple[str, int | None, str]]]:
    """Return where each document is damaged, and why."""
    return {
        case.document: [(damage.place, damage.id, damage.reason) for damage in case.examination.damaged]
        for case in report.damaged
    }


async def fill(
    patient: Patient, documents: Mapping[str, Sequence[bytes]], compacted: Mapping[str, int] | None = None
) -> None:
    """Store these updates, a row each; compact a document after so many of its rows."""
    await damage.fill_at(patient.url, documents, compacted)


async def compact(patient: Patient, document: str) -> None:
    """Compact a document as a server does, history included."""
    store = await SqlStore.open(patient.url)
    compaction = compacted(DocumentId(document), await store.load(DocumentId(document)), history=True)
    if compaction is not None:
        assert await store.compact(compaction)
    await store.close()


async def rows_of(patient: Patient, document: str) -> list[tuple[Any, ...]]:
    """Return the log of a document, oldest first."""
    query = "SELECT log.id, kind, author, data FROM log JOIN documents ON documents.id = document_id WHERE name = ?"
    return await patient.ask(f"{query} ORDER BY log.id", document)


async def stored(patient: Patient, document: str) -> bytes:
    """Return the merge of all rows of a document, as one update."""
    return merge(row[-1] for row in await rows_of(patient, document))


async def text_of(patient: Patient, document: str, root: str = "t") -> str:
    """Return what a document says, as a server reads it."""
    store = await SqlStore.open(patient.url)
    state = readable_of(DocumentId(document), await store.load(DocumentId(document))).full_state()
    await store.close()
    text: str = json.loads(render("json", state)).get(root, "")
    return text


async def wait_for_rows(patient: Patient, document: str, count: int) -> list[Any]:
    """Wait until a server has written so many rows."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(rows := await rows_of(patient, document)) < count:  # noqa: ASYNC110 - another process writes them
            await asyncio.sleep(0.01)
    return rows


async def misspell(patient: Patient) -> None:
    """Change one letter of each snapshot: what comes of it is a Yjs update, too."""
    for id, data in await patient.ask("SELECT id, data FROM log WHERE kind = 1"):
        await patient.change("UPDATE log SET data = ? WHERE id = ?", data.replace(b"hell", b"help"), id)


async def collab(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `collab doctor` as a process."""
    return await asyncio.to_thread(run_collab, "doctor", *arguments, cwd=folder, timeout=60)
