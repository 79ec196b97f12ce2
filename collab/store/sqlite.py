"""One SQLite file: who may open it, how it is opened, and how it is spoken to.

One connection writes, on a thread of its own; others read, so that a load doesn't wait for a commit.
A transaction is one hop to its thread; aiosqlite hops for each call and takes twice the CPU. Nothing
else may open the file in this process: closing any handle of it drops SQLite's locks (POSIX).

Not for statements (`store/statements.py`). The rules are S of docs/spec.md.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Event
from typing import NoReturn, Self, TypeVar

import structlog
from sqlalchemy import Connection, Dialect, Engine, QueuePool, StaticPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from collab import faults
from collab.errors import CollabError, DatabaseUnusableError, DiskFailedError, UnavailableError
from collab.store import leftovers, migrate, schema, statements
from collab.store.checkpoints import FAILED_SYNCS, Checkpoints
from collab.store.inodes import Inodes
from collab.store.worker import Worker

T = TypeVar("T")
Row = tuple[object, ...]

# A second one, so that reading a long history keeps no room from opening.
_READERS = 2

# https://sqlite.org/wal.html#walresetbug: before it, two connections that write can damage the file (S1).
_SEVERAL_WRITERS_IN_WAL = (3, 51, 3)

# Of four parameters each: SQLite takes 32,766 in a statement.
_ROWS_AT_ONCE = 1024

_log = structlog.get_logger(__name__)


class SqliteDatabase:
    """Owns the file's lock, its connections and their threads."""

    def __init__(self, files: _Files, writing: Worker) -> None:
        self._files = files
        self._writing = writing
        self._reading = Worker("sqlite-reader", threads=_READERS)
        self._closed = False
        self._failed: DiskFailedError | None = None
        """Set for ever by the first failed sync: a later one may succeed and prove nothing (hazards S5)."""

    @classmethod
    async def open(cls, path: Path, *, processes: int, lock_timeout_seconds: float) -> Self:
        """Open the database, make it if there is none, and bring its tables up to date.

        Raises:
            DatabaseTooNewError: a newer release has written to it.
            DatabaseUnusableError: it cannot be opened, is locked, or belongs to another program.
        """
        writing = Worker("sqlite-writer")
        try:
            files = await writing.do(partial(_open, path, processes, lock_timeout_seconds))
        except BaseException:
            await writing.stop()
            raise
        return cls(files, writing)

    @property
    def dialect(self) -> Dialect:
        return self._files.writer.dialect

    def write(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        return self._do(self._writing, partial(self._write, work))

    def insert(self, sql: str, rows: Sequence[Row], otherwise: Callable[[Connection], None]) -> Awaitable[None]:
        return self._do(self._writing, partial(self._insert, sql, rows, otherwise))

    def read(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        return self._do(self._reading, partial(self._read, work))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._reading.stop()
        try:
            self._insist_on_a_place_to_write()
        except CollabError:
            # SQLite would do a checkpoint, and delete the log, or what is in its place.
            self._writing.do(self._keep_open)
        else:
            await self._writing.do(self._files.close)
            await self._writing.stop()

    def _do(self, thread: Worker, work: Callable[[], T]) -> Awaitable[T]:
        return thread.do(partial(self._explained, work)) if not self._closed else self._refuse()

    async def _refuse(self) -> NoReturn:
        raise UnavailableError(f"the database {self._files.path} is closed")

    # ---- on the threads ----

    def _explained(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except DBAPIError as error:
            raise self._note(explain(error.orig, self._files.path) or error) from error.orig
        except sqlite3.Error as error:
            raise self._note(explain(error, self._files.path) or error) from error

    def _note(self, error: Exception) -> Exception:
        if isinstance(error, DiskFailedError):
            self._failed = error
        return error

    def _insist_on_a_place_to_write(self) -> None:
        if self._failed is not None:
            raise DiskFailedError(str(self._failed))
        self._files.inodes.insist()

    def _committed(self) -> None:
        # What went into a file that nobody finds any more is not saved. Once it is back, it may be there twice.
        self._files.inodes.insist()
        self._files.checkpoints.committed()

    def _write(self, work: Callable[[Connection], T]) -> T:
        self._insist_on_a_place_to_write()
        with self._files.writer.begin():
            result = work(self._files.writer)
        self._committed()
        return result

    def _insert(self, sql: str, rows: Sequence[Row], otherwise: Callable[[Connection], None]) -> None:
        """Past SQLAlchemy, which takes as much CPU for its three statements as SQLite does."""
        self._insist_on_a_place_to_write()
        raw = self._files.raw
        try:
            raw.execute("BEGIN IMMEDIATE")
            for statement, parameters in _in_few_statements(sql, rows):
                raw.execute(statement, parameters)
            if faults.reach is not None:
                faults.reach(faults.Point.IN_TRANSACTION)
            raw.execute("COMMIT")
        except sqlite3.IntegrityError:
            raw.execute("ROLLBACK")
            self._write(otherwise)
        except BaseException:
            # A commit that fails may have ended the transaction, or not.
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            raise
        else:
            self._committed()

    def _keep_open(self) -> None:
        """Keep the files until the process ends: what nobody has any more, Python would close on its way out."""
        Event().wait()

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._files.readers.connect() as connection:
            return work(connection)


def _in_few_statements(sql: str, rows: Sequence[Row]) -> Iterator[tuple[str, list[object]]]:
    """Give `sql`, which inserts one row, the `VALUES` of many; yield each statement with its parameters.

    The driver gives up the interpreter for each row that it is told of by itself, and waits for a busy
    loop to have it back: a log under load then falls ever further behind. Powers of two are so few
    different statements that all of them stay prepared.
    """
    head, keyword, values = sql.partition(" VALUES ")
    at = 0
    while at < len(rows):
        count = min(_ROWS_AT_ONCE, 1 << (len(rows) - at).bit_length() - 1)
        yield head + keyword + ", ".join([values] * count), list(chain.from_iterable(rows[at : at + count]))
        at += count


@dataclass(frozen=True)
class _Files:
    path: Path
    raw: sqlite3.Connection
    """The driver's connection below `writer`."""
    writer: Connection
    checkpoints: Checkpoints
    inodes: Inodes
    readers: Engine
    close: Callable[[], None]
    """Close the readers, then the writer, which does the last checkpoint; then give up the lock."""


def _open(path: Path, processes: int, lock_timeout_seconds: float) -> _Files:
    opened = ExitStack()
    try:
        with _startup_errors(path):
            return _open_within(opened, path.resolve(), processes, lock_timeout_seconds)
    except BaseException:
        opened.close()
        raise


def _open_within(opened: ExitStack, path: Path, processes: int, lock_timeout_seconds: float) -> _Files:
    make_folder(path.parent)
    opened.enter_context(locked(path, alone=processes == 1))
    leftovers.insist_on_both(path)
    if processes == 1:
        leftovers.settle(path)
    raw = _connect(path, lock_timeout_seconds)
    checkpoints = Checkpoints(raw, path)
    # An error's text may reach a log: not with what people wrote.
    writing = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool, hide_parameters=True)
    opened.callback(writing.dispose)
    # A transaction that upgrades from reading to writing fails at once, whatever the timeout (hazard S3).
    event.listen(writing, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    writer = opened.enter_context(writing.connect())
    with writer.begin():
        found = migrate.revision(writer, str(path))
    mode = _set_journal(raw, path, processes)
    if found != migrate.HEAD:
        migrate.upgrade(writer, str(path))
    # A file without the right to write still opens, and even BEGIN IMMEDIATE succeeds. And what a process
    # wrote that was killed before its sync is read here as committed: this commit's sync is for it, too.
    with writer.begin():
        schema.insist_on_all(writer, str(path))
        statements.probe(writer)
    raw.execute("PRAGMA foreign_keys=ON")

    inodes = Inodes.of(path)

    def connect_reader() -> sqlite3.Connection:
        # SQLite would open, or make, whatever database is there.
        inodes.insist()
        return _connect(path, lock_timeout_seconds, "query_only=ON")

    readers = create_engine(
        "sqlite://", creator=connect_reader, poolclass=QueuePool, pool_size=_READERS, hide_parameters=True
    )
    opened.callback(readers.dispose)
    _log.info("database opened", path=str(path), sqlite=sqlite3.sqlite_version, journal_mode=mode, processes=processes)
    return _Files(path, raw, writer, checkpoints, inodes, readers, opened.close)


def _connect(path: Path, lock_timeout_seconds: float, *pragmas: str) -> sqlite3.Connection:
    # Transactions begin where we say (isolation_level); the pools hand connections from thread to thread.
    raw = sqlite3.connect(path, timeout=lock_timeout_seconds, isolation_level=None, check_same_thread=False)
    for pragma in pragmas:
        raw.execute(f"PRAGMA {pragma}")
    return raw


def _set_journal(raw: sqlite3.Connection, path: Path, processes: int) -> str:
    """Choose the journal that keeps what was committed whatever happens; return its name."""
    wal = processes == 1 or sqlite3.sqlite_version_info >= _SEVERAL_WRITERS_IN_WAL
    # Not DELETE: after a power cut a deleted journal may be back, and undo the last commit.
    wanted = "wal" if wal else "truncate"
    (mode,) = raw.execute(f"PRAGMA journal_mode={wanted}").fetchone()
    if mode != wanted:
        raise DatabaseUnusableError(f"the database {path} cannot have a {wanted} journal there: use a local disk")
    # NORMAL loses commits at a power cut (hazard S2).
    raw.execute("PRAGMA synchronous=FULL")
    return wanted


@contextmanager
def locked(path: Path, *, alone: bool) -> Iterator[None]:
    """Keep other servers away from the database; `alone` keeps away even those that would share it.

    The lock ends with the process, however it ends. Its file stays: whoever deleted it could take
    away a lock that another process has just got.
    """
    with path.with_name(f"{path.name}.lock").open("a+") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise DatabaseUnusableError(
                f"the database {path} is in use by another server, process {file.read() or 'unknown'}: stop it first"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def make_folder(folder: Path) -> None:
    """Make the folder and those above it, so that they are still there after a power cut."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        leftovers.sync_folder(each.parent)


def explain(error: BaseException | None, path: Path) -> CollabError | None:
    """Return what an error of SQLite means for a person, None if it means a bug or a damaged file."""
    code = getattr(error, "sqlite_errorcode", None)
    if code in FAILED_SYNCS:
        return DiskFailedError(f"the disk did not keep what was written to the database {path}: {error}")
    # The lower byte is the kind, the rest says more about it.
    match None if code is None else code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return UnavailableError(f"the database {path} is locked by another process")
        case sqlite3.SQLITE_FULL:
            return UnavailableError(f"the disk is full that holds the database {path}")
        case (
            sqlite3.SQLITE_IOERR
            | sqlite3.SQLITE_CANTOPEN
            | sqlite3.SQLITE_READONLY
            | sqlite3.SQLITE_PERM
            | sqlite3.SQLITE_NOMEM
            | sqlite3.SQLITE_PROTOCOL
        ):
            return UnavailableError(f"the database {path} cannot be used: {error}")
    return None


@contextmanager
def _startup_errors(path: Path) -> Iterator[None]:
    """Turn whatever hinders opening into the one sentence that the operator reads."""
    try:
        yield
    except (sqlite3.Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise DatabaseUnusableError(f"{path} is not a SQLite database") from error
        reason = explain(cause, path) or f"the database {path} cannot be used: {cause}"
        raise DatabaseUnusableError(str(reason)) from error
    except OSError as error:
        raise DatabaseUnusableError(
            f"the database {path} cannot be opened: {error.strerror}: {error.filename}"
        ) from error
