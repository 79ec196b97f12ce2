"""A round through all documents of a database: looking at each, and treating those that are damaged.

Not for: what is wrong with one document (`examination`), or for saying it (`report`). Looking never writes.
How a database is opened is its own affair (`database`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Final, Protocol

from collab.core.wire import EMPTY_UPDATE
from collab.doctor.database import Database, Treating
from collab.doctor.examination import Examination, examine, prescribe
from collab.doctor.report import Case, Report, Surgery, Treatment
from collab.errors import CollabError, ConfigurationError
from collab.sandbox import Sandbox
from collab.store import census, migrate
from collab.store.census import LOG, Damage, Listed, Readable, Record
from collab.store.numbering import exhausted, renumber
from collab.store.repair import adopt, carry_out, rename
from collab.store.schema import differences

_SHOWN: Final = 60
"""Characters of a name, which may be as long as a disk."""


class Progress(Protocol):
    """Whoever waits for a round to end."""

    def begin(self, total: int) -> None:
        """A round through so many documents begins."""

    def step(self) -> None:
        """One more is done."""

    def say(self, what: str) -> None:
        """Something else begins that may take long."""


class Doctor:
    """Looks after one database."""

    def __init__(self, database: Database, names: Sequence[str], sandbox: Sandbox, progress: Progress) -> None:
        """Look at the named documents only, if there are names; replay them in `sandbox`."""
        self._database = database
        self._names = names
        self._sandbox = sandbox
        self._progress = progress

    async def look(self) -> Report:
        """Return what is wrong; nothing is changed, and a server may run (D1, D8).

        Raises:
            StartupError: the database cannot be read, or there is no such document.
        """
        async with self._database.looking() as looking:
            self._progress.say("checking the database")
            found = await looking.read(differences) if looking.revision == migrate.HEAD else []
            damaged = await looking.storage_problems()
            report = Report(self._database.name, looking.revision, [*damaged, *(each.what for each in found)])
            if any(each.fatal for each in found):
                report.problems.append("no document can be looked at before that is mended")
                return report
            report.problems += await looking.orphans()
            if not damaged:
                report.problems += await looking.read(exhausted)
            report.problems += [
                f"nobody can open document {each.id}, {each.name[:_SHOWN]!r}: {each.reason}"
                for each in await looking.read(census.misnamed)
            ]
            async for listed in self._documents(looking):
                report.add(await self._examine(looking, listed))
        return report

    async def treat(self) -> Surgery:
        """Repair whatever is wrong, as far as it can be (D5 to D9).

        Raises:
            StartupError: the database cannot be repaired, or is in use.
        """
        async with self._database.treating(self._progress.say) as treating:
            surgery = Surgery(treating.salvaged)
            surgery.adopted += await treating.write(partial(adopt, time.time()))
            # Behind that: an id of a document that is missing is not free, and may be one of the last. And in front of
            # what adds rows.
            surgery.renumbered += await treating.write(renumber)
            surgery.renamed += await treating.write(partial(rename, time.time()))
            async for listed in self._documents(treating):
                await self._treat(treating, listed, surgery)
        return surgery

    async def _examine(self, database: Readable, listed: Listed) -> Case:
        record = await database.read(partial(census.read_record, listed.id))
        try:
            examination = await self._sandbox.run(examine, record)
        except CollabError as error:
            # Not known which row it was: it took the process with it, or all its time.
            damage = Damage(LOG, None, f"it cannot be replayed: {error}")
            examination = Examination((*record.unreadable, damage))
        return Case(listed.name, len(record.rows), _size(record), examination)

    async def _treat(self, treating: Treating, listed: Listed, surgery: Surgery) -> None:
        record = await treating.read(partial(census.read_record, listed.id))
        if record.unreadable:
            # What can't be read can't be moved either, and history would be put in again each time (D10).
            surgery.untreated[listed.name] = f"the database itself cannot read it: {record.unreadable[0].reason}"
            return
        try:
            prescribed = await self._sandbox.run(prescribe, listed.id, record)
            if prescribed is None:
                return
            repair, outcome = prescribed
            await treating.write(partial(carry_out, repair, time.time()))
        except CollabError as error:
            surgery.untreated[listed.name] = str(error)
            return
        recovered = sum(len(data) for data, _ in repair.added if data != EMPTY_UPDATE)
        renewed = "" if repair.renewal is None else repair.renewal.reason
        treatment = Treatment(
            listed.name, repair.aside, recovered, len(repair.surveys), len(repair.mended), renewed, outcome
        )
        surgery.treatments.append(treatment)

    async def _documents(self, database: Readable) -> AsyncIterator[Listed]:
        """Yield the documents to look at, and count them."""
        if self._names:
            self._progress.begin(len(self._names))
            for name in self._names:
                yield await _named(database, name)
                self._progress.step()
            return
        self._progress.begin(await database.read(census.count_documents))
        last = census.BEFORE_ALL
        while page := await database.read(partial(census.list_documents, last)):
            for listed in page:
                yield listed
                self._progress.step()
            last = max(listed.id for listed in page)


async def _named(database: Readable, name: str) -> Listed:
    listed = await database.read(partial(census.find_document, name))
    if listed is None:
        raise ConfigurationError(f"there is no document {name!r}")
    return listed


def _size(record: Record) -> int:
    return sum(len(row.data) for row in record.rows)
