"""PostgreSQL goes away, says no, or says nothing; and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pycrdt import Text
from sqlalchemy import Connection

from collab.app import create_app
from collab.core.ports import DocumentId, Entry
from collab.errors import DamagedError, StatementRefusedError, UnavailableError
from collab.http.dependencies import CREATIONS
from collab.settings import Anonymous, Settings
from collab.store.journal import GroupCommitJournal
from collab.store.postgres import ANSWER_SECONDS, PostgresDatabase
from collab.store.sql import SqlStore
from tests.support.postgres import PostgresServer
from tests.support.server import Server
from tests.support.websocket_peer import WebsocketPeer

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


class TestTrouble:
    async def test_a_server_that_is_killed_while_it_writes(
        self, postgres: PostgresServer, name: str, store: SqlStore
    ) -> None:
        """S18, J4: nothing is receipted meanwhile; when it is back all goes on, and nothing receipted is missing."""
        journal = GroupCommitJournal(store, interval_seconds=0.001)
        running = asyncio.ensure_future(journal.run())
        everything = [b"%d" % number for number in range(300)]
        receipted: list[bytes] = []

        async def type_in(rows: list[bytes]) -> None:
            for row in rows:
                journal.append(NOTES, [Entry(row, "alice")], [partial(receipted.append, row)])
                await asyncio.sleep(0)

        async with asyncio.timeout(DEADLINE_SECONDS):
            await type_in(everything[:100])
            await until(lambda: len(receipted) > 20)
            postgres.kill()
            survivors = list(receipted)
            await type_in(everything[100:200])
            await until(lambda: journal.problem is not None)
            assert survivors == receipted
            assert f"postgresql://127.0.0.1:{postgres.port}/{name}" in str(journal.problem)
            postgres.start()
            assert set(survivors) <= set(await until_read(store))
            await type_in(everything[200:])
            await journal.flush()
        running.cancel()

        assert journal.problem is None
        assert everything == receipted
        # Not "==": what was committed when the connection was lost is there twice.
        assert set(everything) == set(await data_of(store))

    async def test_connections_that_were_lost_while_idle_are_replaced(
        self, postgres: PostgresServer, store: SqlStore
    ) -> None:
        """S25: whoever comes next doesn't notice, once the loss is known here."""
        await store.append([ONE])
        await store.append([ONE])
        await store.load(NOTES)
        await terminate_all(postgres)

        assert [b"1", b"1"] == await until_read(store)
        await until_written(store, TWO)
        await store.check()

        assert [b"1", b"1", b"2"] == await data_of(store)

    async def test_a_server_that_takes_no_more_connections(self, postgres: PostgresServer) -> None:
        """S18: until it does again."""
        name = await postgres.create_database()
        async with another(postgres, name) as store:
            await postgres.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
            await terminate_all(postgres)
            with pytest.raises(UnavailableError, match="takes no more connections"):
                await asyncio.wait_for(until_refused(store), DEADLINE_SECONDS)

            await postgres.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
            await store.append([ONE])

            assert [b"1"] == await data_of(store)

    async def test_a_server_that_does_not_answer(self, postgres: PostgresServer, name: str) -> None:
        """S25: it is given up after a while, and not asked on the same connection again."""
        database = await PostgresDatabase.open(postgres.url(name), answer_seconds=1.0)
        store = SqlStore(database)
        # Each through another connection: for new documents, for the log, and for reading.
        await store.append([ONE])
        await store.append([ONE])
        await store.load(NOTES)
        with stopped(await sessions_of(postgres)):
            attempts = store.append([(PLANS, ONE[1])]), store.append([TWO]), store.load(NOTES)
            failed = await asyncio.gather(*attempts, return_exceptions=True)
            # Those connections are given up: what comes next gets an answer, from others.
            await store.append([TWO])
            await store.append([(PLANS, ONE[1])])
            assert b"2" in await data_of(store)

        assert [UnavailableError] * 3 == [type(each) for each in failed]
        assert all("does not answer" in str(each) for each in failed)
        await store.close()

    async def test_a_damaged_document_is_reported(self, postgres: PostgresServer, name: str) -> None:
        """S19: what can't be read is not empty, and nothing overwrites it."""
        name = await postgres.create_database()
        async with another(postgres, name) as store:
            await store.append([(NOTES, Entry(bytes([number]) * 1_000, "alice")) for number in range(200)])
        file = postgres.data / await postgres.execute("SELECT pg_relation_filepath('log')", database=name)
        postgres.stop()
        content = damage(file)
        postgres.start()

        async with another(postgres, name) as store:
            with pytest.raises(DamagedError, match=r"notes.*invalid page"):
                await store.load(NOTES)

        assert content == bytes_of(file)

    @pytest.mark.parametrize(
        ("state", "expected", "text"),
        [
            ("53100", UnavailableError, "the disk is full"),
            ("53200", UnavailableError, "cannot be used: as it says"),
            ("40001", UnavailableError, "another transaction"),
            ("40P01", UnavailableError, "another transaction"),
            ("25006", UnavailableError, "read-only"),
            ("57014", UnavailableError, "cannot be used: as it says"),
            ("57P03", UnavailableError, "stopping or starting"),
            ("58030", UnavailableError, "cannot be used: as it says"),
            ("08006", UnavailableError, "was lost"),
            ("42501", UnavailableError, "has not all rights"),
            ("XX001", StatementRefusedError, "as it says (XX001)"),
            ("42P01", StatementRefusedError, "as it says (42P01)"),
            ("23505", StatementRefusedError, "as it says (23505)"),
        ],
    )
    async def test_what_a_server_says(
        self, database: PostgresDatabase, store: SqlStore, state: str, expected: type[Exception], text: str
    ) -> None:
        """S18, S19: what may heal by itself is told from damage and bugs; rows that it quotes aren't."""

        def fail(connection: Connection) -> None:
            connection.exec_driver_sql(
                f"DO $$ BEGIN RAISE EXCEPTION 'as it says' USING ERRCODE = '{state}', DETAIL = 'secret'; END $$"
            )

        with pytest.raises(expected) as failed:
            await database.write(fail)

        assert text in str(failed.value)
        assert "secret" not in str(failed.value)
        await store.append([ONE])


