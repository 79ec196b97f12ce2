"""One database on a PostgreSQL server: what it must promise, how it is connected to and spoken to.

The log has a connection of its own, so that a commit waits for nothing and takes one round trip; other
writes and reads share a few. Any number of servers may use the same database: ids are handed out out
of the order of commits, and compaction names the rows that it read (hazard S4).

Not for statements (`store/statements.py`), nor for what PostgreSQL's errors mean (`store/sqlstates.py`).
The rules are S of docs/spec.md.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self, TypeAlias, TypeVar

import asyncpg
import structlog
from sqlalchemy import Connection, Dialect, NullPool, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from collab.errors import ConfigurationError, DatabaseUnusableError, UnavailableError
from collab.store import migrate, schema, statements
from collab.store.sqlstates import FAILURES, explain

T = TypeVar("T")
Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# For compaction and new documents; for opening rooms. With the log's own: seven connections of a server's hundred.
_WRITERS: Final = 2
_READERS: Final = 4

_CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
"""After which a server that says nothing counts as lost. A commit on a slow disk takes five; TCP alone
would wait for a machine that has vanished for a quarter of an hour."""

PROMISE_SECONDS: Final = 1.0
"""How often a server is asked again whether it still keeps what it commits; a round trip of its own each time."""

# What counts is what holds in this session, whether server, database, user or URL said so. What was found is set for
# the session: whoever turns it off later turns it off for those who come later.
_PROMISES: Final = """
SELECT current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('fsync') AS fsync,
       current_setting('server_encoding') AS encoding,
       set_config('synchronous_commit', current_setting('synchronous_commit'), false),
       set_config('default_transaction_isolation', 'read committed', false)
