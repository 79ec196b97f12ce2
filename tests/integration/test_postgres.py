"""What only a server has: transactions of its own kind, several of us at once, and its own tables."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from subprocess import PIPE

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from collab.core.ports import DocumentId, Entry
from collab.errors import StatementRefusedError
from collab.store.base import Compaction, LogRow
from collab.store.postgres import PostgresDatabase
from collab.store.sql import SqlStore
from collab.store.tables import metadata
from tests.support.postgres import PostgresServer

NOTES = DocumentId("notes")
PLANS = DocumentId("plans")
ONE = (NOTES, Entry(b"1", "alice"))
TWO = (NOTES, Entry(b"2", "alice"))

DEADLINE_SECONDS = 60.0


@pytest.fixture
async def name(postgres: PostgresServer) -> str:
    """A database that is empty."""
    return await postgres.clean_database()


@pytest.fixture
async def database(postgres: PostgresServer, name: str) -> AsyncIterator[PostgresDatabase]:
    opened = await PostgresDatabase.open(postgres.url(name))
    yield opened
    await opened.close()


@pytest.fixture
def store(database: PostgresDatabase) -> SqlStore:
    return SqlStore(database)


@asynccontextmanager
async def another(postgres: PostgresServer, name: str) -> AsyncIterator[SqlStore]:
    """The store of another server on the same database."""
    store = await SqlStore.open(postgres.url(name))
    yield store
    await store.close()


async def data_of(store: SqlStore, document: DocumentId = NOTES) -> list[bytes]:
    return [row.data for row in await store.load(document)]


def compaction(rows: list[LogRow], snapshot: bytes) -> Compaction:
    return Compaction(NOTES, snapshot, b"", 0.0, tuple(row.id for row in rows), None, keyframe=False, first_at=0.0)


class TestTransactions:
    async def test_work_that_raises_is_undone(self, database: PostgresDatabase, store: SqlStore) -> None:
        """S2: all of it."""
        await store.append([ONE])

        def fail(connection: Connection) -> None:
            connection.exec_driver_sql("DELETE FROM log")
            raise KeyError("a bug")

        with pytest.raises(KeyError):
            await database.write(fail)

        assert [b"1"] == await data_of(store)

    async def test_a_batch_that_fails_in_its_middle_is_undone(self, store: SqlStore) -> None:
        """S2: all of it, of documents that are new as of known ones; S18: the error doesn't tell what they hold."""
        bad = (NOTES, Entry(b"1", None))  # type: ignore[arg-type]
        for batch in ([ONE, (PLANS, bad[1]), TWO], [ONE, bad, TWO]):
            with pytest.raises(StatementRefusedError, match="violates not-null constraint") as failed:
                await store.append(batch)
            assert "alice" not in str(failed.value)
            assert failed.value.__cause__ is None
            assert await store.describe(PLANS) is None

            await store.append([ONE])

        assert [b"1", b"1"] == await data_of(store)

    async def test_a_document_that_was_deleted_elsewhere_is_made_again(
        self, postgres: PostgresServer, name: str, store: SqlStore
    ) -> None:
        """S2: what is remembered of documents is only a short cut."""
        await store.append([ONE])
        await postgres.execute("TRUNCATE documents CASCADE", database=name)

        await store.append([TWO])

        assert [b"2"] == await data_of(store)

    async def test_a_batch_of_the_log_is_one_transaction(self, database: PostgresDatabase, store: SqlStore) -> None:
        """S2: asyncpg's own behaviour, on which the log relies: there is no BEGIN."""
        await store.append([ONE])
        await store.append([(NOTES, Entry(b"%d" % number, "alice")) for number in range(3_000)])

        def transactions(connection: Connection) -> list[object]:
            return list(connection.exec_driver_sql("SELECT DISTINCT xmin::text FROM log").scalars())

        assert 2 == len(await database.read(transactions))

    async def test_closing_lets_what_is_under_way_end(self, postgres: PostgresServer, name: str) -> None:
        """S11: what was asked before is done, and on disk."""
        async with another(postgres, name) as store:
            await store.append([ONE])
            writing = [asyncio.ensure_future(store.append([each])) for each in (TWO, TWO, (PLANS, ONE[1]))]
            await asyncio.sleep(0)
        await asyncio.gather(*writing)

        async with another(postgres, name) as store:
            assert [b"1", b"2", b"2"] == await data_of(store)
            assert [b"1"] == await data_of(store, PLANS)


