"""Documents in a database, on SQLite or PostgreSQL.

Not for the statements (`store/statements.py`), nor for how a database is opened, locked and spoken to:
that is the `Database`, one for each kind (`store/sqlite.py`, `store/postgres.py`). The rules are S of docs/spec.md.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Protocol, Self, TypeVar

from sqlalchemy import Connection, Dialect, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DatabaseError

from collab import faults
from collab.core.ports import DocumentId, Entry
from collab.errors import ConfigurationError, DamagedError, StatementRefusedError
from collab.store import seeding, statements
from collab.store.base import Archive, Compaction, Description, LogRow, Segment, Store
from collab.store.rights import SqlRights
from collab.store.sqlite import Row, SqliteDatabase
from collab.store.tables import history

T = TypeVar("T")

KNOWN_LIMIT: Final = 16_384
"""Names that a store remembers: one costs up to a kilobyte, and one that was forgotten costs one statement."""


class Database(Protocol):
    """One database: work with a connection, done away from the event loop.

    Where the database does not answer, it raises UnavailableError; other errors come as they are.
    """

    @property
    def dialect(self) -> Dialect: ...

    def write(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        """Do `work` in one transaction: on disk when it returns, undone if it raises."""

    def insert(self, sql: str, rows: Sequence[Row], otherwise: Callable[[Connection], None]) -> Awaitable[None]:
        """Insert rows with one statement in the driver's own words, in one transaction: the log's hot path.

        If that violates a constraint, `otherwise` is done instead, in another transaction.
        """

    def read(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        """Do `work`, which only reads; each of its statements sees one state."""

    async def close(self) -> None:
        """Let what is under way end, then let go of everything; a second call does nothing."""


class SqlStore(Store, Archive):
    """Owns its database. `await SqlStore.open(url)` is how one is had."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self.rights = SqlRights(database, clock)
        self._append_sql = statements.append_sql(database.dialect)
        self._known: set[DocumentId] = set()

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        processes: int = 1,
        lock_timeout_seconds: float = 2.0,
        allow_unsafe_commits: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Open the database at `url`, and bring its tables up to date.

        "sqlite:///collab.db" is a file, made if there is none; "postgresql+asyncpg://user:password@host/collab"
        must be there.

        Args:
            url: where it is.
            processes: how many server processes have a file open at the same time.
            lock_timeout_seconds: how long a write waits for another process that has locked the file.
            allow_unsafe_commits: whether a PostgreSQL server will do that may lose what was committed.
            clock: Unix time in seconds.

        Raises:
            ConfigurationError: there is no database behind such a URL.
            DatabaseTooNewError: a newer release has written to it.
            DatabaseUnusableError: it cannot be opened, is locked, or belongs to another program.
        """
        parsed = parsed_url(url)
        database: Database
        if parsed.get_backend_name() == "sqlite":
            database = await SqliteDatabase.open(
                path_of(parsed), processes=processes, lock_timeout_seconds=lock_timeout_seconds
            )
        else:
            database = await _open_postgres(url, allow_unsafe_commits)
        return cls(database, clock=clock)

    def append(self, batch: Sequence[tuple[DocumentId, Entry]]) -> Awaitable[None]:
        now = self._clock()
        write = partial(self._write, batch, now)
        if all(document in self._known and not entry.clients for document, entry in batch):
            rows = statements.rows_of(batch, now)
            # Otherwise, a document that was known here has been deleted by another process.
            return self._database.insert(self._append_sql, rows, write)
        return self._append_new(batch, write)

    async def create(self, document: DocumentId, entry: Entry) -> bool:
        return await self._database.write(partial(seeding.create, self._append_sql, document, entry, self._clock()))

    async def load(self, document: DocumentId, most_updates: int | None = None) -> Sequence[LogRow]:
        return await self._read(document, partial(statements.load, most_updates))

    async def compact(self, compaction: Compaction) -> bool:
        def write(connection: Connection) -> None:
            if not statements.compact(compaction, connection):
                raise _RowsMissingError
            if faults.reach is not None:
                faults.reach(faults.Point.IN_COMPACTION)

        try:
            await self._database.write(write)
        except _RowsMissingError:
            return False
        return True

    async def describe(self, document: DocumentId) -> Description | None:
        return await self._read(document, statements.describe)

    async def clients(self, document: DocumentId) -> Mapping[int, str]:
        return await self._read(document, statements.clients_of)

    async def segments(self, document: DocumentId) -> Sequence[Segment]:
        return await self._read(document, statements.segments_of)

    async def prune(self, before: float) -> int:
        deleted = 0
        for document, ids in await self._database.read(partial(statements.disposable, before)):
            # One transaction a document: what stays begins with a keyframe at any moment.
            deleted += await self._database.write(partial(statements.delete_rows, history, document, ids))
        return deleted

    async def check(self) -> None:
        await self._database.write(statements.probe)

    async def close(self) -> None:
        await self._database.close()

    async def _append_new(self, batch: Sequence[tuple[DocumentId, Entry]], write: Callable[[Connection], None]) -> None:
        await self._database.write(write)
        self._known.update(document for document, _ in batch)
        if len(self._known) > KNOWN_LIMIT:
            self._known.clear()

    def _write(self, batch: Sequence[tuple[DocumentId, Entry]], now: float, connection: Connection) -> None:
        statements.create(batch, now, connection)
        statements.append(self._append_sql, batch, now, connection)
        if faults.reach is not None:
            faults.reach(faults.Point.IN_TRANSACTION)

    async def _read(self, document: DocumentId, work: Callable[[DocumentId, Connection], T]) -> T:
        try:
            return await self._database.read(partial(work, document))
        except StatementRefusedError as error:
            raise DamagedError(document, error.reason) from error
        except (DatabaseError, ValueError) as error:
            raise DamagedError(document, str(getattr(error, "orig", error))) from error


class _RowsMissingError(Exception):
    """Undoes the transaction of a compaction that came too late."""


# As libpq takes them, and as SQLAlchemy does.
_POSTGRES = ("postgresql+asyncpg", "postgresql", "postgres")


def parsed_url(url: str) -> URL:
    """Return a database's URL in parts: of SQLite or of PostgreSQL, whether there is a database behind it or not.

    Raises:
        ConfigurationError: there can be none.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # Not quoted: it may hold a password.
        raise ConfigurationError(
            "the database's URL cannot be read; one looks like sqlite:///collab.db"
            " or postgresql+asyncpg://user:password@host/collab"
        ) from error
    if parsed.get_backend_name() != "sqlite" and parsed.drivername not in _POSTGRES:
        raise ConfigurationError(
            f"a database of the kind {parsed.drivername!r} is not supported, only sqlite and postgresql+asyncpg"
        )
    return parsed


def path_of(url: URL) -> Path:
    """Return the file of a URL of SQLite.

    Raises:
        ConfigurationError: it names none.
    """
    if url.database in (None, "", ":memory:"):
        raise ConfigurationError(f"the database's URL {str(url)!r} names no file")
    return Path(str(url.database))


async def _open_postgres(url: str, allow_unsafe_commits: bool) -> Database:
    with needing_driver():
        from collab.store.postgres import PostgresDatabase
    return await PostgresDatabase.open(url, allow_unsafe_commits=allow_unsafe_commits)


@contextmanager
def needing_driver() -> Iterator[None]:
    """Turn a missing driver of PostgreSQL, which is an extra, into the one sentence that the operator reads."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise ConfigurationError("PostgreSQL needs its driver: install the extra, collab-server[postgres]") from error
