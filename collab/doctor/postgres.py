"""A database on PostgreSQL in a doctor's care: servers go on using it meanwhile (D8, D10).

Not for its files: what PostgreSQL itself can't read is for the tools of its operator.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection

from collab.doctor.database import Looking, Say, Treating
from collab.store.postgres import PostgresDatabase, name_of
from collab.store.readonly_postgres import PATIENCE_SECONDS, ReadOnlyPostgres

T = TypeVar("T")


class PostgresTables:
    """The tables of ours in one database."""

    def __init__(self, url: str, *, allow_unsafe_commits: bool) -> None:
        """Know where it is; a repair whose commit may be lost is refused unless allowed (S23)."""
        self._url = url
        self._allow_unsafe_commits = allow_unsafe_commits

    @property
    def name(self) -> str:
        return name_of(self._url)

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[Looking]:
        reading = await ReadOnlyPostgres.open(self._url)
        try:
            yield reading
        finally:
            await reading.close()

    @asynccontextmanager
    async def treating(self, say: Say) -> AsyncIterator[Treating]:
        database = await PostgresDatabase.open(
            self._url, allow_unsafe_commits=self._allow_unsafe_commits, answer_seconds=PATIENCE_SECONDS
        )
        try:
            async with self.looking() as reading:
                yield _Operation(reading, database)
        finally:
            await database.close()


@dataclass(frozen=True, slots=True)
class _Operation:
    reading: Looking
    """Sees a document's rows and its history at one moment."""
    database: PostgresDatabase
    salvaged: None = None

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self.reading.read(work)

    def write(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        return self.database.write(work)