class TestSeveral:
    """Several servers on one database."""

    async def test_all_of_them_may_start_at_once(self, postgres: PostgresServer) -> None:
        """S24: one brings the tables up to date, the others wait for it."""
        url = postgres.url(await postgres.create_database(empty=True))

        stores = await asyncio.gather(*(SqlStore.open(url) for _ in range(4)))

        for store in stores:
            await store.append([ONE])
        assert [b"1"] * 4 == await data_of(stores[0])
        for store in stores:
            await store.close()

    async def test_a_row_that_is_committed_late_survives(
        self, postgres: PostgresServer, name: str, store: SqlStore
    ) -> None:
        """S4: its id is lower than those of rows that were read (hazard S4)."""
        await store.append([ONE])
        insert = (
            "INSERT INTO log (document_id, kind, author, created_at, data)"
            " SELECT id, 0, 'bob', 1, 'late' FROM documents"
        )
        async with postgres.session(name) as other:
            await other.execute("BEGIN")
            await other.execute(insert)
            await store.append([TWO])
            rows = list(await store.load(NOTES))
            await other.execute("COMMIT")

        assert await store.compact(compaction(rows, b"12"))

        assert [b"late", b"12"] == await data_of(store)

    async def test_nobody_who_appends_waits_for_a_compactor(
        self, postgres: PostgresServer, name: str, store: SqlStore
    ) -> None:
        """S4: the document's row is locked against other compactors only."""
        await store.append([ONE])
        async with postgres.session(name) as other:
            await other.execute("BEGIN")
            await other.execute("SELECT 1 FROM documents FOR NO KEY UPDATE")
            await other.execute("DELETE FROM log")

            await store.append([TWO])
            compacting = asyncio.ensure_future(store.compact(compaction(list(await store.load(NOTES)), b"12")))
            await postgres.wait_for_a_lock()
            await other.execute("COMMIT")

        assert not await compacting
        assert [b"2"] == await data_of(store)

    async def test_writing_and_compacting_at_once_loses_nothing(
        self, postgres: PostgresServer, name: str, store: SqlStore
    ) -> None:
        """S4, S6: two servers write, two compactors a server merge what they read; each row is there once."""
        words = [[b"%d.%d " % (writer, number) for number in range(60)] for writer in range(4)]
        async with another(postgres, name) as second:
            stores = [store, second]
            writing = [asyncio.ensure_future(write_all(stores[number % 2], each)) for number, each in enumerate(words)]
            compacting = [
                asyncio.ensure_future(compact_until(all_done(writing), stores[number % 2], Random(number)))
                for number in range(4)
            ]
            await asyncio.gather(*writing)
            merged = sum(await asyncio.gather(*compacting))

        expected = sorted(word.strip() for each in words for word in each)
        assert expected == sorted(b"".join(await data_of(store)).split())
        assert merged > 0

    async def test_what_is_the_default_elsewhere_is_not_asked(self, postgres: PostgresServer) -> None:
        """S6: transactions read what is committed, whatever the database's default is."""
        database = await postgres.create_database()
        await postgres.execute(f"ALTER DATABASE {database} SET default_transaction_isolation = serializable")
        opened = await PostgresDatabase.open(postgres.url(database))

        def isolation(connection: Connection) -> object:
            return connection.exec_driver_sql("SHOW transaction_isolation").scalar()

        assert ["read committed"] * 2 == [await opened.write(isolation), await opened.read(isolation)]
        await opened.close()


async def write_all(store: SqlStore, words: list[bytes]) -> None:
    for number, word in enumerate(words):
        await store.append([(NOTES, Entry(word, "alice", clients=(number,)))])


async def compact_until(done: asyncio.Future[object], store: SqlStore, random: Random) -> int:
    """Merge some of the rows, again and again; return how often that replaced them."""
    merged = 0
    while not done.done():
        rows = list(await store.load(NOTES))
        some = random.sample(rows, k=min(len(rows), random.randint(2, 20)))
        if some:
            merged += await store.compact(compaction(some, b"".join(row.data for row in some)))
    return merged


def all_done(tasks: Sequence[asyncio.Future[None]]) -> asyncio.Future[object]:
    return asyncio.ensure_future(asyncio.wait(tasks))


# Brings one empty database up to date again and again, in a child that is killed after a few more statements.
KILLED_EVER_LATER = """
import asyncio, os, signal, sys
import alembic.command, asyncpg, sqlalchemy.dialects.postgresql.asyncpg
from sqlalchemy import event
from sqlalchemy.engine import Engine
from collab.store.sql import SqlStore

def count_down(*_):
    global left
    left -= 1
    if left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)

async def start():
    await (await SqlStore.open(sys.argv[1])).close()

async def tables():
    session = await asyncpg.connect(sys.argv[1].replace("+asyncpg", ""))
    found = await session.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    await session.close()
    return found

found = []
for left in range(1, 1000, 3):
    found.append(asyncio.run(tables()))
    child = os.fork()
    if child == 0:
        event.listen(Engine, "after_cursor_execute", count_down)
        event.listen(Engine, "commit", count_down)
        asyncio.run(start())
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(*found)
"""


async def test_a_migration_survives_being_killed(postgres: PostgresServer) -> None:
    """S20: after some of its statements; then there is nothing or all of it, and the next start works."""
    url = postgres.url(await postgres.create_database(empty=True))

    done = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED_EVER_LATER, url, stdout=PIPE)
    printed, _ = await done.communicate()

    tables = [int(word) for word in printed.splitlines()[-1].split()]
    assert 0 == done.returncode
    assert len(tables) > 5
    assert {0} == set(tables[:5])
    assert set(tables) <= {0, len(metadata.tables) + 1}
    store = await SqlStore.open(url)
    await store.append([ONE])
    await store.close()


async def test_the_migrations_make_the_tables_that_the_statements_use(database: PostgresDatabase) -> None:
    """S20: types, indexes and constraints, column by column."""

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert [] == await database.read(differences)