async def terminate_all(postgres: PostgresServer) -> None:
    await postgres.execute(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = 'collab'"
    )


async def sessions_of(postgres: PostgresServer) -> list[int]:
    """Return the server's processes for our sessions."""
    async with postgres.session("postgres") as session:
        rows = await session.fetch("SELECT pid FROM pg_stat_activity WHERE application_name = 'collab'")
    return [row["pid"] for row in rows]


@contextmanager
def stopped(processes: list[int]) -> Iterator[None]:
    """Keep processes from running."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so. Whoever calls has a deadline."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def until_read(store: SqlStore) -> list[bytes]:
    """Return the rows as soon as they can be read."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                return await data_of(store)
            except UnavailableError:
                await asyncio.sleep(0.01)


async def until_written(store: SqlStore, row: tuple[DocumentId, Entry]) -> None:
    """Write a row as soon as that can be done."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                return await store.append([row])
            except UnavailableError:
                await asyncio.sleep(0.01)


async def until_refused(store: SqlStore) -> None:
    """Ask until the server refuses; that a connection was lost comes before."""
    while True:
        try:
            await store.check()
        except UnavailableError as error:
            if "was lost" not in str(error) and "stopping" not in str(error):
                raise


def damage(file: Path) -> bytes:
    """Overwrite pages of a table; return all bytes."""
    content = bytearray(file.read_bytes())
    content[2 * 8192 : 4 * 8192] = b"\xff" * 2 * 8192
    file.write_bytes(content)
    return bytes(content)


def bytes_of(file: Path) -> bytes:
    return file.read_bytes()


class TestServe:
    """`collab serve` on PostgreSQL."""

    async def test_nobody_waits_for_a_locked_table_to_create_a_document(
        self, postgres: PostgresServer, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """N7: PostgreSQL lets a statement wait for as long as a lock is held, or until it counts as lost."""
        monkeypatch.setattr("collab.http.documents.FLUSH_SECONDS", 0.2)
        app = create_app(Settings(database=postgres.url(name), anonymous=Anonymous.EDIT))
        words: dict[str, Any] = {"content": b"words", "headers": {"content-type": "text/plain"}}
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://collab") as client,
        ):
            async with postgres.session(name) as other, other.transaction():
                await other.execute("LOCK TABLE documents IN ACCESS EXCLUSIVE MODE")
                attempts = [client.put(f"/api/documents/new%20{number}", **words) for number in range(20)]
                async with asyncio.timeout(ANSWER_SECONDS / 2):
                    refused = await asyncio.gather(*attempts)
            # They were not called back, and each held its turn until now.
            async with asyncio.timeout(DEADLINE_SECONDS):
                while (created := await client.put("/api/documents/notes", **words)).status_code != 201:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

        assert {httpx.codes.SERVICE_UNAVAILABLE} == {answer.status_code for answer in refused}
        said = [answer.json()["detail"] for answer in refused]
        assert CREATIONS == said.count("not on disk after 0.2 seconds: the database has not answered")
        assert len(attempts) - CREATIONS == said.count(f"{CREATIONS} documents are being created already")
        assert 1 == created.json()["rows"]

    async def test_what_was_typed_is_there_after_a_restart(self, postgres: PostgresServer, tmp_path: Path) -> None:
        """S22, H6: of both servers, PostgreSQL's and ours."""
        url = postgres.url(await postgres.create_database(empty=True))
        server = Server(tmp_path / "data", "--database", url)
        try:
            await asyncio.to_thread(server.start)
            async with WebsocketPeer.connected(server.ws_url, "notes", 7) as author:
                text = author.doc.get("text", type=Text)
                await author.send(author.write(lambda: text.insert(0, "hello")))
                async with WebsocketPeer.connected(server.ws_url, "notes", 8) as reader:
                    await reader.wait_for_text("hello")
                await asyncio.to_thread(server.stop)

            postgres.stop()
            postgres.start()
            await asyncio.to_thread(server.start)
            async with WebsocketPeer.connected(server.ws_url, "notes", 9) as late:
                assert "hello" == late.text
            assert not server.folder.exists()
            assert "sesame" not in server.log
        finally:
            server.kill()

    async def test_while_postgresql_is_down_it_says_so(self, postgres: PostgresServer, tmp_path: Path) -> None:
        """S18, J4: who is here goes on; when it is back, all is written."""
        url = postgres.url(await postgres.create_database())
        server = Server(tmp_path / "data", "--database", url)
        try:
            await asyncio.to_thread(server.start)
            async with WebsocketPeer.connected(server.ws_url, "notes", 7) as author:
                postgres.stop()
                text = author.doc.get("text", type=Text)
                await author.send(author.write(lambda: text.insert(0, "hello")))
                async with WebsocketPeer.connected(server.ws_url, "notes", 8) as reader:
                    await reader.wait_for_text("hello")
                async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
                    down = await client.get("/readyz")
                    postgres.start()
                    async with asyncio.timeout(DEADLINE_SECONDS):
                        while (await client.get("/readyz")).status_code != httpx.codes.OK:  # noqa: ASYNC110
                            await asyncio.sleep(0.01)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            async with WebsocketPeer.connected(server.ws_url, "notes", 9) as late:
                assert "hello" == late.text
        finally:
            server.kill()

        assert httpx.codes.SERVICE_UNAVAILABLE == down.status_code
        assert "cannot be reached" in down.text
