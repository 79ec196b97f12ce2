"""Which PostgreSQL is not taken, and the one sentence that says why."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from collab.core.ports import DocumentId, Entry
from collab.errors import ConfigurationError, DatabaseTooNewError, DatabaseUnusableError, StartupError, UnavailableError
from collab.store.migrate import HEAD
from collab.store.postgres import PostgresDatabase, name_of
from collab.store.sql import SqlStore
from tests.support.postgres import PostgresServer
from tests.support.server import free_port

NOTES = DocumentId("notes")
ONE = (NOTES, Entry(b"1", "alice"))


async def refused(url: str, kind: type[StartupError]) -> str:
    """Open a store in vain; return the sentence."""
    with pytest.raises(kind) as failed:
        await SqlStore.open(url)
    sentence = str(failed.value)
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "postgresql", "postgres"])
async def test_three_ways_to_write_a_url(postgres: PostgresServer, scheme: str) -> None:
    """S22: as SQLAlchemy has it, and as PostgreSQL's own programs do."""
    url = postgres.url(await postgres.clean_database())

    store = await SqlStore.open(url.replace("postgresql+asyncpg", scheme))

    await store.append([ONE])
    await store.close()


async def test_a_server_behind_a_unix_socket(postgres: PostgresServer) -> None:
    """S22: what the URL may say besides is up to PostgreSQL."""
    database = await postgres.clean_database()
    store = await SqlStore.open(f"postgresql://collab@/{database}?host={postgres.folder}&port={postgres.port}")

    await store.append([ONE])
    await store.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://alice:secret@host/db",
        "postgresql://alice:secret@host:port/db",
        "postgresql://alice:secret@host/db?sslmode=perhaps",
    ],
)
async def test_a_url_that_cannot_be_read(url: str) -> None:
    """S21: it is not quoted, since it may hold a password."""
    assert "secret" not in await refused(url, ConfigurationError)


async def test_a_server_without_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """S21: it says what to install."""
    monkeypatch.delitem(sys.modules, "collab.store.postgres")
    monkeypatch.setitem(sys.modules, "asyncpg", None)

    assert "collab-server[postgres]" in await refused("postgresql://alice:secret@host/db", ConfigurationError)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql+asyncpg://alice:secret@host:5432/notes", "postgresql://host:5432/notes"),
        ("postgresql://alice:se/c?r@et@host/notes?sslmode=require", "postgresql://host/notes"),
        ("postgresql://host/notes?user=alice&password=secret", "postgresql://host/notes"),
        ("postgresql:///notes", "postgresql:///notes"),
    ],
)
def test_a_database_is_named_without_its_password(url: str, name: str) -> None:
    """S18: whatever it was written with."""
    assert name == name_of(url)


async def test_a_server_that_is_not_there() -> None:
    """S21."""
    port = free_port()
    sentence = await refused(f"postgresql+asyncpg://alice:secret@127.0.0.1:{port}/notes", DatabaseUnusableError)

    assert f"the database postgresql://127.0.0.1:{port}/notes cannot be reached: " in sentence


async def test_a_wrong_password(postgres: PostgresServer) -> None:
    """S21: neither the wrong nor the right one is told."""
    url = postgres.url(await postgres.clean_database(), password="secret")

    sentence = await refused(url, DatabaseUnusableError)

    assert "refuses the user or the password" in sentence
    assert "secret" not in sentence


async def test_a_database_that_is_not_there(postgres: PostgresServer) -> None:
    """S21."""
    assert "nowhere does not exist: create it first" in await refused(postgres.url("nowhere"), DatabaseUnusableError)


async def test_a_newer_database(postgres: PostgresServer) -> None:
    """S21: both revisions are named."""
    database = await postgres.create_database()
    await postgres.execute("UPDATE alembic_version SET version_num = '9999'", database=database)

    sentence = await refused(postgres.url(database), DatabaseTooNewError)

    assert "9999" in sentence
    assert f"none after {HEAD}" in sentence


async def test_a_database_of_another_program(postgres: PostgresServer) -> None:
    """S21: its tables stay as they are."""
    database = await postgres.create_database(empty=True)
    await postgres.execute("CREATE TABLE documents (name TEXT)", database=database)

    assert "another program" in await refused(postgres.url(database), DatabaseUnusableError)

    tables = "SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'public'"
    assert "documents" == await postgres.execute(tables, database=database)


@pytest.mark.parametrize(
    ("sql", "missing"),
    [
        ("DROP TABLE clients", "the table clients is missing"),
        ("ALTER TABLE log DROP COLUMN survey", "the column log.survey is missing"),
    ],
)
async def test_a_database_that_is_not_whole(postgres: PostgresServer, sql: str, missing: str) -> None:
    """S21: as a restore leaves it that goes on after an error."""
    database = await postgres.create_database()
    await postgres.execute(sql, database=database)

    assert f"is not whole: {missing}" in await refused(postgres.url(database), DatabaseUnusableError)


async def test_a_user_who_may_not_make_tables(postgres: PostgresServer) -> None:
    """S21: so it is from PostgreSQL 15 on for whoever doesn't own the database."""
    database = await postgres.create_database(empty=True)
    await postgres.execute(f"ALTER DATABASE {database} OWNER TO admin")

    assert "has not all rights" in await refused(postgres.url(database), DatabaseUnusableError)


