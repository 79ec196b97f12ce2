"""What only a file can do: its journal, its locks, and who else may have put it there."""

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, OperationalError
from structlog.testing import capture_logs

from collab.core.ports import DocumentId, Entry
from collab.errors import (
    DamagedError,
    DatabaseUnusableError,
    DiskFailedError,
    UnavailableError,
)
from collab.store.sql import SqlStore
from collab.store.sqlite import SqliteDatabase

NOTES = DocumentId("notes")
ONE = (NOTES, Entry(b"1", "alice"))
TWO = (NOTES, Entry(b"2", "alice"))

# Long enough to be busy, short enough to wait for.
LOCK_TIMEOUT_SECONDS = 0.05

# Writes a row and stays.
SERVER = """
import asyncio, sys
from collab.core.ports import Entry
from collab.store.sql import SqlStore

async def serve():
    store = await SqlStore.open(f"sqlite:///{sys.argv[1]}")
    await store.append([("notes", Entry(b"1", "alice"))])
    print("written", flush=True)
    await asyncio.sleep(60)

asyncio.run(serve())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "collab.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = await open_database(path)
    yield opened
    await opened.close()


@pytest.fixture
def store(database: SqliteDatabase) -> SqlStore:
    return SqlStore(database)


async def open_database(path: Path, processes: int = 1) -> SqliteDatabase:
    return await SqliteDatabase.open(path, processes=processes, lock_timeout_seconds=LOCK_TIMEOUT_SECONDS)


async def open_store(path: Path) -> SqlStore:
    return await SqlStore.open(f"sqlite:///{path}", lock_timeout_seconds=LOCK_TIMEOUT_SECONDS)


def somebody_else(path: Path) -> closing[sqlite3.Connection]:
    """Return another program's connection to the same file."""
    return closing(sqlite3.connect(path, timeout=0, isolation_level=None))


async def data_of(store: SqlStore) -> list[bytes]:
    return [row.data for row in await store.load(NOTES)]


class TestOpening:
    async def test_the_folder_and_the_database_are_made(self, path: Path) -> None:
        """S1: nothing has to be there before, and what was written is there after."""
        store = await open_store(path)
        await store.append([ONE])
        await store.close()

        again = await open_store(path)

        assert [b"1"] == await data_of(again)
        await again.close()

    async def test_one_process_writes_in_wal(self, database: SqliteDatabase) -> None:
        """S14, S15: WAL, FULL, foreign keys; what reads can't write."""
        assert "wal" == await database.write(lambda connection: pragma(connection, "journal_mode"))
        assert 2 == await database.write(lambda connection: pragma(connection, "synchronous"))
        assert 1 == await database.write(lambda connection: pragma(connection, "foreign_keys"))
        assert 1 == await database.read(lambda connection: pragma(connection, "query_only"))

    async def test_several_processes_write_with_a_rollback_journal(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S15: up to SQLite 3.51.2; both can write, and the log says which journal it is."""
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
        with capture_logs() as logs:
            first, second = await open_database(path, processes=2), await open_database(path, processes=2)

        await SqlStore(first).append([ONE])
        await SqlStore(second).append([TWO])

        assert "truncate" == await first.write(lambda connection: pragma(connection, "journal_mode"))
        assert 2 == await first.write(lambda connection: pragma(connection, "synchronous"))
        assert [b"1", b"2"] == await data_of(SqlStore(first))
        assert [("truncate", 2)] * 2 == [(line["journal_mode"], line["processes"]) for line in logs]
        await first.close()
        await second.close()

    async def test_several_processes_write_in_wal_where_that_is_safe(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S15: from SQLite 3.51.3 on."""
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
        database = await open_database(path, processes=2)

        assert "wal" == await database.write(lambda connection: pragma(connection, "journal_mode"))
        await database.close()

    async def test_a_database_moves_from_one_journal_to_the_other(self, path: Path) -> None:
        """S15: what one start wrote, a start with more processes reads."""
        for processes, expected in [(1, [b"1"]), (2, [b"1"] * 2), (1, [b"1"] * 3)]:
            database = await open_database(path, processes=processes)
            await SqlStore(database).append([ONE])
            assert expected == await data_of(SqlStore(database))
            await database.close()

    async def test_a_second_server_is_refused(self, path: Path, store: SqlStore) -> None:
        """S17: in a sentence that names the first; the first isn't disturbed."""
        with pytest.raises(DatabaseUnusableError, match=f"in use by another server, process {os.getpid()}"):
            await open_store(path)
        with pytest.raises(DatabaseUnusableError, match="in use by another server"):
            await open_database(path, processes=2)

        await store.append([ONE])
        assert [b"1"] == await data_of(store)

    async def test_a_server_that_was_killed_keeps_nobody_away(self, path: Path) -> None:
        """S17: its lock ends with it; S14: what it had written is there."""
        server = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, str(path), stdout=PIPE)
        assert server.stdout is not None
        await server.stdout.readuntil(b"written\n")
        with pytest.raises(DatabaseUnusableError, match=f"in use by another server, process {server.pid}"):
            await open_store(path)
        server.kill()
        await server.communicate()

        store = await open_store(path)

        assert [b"1"] == await data_of(store)
        await store.close()

    async def test_one_of_several_servers_keeps_a_lone_one_away(self, path: Path) -> None:
        """S17: both must have been told."""
        shared = await open_database(path, processes=2)

        with pytest.raises(DatabaseUnusableError, match="in use by another server"):
            await open_store(path)

        await shared.close()
        await (await open_store(path)).close()