"""

_log = structlog.get_logger(__name__)


class PostgresDatabase:
    """Owns its connections. A lost one is replaced when it is needed next, so it heals with the server."""

    def __init__(self, server: Server, answer_seconds: float) -> None:
        """Connect when there is something to do. `open` is how a database is had."""
        self._server = server
        self._connect = partial(server.connect, answer_seconds)
        self._writing = engine_of(self._connect, pool_size=_WRITERS, max_overflow=0, pool_timeout=answer_seconds)
        self._reading = engine_of(
            self._connect,
            pool_size=_READERS,
            max_overflow=0,
            pool_timeout=answer_seconds,
            # One statement needs no BEGIN, and so one round trip instead of two.
            isolation_level="AUTOCOMMIT",
        )
        self._log: Session | None = None
        self._promised_at = float("-inf")
        """When the server was last asked for its promises, in seconds of the loop's clock."""
        self._log_free = asyncio.Lock()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._closed = False

    @classmethod
    async def open(
        cls, url: str, *, allow_unsafe_commits: bool = False, answer_seconds: float = ANSWER_SECONDS
    ) -> Self:
        """Prove that the database can be used, and bring its tables up to date.

        Raises:
            ConfigurationError: the URL cannot be read.
            DatabaseTooNewError: a newer release has written to it.
            DatabaseUnusableError: it is not there, cannot be written to, belongs to another program, or
                does not promise that what was committed is on disk.
        """
        server = Server.at(url, allow_unsafe_commits=allow_unsafe_commits)
        name = server.name
        # A migration takes as long as it takes.
        starting = engine_of(partial(server.connect, None), poolclass=NullPool)
        try:
            with startup_errors(name):
                async with starting.connect() as connection:
                    found = await connection.run_sync(_bring_up_to_date, name)
        finally:
            await starting.dispose()
        _log.info("database opened", database=name, postgresql=found)
        return cls(server, answer_seconds)

    @property
    def dialect(self) -> Dialect:
        return self._writing.dialect

    async def write(self, work: Callable[[Connection], T]) -> T:
        with self._explained():
            if self._is_due():
                async with self._log_free:
                    await self._session()
            return await self._write(work)

    async def insert(self, sql: str, rows: Sequence[Sequence[object]], otherwise: Callable[[Connection], None]) -> None:
        """Insert rows in one round trip: the statement's executions and their commit go out together.

        Whether a commit was done when its connection was lost meanwhile, nobody knows. It is reported
        as unavailable, so the rows may come again: harmless, since a document is the merge of its rows.
        """
        with self._explained():
            try:
                async with self._log_free:
                    await self._insert(sql, rows)
            except asyncpg.IntegrityConstraintViolationError:
                await self._write(otherwise)

    async def read(self, work: Callable[[Connection], T]) -> T:
        with self._explained():
            async with self._reading.connect() as connection:
                return await connection.run_sync(work)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        while self._under_way:
            self._idle.clear()
            await self._idle.wait()
        if self._log is not None:
            with suppress(*FAILURES):
                await self._log.close(timeout=_CONNECT_SECONDS)
        await self._writing.dispose()
        await self._reading.dispose()

    async def _write(self, work: Callable[[Connection], T]) -> T:
        async with self._writing.begin() as connection:
            return await connection.run_sync(work)

    async def _insert(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Past SQLAlchemy, which takes three round trips, and four times the CPU."""
        session = await self._session()
        try:
            # A transaction without BEGIN: there is one Sync, behind the last execution.
            await session.executemany(sql, rows)
        except asyncpg.PostgresError:
            raise
        except BaseException:
            # Cancelled, or without an answer: what this session still does is not known.
            session.terminate()
            raise

    async def _session(self) -> Session:
        """Return the log's own session to a server that still keeps what it commits (S23)."""
        session = self._log
        if session is None or session.is_closed():
            session = self._log = await self._connect()
        elif self._is_due():
            # `fsync` holds for sessions that there are, too, as soon as the server reads its settings again.
            await self._server.insist(session)
        else:
            return session
        self._promised_at = asyncio.get_running_loop().time()
        return session

    def _is_due(self) -> bool:
        """Whether the server has to be asked for its promises again; who allowed it to break them is told once."""
        age = asyncio.get_running_loop().time() - self._promised_at
        return age >= PROMISE_SECONDS and not self._server.allow_unsafe_commits

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what went wrong, and that something is under way."""
        if self._closed:
            raise UnavailableError(f"the database {self._server.name} is closed")
        self._under_way += 1
        try:
            yield
        except FAILURES as error:
            # Not chained: PostgreSQL's errors quote rows.
            raise explain(error, self._server.name) from None
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()


@dataclass(frozen=True)
class Server:
    """Where a database is, and what it has to promise."""

    dsn: str
    name: str
    allow_unsafe_commits: bool

    @classmethod
    def at(cls, url: str, *, allow_unsafe_commits: bool) -> Self:
        """Return the one behind a URL of ours, which asyncpg reads itself."""
        return cls("postgresql://" + url.partition("://")[2], name_of(url), allow_unsafe_commits)

    async def connect(self, answer_seconds: float | None) -> Session:
        """Return a new session.

        Raises:
            UnavailableError: there is none to be had, or its commits would not be safe.
            ConfigurationError: the URL cannot be read.
            asyncpg.PostgresError: the server refuses.
        """
        try:
            session = await asyncpg.connect(
                self.dsn,
                timeout=_CONNECT_SECONDS,
                command_timeout=answer_seconds,
                server_settings={"application_name": "collab"},
            )
        except TimeoutError as error:
            raise UnavailableError(
                f"the database {self.name} cannot be reached: no answer in {_CONNECT_SECONDS:g} seconds"
            ) from error
        except OSError as error:
            reason = error.strerror or str(error) or "the connection was lost"
            raise UnavailableError(f"the database {self.name} cannot be reached: {reason}") from error
        except (asyncpg.ClientConfigurationError, ValueError):
            # Not quoted: it may hold a password.
            raise ConfigurationError(
                "the database's URL cannot be read; one looks like postgresql+asyncpg://user:password@host/collab"
            ) from None
        try:
            await self.insist(session)
        except BaseException:
            session.terminate()
            raise
        return session

    async def insist(self, session: Session) -> None:
        """Raise UnavailableError unless a commit in this session is on disk when it is reported.

        `local`, `remote_write`, `on` and `remote_apply` all wait for the server's own disk; they differ in
        what they wait for of its standbys, and that is the operator's choice.
        """
        promises: Any = await session.fetchrow(_PROMISES)
        if promises["encoding"] != "UTF8":
            raise UnavailableError(
                f"the database {self.name} has the encoding {promises['encoding']}: make one with UTF8"
            )
        unsafe = [setting for setting in ("fsync", "synchronous_commit") if promises[setting] == "off"]
        if not unsafe:
            return
        if not self.allow_unsafe_commits:
            raise UnavailableError(
                f"the database {self.name} has {unsafe[0]}=off, so what was saved may be lost:"
                " turn it on, or set COLLAB_ALLOW_UNSAFE_COMMITS=true"
            )
        _log.warning("what was saved may be lost", database=self.name, off=unsafe)


def name_of(url: str) -> str:
    """Return what an operator calls the database at `url`: its host and its name, without user and password."""
    place = re.split("[?&#]", url.partition("://")[2].rpartition("@")[2], maxsplit=1)[0]
    return f"postgresql://{place}"


def engine_of(connect: Callable[[], Any], **options: Any) -> AsyncEngine:
    """Return a pool of such sessions, without connecting yet."""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        # An error's text may reach a log: not with what people wrote.
        hide_parameters=True,
        **{"isolation_level": "READ COMMITTED", **options},
    )
    event.listen(engine.sync_engine, "checkout", _insist_on_connected)
    return engine


def _insist_on_connected(connection: Any, _record: object, _proxy: object) -> None:
    """Have a connection replaced that was lost while nobody used it; asking the server would take a round trip."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _bring_up_to_date(connection: Connection, name: str) -> str:
    """Return the server's version."""
    with connection.begin():
        found = migrate.revision(connection, name)
        version = str(connection.exec_driver_sql("SHOW server_version").scalar_one())
    if found != migrate.HEAD:
        migrate.upgrade(connection, name)
    with connection.begin() as transaction:
        schema.insist_on_all(connection, name)
        # A standby, or a user without rights, is found out now and not at the first edit.
        statements.probe(connection)
        transaction.rollback()
    return version


@contextmanager
def startup_errors(name: str) -> Iterator[None]:
    """Turn whatever hinders opening into the one sentence that the operator reads."""
    try:
        yield
    except UnavailableError as error:
        raise DatabaseUnusableError(str(error)) from error
    except FAILURES as error:
        raise DatabaseUnusableError(str(explain(error, name))) from error
