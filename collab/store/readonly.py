"""A SQLite file that is only looked at, also while a server writes to it, and what SQLite says of its health.

Safe beside a server (hazard S1) because this neither writes nor does checkpoints, and is always another
process: closing a file drops the POSIX locks of its own process only. Where the journal is not a
WAL, a reader would keep the server from committing, so there it must be stopped.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, StaticPool, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError

from collab.errors import DatabaseUnusableError
from collab.store import migrate
from collab.store.leftovers import insist_on_both
from collab.store.sqlite import explain
from collab.store.tables import metadata

T = TypeVar("T")

_UNKNOWN: Final = ("unknown function", "no such function", "no such collation")

MAX_PROBLEMS: Final = 20
"""Lines that SQLite may say of one file: a broken tree has one for each of its rows."""


class ReadOnlySqlite:
    """Owns one connection, used by the thread that opened it."""

    def __init__(self, path: Path, lock_timeout_seconds: float = 5.0, *, alone: bool = False) -> None:
        """Open an existing database; `alone` if whoever opens it holds its lock (S17).

        Raises:
            DatabaseTooNewError: a newer release has written to it.
            DatabaseUnusableError: there is none, it is none of ours, or a server needs it for itself.
        """
        self.path = path
        if not path.is_file():
            raise DatabaseUnusableError(f"there is no database {path}")
        insist_on_both(path)
        self._raw = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, timeout=lock_timeout_seconds, isolation_level=None
        )
        # A damaged name is still a name to show.
        self._raw.text_factory = lambda data: data.decode(errors="replace")
        engine = create_engine("sqlite://", creator=lambda: self._raw, poolclass=StaticPool, hide_parameters=True)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        self._connection = engine.connect()
        self.revision = ""
        """Of its tables."""
        try:
            self._check(path, alone=alone)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()
        self._connection.engine.dispose()
        self._raw.close()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in one reading transaction.

        Raises:
            UnavailableError: the database is locked, or out of reach.
            DatabaseUnusableError: it is damaged, and `work` does not go around that.
        """
        try:
            with self._connection.begin() as transaction:
                try:
                    return work(self._connection)
                finally:
                    # SQLite does not even commit nothing once it has met a damaged page.
                    transaction.rollback()
        except DBAPIError as error:
            raise explain(error.orig, self.path) or unusable(error.orig, self.path) from error

    async def storage_problems(self) -> list[str]:
        """Return the same as `integrity`."""
        return self.integrity()

    def integrity(self) -> list[str]:
        """Return what SQLite finds wrong with the file's pages, indexes and constraints."""
        said = self._ask(f"integrity_check({MAX_PROBLEMS})")
        if any(line.startswith(_UNKNOWN) for (line,) in said):
            # An operator's index is over something that only their program has: then what is ours is looked at.
            there = [name for (name,) in self._raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            ours = [name for name in there if name in metadata.tables]
            said = [line for name in ours for line in self._ask(f"integrity_check({name})")]
        return [line for (line,) in said if line != "ok"]

    async def orphans(self) -> list[str]:
        """Return which rows belong to a document that is missing."""
        rows = self._ask("foreign_key_check")
        return [f"row {row[1]} of {row[0]} belongs to a document that is missing" for row in rows if len(row) > 1]

    def _ask(self, pragma: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        try:
            for row in self._raw.execute(f"PRAGMA {pragma}"):
                found.append(row)
                if len(found) >= MAX_PROBLEMS:
                    break
        except sqlite3.DatabaseError as error:
            if reason := explain(error, self.path):
                raise DatabaseUnusableError(str(reason)) from error
            found.append((str(error),))
        return found

    def _check(self, path: Path, *, alone: bool) -> None:
        try:
            with self._connection.begin():
                revision = migrate.revision(self._connection, str(path))
            (mode,) = self._raw.execute("PRAGMA journal_mode").fetchone()
        except (DatabaseError, sqlite3.DatabaseError) as error:
            raise unusable(error.orig if isinstance(error, DatabaseError) else error, path) from error
        if revision is None:
            raise DatabaseUnusableError(f"the database {path} is empty")
        self.revision = revision
        if mode != "wal" and not alone and _is_served(path):
            raise DatabaseUnusableError(
                f"the database {path} is in use by a server, which reading would stop from writing: stop it first"
            )


def unusable(error: BaseException | None, path: Path) -> DatabaseUnusableError:
    """Return the one sentence for a file that cannot even be opened."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return DatabaseUnusableError(f"{path} is not a SQLite database")
    if code == sqlite3.SQLITE_CORRUPT:
        return too_broken(path)
    return DatabaseUnusableError(str(explain(error, path) or f"the database {path} cannot be used: {error}"))


def too_broken(path: Path) -> DatabaseUnusableError:
    """Return what to say of a file of which not even the list of its tables can be read."""
    return DatabaseUnusableError(
        f"the database {path} is too damaged to be repaired here: restore a backup, or try the .recover of sqlite3"
    )


def _is_served(path: Path) -> bool:
    """Whether a server holds the lock of the database (S17); leaves no trace."""
    lock = path.with_name(f"{path.name}.lock")
    if not lock.exists():
        return False
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
