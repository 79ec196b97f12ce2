"""A SQLite file in a doctor's care: whoever treats it holds its lock, and a damaged file is made new first (D8, D9)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from collab.doctor.database import Looking, Say, Treating
from collab.store.readonly import ReadOnlySqlite
from collab.store.salvage import Salvaged, salvage
from collab.store.sqlite import SqliteDatabase, locked

T = TypeVar("T")


class SqliteFile:
    """A database in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        return str(self._path)

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[Looking]:
        with ReadOnlySqlite(self._path) as file:
            yield file

    @asynccontextmanager
    async def treating(self, say: Say) -> AsyncIterator[Treating]:
        salvaged = self._salvage(say)
        database = await SqliteDatabase.open(self._path, processes=1, lock_timeout_seconds=5)
        try:
            with ReadOnlySqlite(self._path, alone=True) as file:
                yield _Operation(file, database, salvaged)
        finally:
            await database.close()

    def _salvage(self, say: Say) -> Salvaged | None:
        with locked(self._path, alone=True):
            # A file that was just restored has no WAL yet, and the lock is ours.
            with ReadOnlySqlite(self._path, alone=True) as file:
                sound = not file.integrity()
            return None if sound else salvage(self._path, say)


@dataclass(frozen=True, slots=True)
class _Operation:
    file: ReadOnlySqlite
    """Reads what a damaged row holds in the place of a text, too."""
    database: SqliteDatabase
    salvaged: Salvaged | None

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self.file.read(work)

    def write(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        return self.database.write(work)