class TestTransactions:
    async def test_a_transaction_that_upgrades_fails_at_once(self, path: Path, database: SqliteDatabase) -> None:
        """S16: SQLite's own behaviour (hazard S3), which is why ours begin as writing ones."""
        with somebody_else(path) as other:
            other.execute("PRAGMA busy_timeout=60000")
            other.execute("BEGIN")
            other.execute("SELECT * FROM documents").fetchall()
            await SqlStore(database).append([ONE])

            with pytest.raises(sqlite3.OperationalError) as failed:
                other.execute("DELETE FROM log")

        assert sqlite3.SQLITE_BUSY_SNAPSHOT == failed.value.sqlite_errorcode

    async def test_a_writing_transaction_begins_as_one(self, path: Path, database: SqliteDatabase) -> None:
        """S16: nobody can write between its reading and its writing."""

        def read_then_write(connection: Connection) -> None:
            connection.exec_driver_sql("SELECT * FROM documents").all()
            with somebody_else(path) as other, pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("DELETE FROM documents")
            connection.exec_driver_sql("INSERT INTO documents (name, lineage, created_at) VALUES ('a', 'b', 1)")

        await database.write(read_then_write)

        assert await SqlStore(database).describe(DocumentId("a")) is not None

    async def test_reading_waits_for_no_writer(self, database: SqliteDatabase, store: SqlStore) -> None:
        """S15: a room opens while another one's rows are being written."""
        await store.append([ONE])
        begun, end = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def write_slowly(connection: Connection) -> None:
            connection.exec_driver_sql("DELETE FROM log")
            loop.call_soon_threadsafe(begun.set)
            end.wait()

        writing = asyncio.ensure_future(database.write(write_slowly))
        await begun.wait()

        assert [b"1"] == await data_of(store)
        end.set()
        await writing
        assert [] == await data_of(store)

    async def test_work_that_raises_is_undone(self, database: SqliteDatabase, store: SqlStore) -> None:
        """S2: all of it."""
        await store.append([ONE])

        def fail(connection: Connection) -> None:
            connection.exec_driver_sql("DELETE FROM log")
            raise ValueError("a bug")

        with pytest.raises(ValueError, match="a bug"):
            await database.write(fail)

        assert [b"1"] == await data_of(store)

    async def test_a_batch_that_fails_in_its_middle_is_undone(self, store: SqlStore) -> None:
        """S2: all of it, and its documents are not taken for known; S18: the error doesn't tell what they hold."""
        bad = (DocumentId("bad"), Entry(b"1", None))  # type: ignore[arg-type]
        new = (DocumentId("new"), Entry(b"1", "alice"))
        with pytest.raises(IntegrityError, match="NOT NULL") as failed:
            await store.append([new, bad])
        assert "alice" not in str(failed.value)
        assert await store.describe(new[0]) is None

        await store.append([new])

        assert 1 == len(await store.load(new[0]))

    @pytest.mark.parametrize("size", [1, 2, 7, 1024, 2500])
    async def test_a_batch_of_any_size_is_written_in_order(self, store: SqlStore, size: int) -> None:
        """S2, S3: however few statements it takes."""
        await store.append([ONE])
        entries = [Entry(b"%d" % number, f"author {number}") for number in range(size)]

        await store.append([(NOTES, entry) for entry in entries])

        rows = (await store.load(NOTES))[1:]
        assert entries == [Entry(row.data, row.author) for row in rows]

    async def test_a_document_that_was_deleted_elsewhere_is_made_again(self, path: Path, store: SqlStore) -> None:
        """S2: what is remembered of documents is only a short cut."""
        await store.append([ONE])
        with somebody_else(path) as other:
            other.executescript("DELETE FROM log; DELETE FROM documents;")

        await store.append([TWO])

        assert [b"2"] == await data_of(store)

    async def test_more_documents_than_are_remembered(self, store: SqlStore) -> None:
        """S2: forgotten ones are written to all the same."""
        names = [DocumentId(f"document {number}") for number in range(40_000)]
        for start in range(0, len(names), 10_000):
            await store.append([(name, Entry(b"1", "alice")) for name in names[start : start + 10_000]])

        await store.append([(names[0], Entry(b"2", "alice"))])

        assert [b"1", b"2"] == [row.data for row in await store.load(names[0])]


