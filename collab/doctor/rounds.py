"""A round through all documents of a database: looking at each, and treating those that are damaged.

Not for: what is wrong with one document (`examination`), or for saying it (`report`). Looking never writes.
Treating holds the database's lock, so no server runs meanwhile (D8).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from sqlalchemy.exc import DatabaseError

from collab.doctor.examination import Examination, examine, prescribe
from collab.doctor.report import Case, Report, Surgery, Treatment
from collab.errors import CollabError, ConfigurationError
from collab.sandbox import Sandbox
from collab.store import census
from collab.store.census import LOG, Damage, Listed, Readable, Record
from collab.store.readonly import ReadOnlySqlite, too_broken
from collab.store.repair import adopt, carry_out
from collab.store.salvage import salvage
from collab.store.sqlite import SqliteDatabase, locked


class Progress(Protocol):
    """Whoever waits for a round to end."""

    def begin(self, total: int) -> None:
        """A round through so many documents begins."""

    def step(self) -> None:
        """One more is done."""

    def say(self, what: str) -> None:
        """Something else begins that may take long."""


class Doctor:
    """Looks after one SQLite file."""

    def __init__(self, path: Path, names: Sequence[str], sandbox: Sandbox, progress: Progress) -> None:
        """Look at the named documents only, if there are names; replay them in `sandbox`."""
        self._path = path
        self._names = names
        self._sandbox = sandbox
        self._progress = progress

    async def look(self) -> Report:
        """Return what is wrong; nothing is changed, and a server may run (D1, D8).

        Raises:
            StartupError: the database cannot be read, or there is no such document.
        """
        with ReadOnlySqlite(self._path) as file:
            self._progress.say("checking the file")
            report = Report(str(self._path), file.revision, [*file.integrity(), *file.orphans()])
            async for listed in self._documents(file):
                report.add(await self._examine(file, listed))
        return report

    async def treat(self) -> Surgery:
        """Repair whatever is wrong, as far as it can be (D5 to D8).

        Raises:
            StartupError: the database cannot be repaired, or is in use.
        """
        surgery = Surgery()
        with locked(self._path, alone=True):
            with ReadOnlySqlite(self._path) as file:
                sound = not file.integrity()
            if not sound:
                surgery.salvaged = salvage(self._path, self._progress.say)
        database = await SqliteDatabase.open(self._path, processes=1, lock_timeout_seconds=5)
        try:
            surgery.adopted += await database.write(partial(adopt, time.time()))
            with ReadOnlySqlite(self._path) as file:
                async for listed in self._documents(file):
                    treatment = await self._treat(file, database, listed)
                    if treatment is not None:
                        surgery.treatments.append(treatment)
        finally:
            await database.close()
        return surgery

    async def _examine(self, file: Readable, listed: Listed) -> Case:
        record = await file.read(partial(census.read_record, listed.id))
        try:
            examination = await self._sandbox.run(examine, record)
        except CollabError as error:
            # Not known which row it was: it took the process with it, or all its time.
            damage = Damage(LOG, None, f"it cannot be replayed: {error}")
            examination = Examination((*record.unreadable, damage), 0, 0, empty=False)
        return Case(listed.name, len(record.rows), _size(record), examination)

    async def _treat(self, file: Readable, database: SqliteDatabase, listed: Listed) -> Treatment | None:
        record = await file.read(partial(census.read_record, listed.id))
        try:
            prescribed = await self._sandbox.run(prescribe, listed.id, record)
            if prescribed is None:
                return None
            repair, outcome = prescribed
            await database.write(partial(carry_out, repair, time.time()))
        except CollabError as error:
            self._progress.say(f"{listed.name}: not repaired: {error}")
            return None
        return Treatment(listed.name, repair.aside, sum(len(data) for data, _ in repair.added), outcome)

    async def _documents(self, file: ReadOnlySqlite) -> AsyncIterator[Listed]:
        """Yield the documents to look at, and count them."""
        try:
            if self._names:
                self._progress.begin(len(self._names))
                for name in self._names:
                    yield await _named(file, name)
                    self._progress.step()
                return
            self._progress.begin(await file.read(census.count_documents))
            last = 0
            while page := await file.read(partial(census.list_documents, last)):
                for listed in page:
                    yield listed
                    self._progress.step()
                last = page[-1].id
        except DatabaseError as error:
            raise too_broken(self._path) from error


async def _named(file: Readable, name: str) -> Listed:
    listed = await file.read(partial(census.find_document, name))
    if listed is None:
        raise ConfigurationError(f"there is no document {name!r}")
    return listed


def _size(record: Record) -> int:
    return sum(len(row.data) for row in record.rows)
