"""A database on PostgreSQL that is only looked at, also while servers write to it, and on a standby.

Every piece of work has a transaction of its own that sees one moment and may not write (READ ONLY, REPEATABLE
READ), so no right but SELECT is needed. Not for whether the server's commits are safe: nothing is committed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from collab.errors import DatabaseUnusableError
from collab.store import census, migrate
from collab.store.postgres import Server, engine_of, startup_errors
from collab.store.sqlstates import FAILURES, explain

T = TypeVar("T")

PATIENCE_SECONDS: Final = 600.0
"""For one answer: a search for rows without a document goes through whole tables."""


class ReadOnlyPostgres:
    """Owns one connection. `open` is how it is had."""

    def __init__(self, name: str, engine: AsyncEngine, revision: str) -> None:
        self.name = name
        self.revision = revision
        """Of its tables."""
        self._engine = engine

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open an existing database.

        Raises:
            ConfigurationError: the URL cannot be read.
            DatabaseTooNewError: a newer release has written to it.
            DatabaseUnusableError: it is not there, empty, none of ours, or may not be read.
        """
        server = Server.at(url, allow_unsafe_commits=True)
        engine = engine_of(
            partial(server.connect, PATIENCE_SECONDS),
            pool_size=1,
            max_overflow=0,
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
        )
        try:
            with startup_errors(server.name):
                async with engine.connect() as connection:
                    revision = await connection.run_sync(migrate.revision, server.name)
            if revision is None:
                raise DatabaseUnusableError(f"the database {server.name} is empty")
        except BaseException:
            await engine.dispose()
            raise
        return cls(server.name, engine, revision)

    async def close(self) -> None:
        await self._engine.dispose()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in one reading transaction.

        Raises:
            UnavailableError: the database is out of reach.
            StatementRefusedError: it is damaged, and `work` does not go around that.
        """
        try:
            async with self._engine.connect() as connection:
                return await connection.run_sync(work)
        except FAILURES as error:
            # Not chained: PostgreSQL's errors quote rows.
            raise explain(error, self.name) from None

    async def storage_problems(self) -> list[str]:
        """Return nothing: PostgreSQL tells of a damaged page when it reads it."""
        return []

    async def orphans(self) -> list[str]:
        """Return which rows belong to no document: there are some where constraints were switched off or lost."""
        return await self.read(census.orphans)