async def test_a_user_who_may_only_read(postgres: PostgresServer) -> None:
    """S21: found out at the start, not at the first edit."""
    database = await postgres.create_database()
    await postgres.execute("REVOKE UPDATE ON alembic_version FROM collab", database=database)

    assert "has not all rights" in await refused(postgres.url(database), DatabaseUnusableError)


async def test_a_database_that_is_read_only(postgres: PostgresServer) -> None:
    """S21: as a standby is."""
    database = await postgres.create_database()
    await postgres.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")

    assert "is read-only" in await refused(postgres.url(database), DatabaseUnusableError)


async def test_an_encoding_that_cannot_hold_all_names(postgres: PostgresServer) -> None:
    """S21, S7."""
    await postgres.execute("CREATE DATABASE latin OWNER collab ENCODING 'LATIN1' TEMPLATE template0")

    assert "encoding LATIN1" in await refused(postgres.url("latin"), DatabaseUnusableError)


class TestPromises:
    async def test_commits_that_may_be_lost_are_refused(self, postgres: PostgresServer) -> None:
        """S23: wherever it was turned off; the sentence says what to do about it."""
        database = await postgres.create_database()
        await postgres.execute(f"ALTER ROLE collab IN DATABASE {database} SET synchronous_commit = off")

        sentence = await refused(postgres.url(database), DatabaseUnusableError)

        assert "synchronous_commit=off" in sentence
        assert "COLLAB_ALLOW_UNSAFE_COMMITS=true" in sentence

    async def test_they_are_taken_by_whoever_wants_them(self, postgres: PostgresServer) -> None:
        """S23: and the log says so."""
        database = await postgres.create_database()
        await postgres.execute(f"ALTER DATABASE {database} SET synchronous_commit = off")

        with capture_logs() as logs:
            store = await SqlStore.open(postgres.url(database), allow_unsafe_commits=True)

        await store.append([ONE])
        await store.close()
        assert ["synchronous_commit"] in [line.get("off") for line in logs if line["log_level"] == "warning"]

    @pytest.mark.parametrize("value", ["local", "remote_write", "on", "remote_apply"])
    async def test_whatever_waits_for_the_disk_will_do(self, postgres: PostgresServer, value: str) -> None:
        """S23: what it waits for of standbys is the operator's choice."""
        database = await postgres.create_database()
        await postgres.execute(f"ALTER DATABASE {database} SET synchronous_commit = {value}")

        opened = await PostgresDatabase.open(postgres.url(database))

        assert value == await opened.read(
            lambda connection: connection.exec_driver_sql("SHOW synchronous_commit").scalar()
        )
        await opened.close()

    async def test_a_server_that_does_not_sync_is_refused(self, postgres: PostgresServer) -> None:
        """S23: fsync holds for all of a server."""
        url = postgres.url(await postgres.clean_database())
        await setting(postgres, "fsync", "off")
        try:
            assert "fsync=off" in await refused(url, DatabaseUnusableError)
        finally:
            await setting(postgres, "fsync", "on")

    async def test_a_server_that_stops_to_sync_is_noticed(
        self, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S23: it holds for sessions that there are, as soon as the server reads its settings again."""
        monkeypatch.setattr("collab.store.postgres.PROMISE_SECONDS", 0)
        store = await SqlStore.open(postgres.url(await postgres.clean_database()))
        await store.append([ONE])
        await setting(postgres, "fsync", "off")
        try:
            with pytest.raises(UnavailableError, match="fsync=off"):
                await store.append([ONE])
            with pytest.raises(UnavailableError, match="fsync=off"):
                await store.create(DocumentId("plans"), ONE[1])
        finally:
            await setting(postgres, "fsync", "on")
        await store.append([ONE])
        assert 2 == len(await store.load(NOTES))
        await store.close()

    async def test_what_is_turned_off_later_stays_on_here(self, postgres: PostgresServer) -> None:
        """S23: in sessions that there are; new ones are refused until it is on again."""
        database = await postgres.clean_database()
        opened = await PostgresDatabase.open(postgres.url(database))
        store = SqlStore(opened)
        # The first through a connection for new documents, the second through that of the log.
        await store.append([ONE])
        await store.append([ONE])
        await setting(postgres, "synchronous_commit", "off")
        try:
            assert "on" == await opened.write(
                lambda connection: connection.exec_driver_sql("SHOW synchronous_commit").scalar()
            )
            await store.append([ONE])
            with pytest.raises(UnavailableError, match="synchronous_commit=off"):
                await store.load(NOTES)
        finally:
            await setting(postgres, "synchronous_commit", "on")
        assert 3 == len(await store.load(NOTES))
        await store.close()


async def setting(postgres: PostgresServer, name: str, value: str) -> None:
    """Change a setting of the running server, and wait until it holds."""
    await postgres.execute(f"ALTER SYSTEM SET {name} = {value}")
    await postgres.execute("SELECT pg_reload_conf()")
    async with asyncio.timeout(10):
        while value != await postgres.execute(f"SHOW {name}"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_the_command_ends_with_one_sentence(postgres: PostgresServer, tmp_path: Path) -> None:
    """S21: and with the exit code that it has for a file."""
    url = postgres.url(await postgres.clean_database(), password="secret")
    command = [sys.executable, "-m", "collab", "serve", "--port", str(free_port()), "--database", url]

    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
    )

    assert 4 == done.returncode
    assert 1 == len(done.stderr.splitlines()), done.stderr
    assert "refuses the user or the password" in done.stderr
    assert "secret" not in done.stderr + done.stdout