class TestTrouble:
    async def test_a_locked_database_is_unavailable_until_it_is_unlocked(self, path: Path, store: SqlStore) -> None:
        """S18: reported rather than waited for; reading goes on."""
        await store.append([ONE])
        with somebody_else(path) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(UnavailableError, match="is locked by another process") as failed:
                await store.append([TWO])
            with pytest.raises(UnavailableError):
                await store.check()
            assert [b"1"] == await data_of(store)

        assert isinstance(failed.value.__cause__, sqlite3.OperationalError)
        await store.append([TWO])
        assert [b"1", b"2"] == await data_of(store)

    async def test_a_full_disk_is_unavailable_until_there_is_room(
        self, database: SqliteDatabase, store: SqlStore
    ) -> None:
        """S18: nothing of the batch is written."""
        large = (NOTES, Entry(bytes(100_000), "alice"))
        pages = await database.read(lambda connection: pragma(connection, "page_count"))
        await database.write(lambda connection: pragma(connection, f"max_page_count={pages + 1}"))
        with pytest.raises(UnavailableError, match="the disk is full"):
            await store.append([ONE, large])
        assert [] == await data_of(store)

        await database.write(lambda connection: pragma(connection, "max_page_count=1000000"))
        await store.append([ONE, large])

        assert 2 == len(await store.load(NOTES))

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (sqlite3.SQLITE_IOERR_FSYNC, DiskFailedError),
            (sqlite3.SQLITE_IOERR_DIR_FSYNC, DiskFailedError),
            (sqlite3.SQLITE_IOERR_WRITE, UnavailableError),
            (sqlite3.SQLITE_IOERR_SHMSIZE, UnavailableError),
            (sqlite3.SQLITE_READONLY_DBMOVED, UnavailableError),
            (sqlite3.SQLITE_CORRUPT_INDEX, OperationalError),
            (sqlite3.SQLITE_ERROR, OperationalError),
        ],
    )
    async def test_errors_of_the_disk(
        self, store: SqlStore, database: SqliteDatabase, code: int, expected: type
    ) -> None:
        """S18, S19: a failed fsync is no reason to try again; damage and bugs keep their own names."""

        def fail(connection: Connection) -> None:
            error = sqlite3.OperationalError("as SQLite says it")
            error.sqlite_errorcode = code
            raise OperationalError("COMMIT", {}, error)

        with pytest.raises(expected, match="as SQLite says it"):
            await database.write(fail)
        if expected is DiskFailedError:
            # Nor is the next commit a reason to think that all is well.
            with pytest.raises(DiskFailedError):
                await store.append([ONE])
        else:
            await store.append([ONE])

    async def test_a_damaged_document_is_reported(self, path: Path) -> None:
        """S19: what can't be read is not empty, and nothing overwrites it."""
        store = await open_store(path)
        await store.append([(NOTES, Entry(bytes([number]) * 3_000, "alice")) for number in range(200)])
        await store.close()
        content = damage(path)

        store = await open_store(path)
        with pytest.raises(DamagedError, match="notes"):
            await store.load(NOTES)
        await store.close()

        assert content == bytes_of(path)

    async def test_a_row_of_an_unknown_kind_is_reported(self, path: Path, store: SqlStore) -> None:
        """S19: it is not left out."""
        await store.append([ONE])
        with somebody_else(path) as other:
            other.execute("UPDATE log SET kind = 9")

        with pytest.raises(DamagedError, match="9"):
            await store.load(NOTES)


def pragma(connection: Connection, text: str) -> Any:
    return connection.exec_driver_sql(f"PRAGMA {text}").scalar()


def damage(path: Path) -> bytes:
    """Overwrite what lies behind the schema and the tables' roots, which opening reads; return all bytes."""
    content = bytearray(path.read_bytes())
    content[20 * 4096 : 100 * 4096] = b"\xff" * 80 * 4096
    path.write_bytes(content)
    return bytes(content)


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()
