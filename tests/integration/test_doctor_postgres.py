"""What only a server has: rights, other servers beside whoever repairs, and files that are its own affair (D)."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio
from sqlalchemy import Connection

from collab.doctor.command import database_at
from collab.errors import DatabaseTooNewError, DatabaseUnusableError, UnavailableError
from collab.store.migrate import HEAD
from collab.store.readonly_postgres import ReadOnlyPostgres
from tests.support.members import typed, typing
from tests.support.patients import PostgresPatient, collab, doctor, fill, found, look, rows_of, text_of, treat
from tests.support.postgres import PostgresServer
from tests.support.server import Server, free_port
from tests.support.websocket_peer import WebsocketPeer

# One loop, so that the process in which documents are replayed is started once.
pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO = typing(7, "hello")
TRUNCATED = "UPDATE log SET data = substr(data, 1, length(data) - 2) WHERE id = ?"


@pytest_asyncio.fixture(loop_scope="module")
async def patient(postgres: PostgresServer) -> PostgresPatient:
    return PostgresPatient(postgres, await postgres.clean_database())


@pytest_asyncio.fixture(loop_scope="module")
async def loner(postgres: PostgresServer) -> PostgresPatient:
    """A database that no other test uses afterwards."""
    return PostgresPatient(postgres, await postgres.create_database())


class TestLooking:
    async def test_each_work_sees_one_moment_and_may_not_write(self, patient: PostgresPatient) -> None:
        """D10."""
        reading = await ReadOnlyPostgres.open(patient.url)

        def promises(connection: Connection) -> list[object]:
            settings = ("transaction_read_only", "transaction_isolation")
            return [connection.exec_driver_sql(f"SHOW {setting}").scalar() for setting in settings]

        def write(connection: Connection) -> None:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

        assert ["on", "repeatable read"] == await reading.read(promises)
        with pytest.raises(UnavailableError, match="read-only"):
            await reading.read(write)
        assert ["on", "repeatable read"] == await reading.read(promises)
        await reading.close()

    async def test_who_may_only_read_may_look(self, postgres: PostgresServer, loner: PostgresPatient) -> None:
        """D1, D10: on a database that takes no edits, as a standby doesn't; what is wrong is found all the same."""
        await fill(loner, {"notes": HELLO, "plans": HELLO}, compacted={"plans": 4})
        row = (await rows_of(loner, "notes"))[2][0]
        await loner.change(TRUNCATED, row)
        await postgres.execute("CREATE ROLE visitor LOGIN PASSWORD 'welcome'")
        await postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO visitor", database=loner.name)
        await postgres.execute(f"ALTER DATABASE {loner.name} SET default_transaction_read_only = on")
        visitor = database_at(postgres.url(loner.name, user="visitor", password="welcome"), allow_unsafe_commits=False)

        report = await doctor(loner, database=visitor).look()

        assert [("log", row)] == [each[:2] for each in found(report)["notes"]]
        assert [] == report.problems
        with pytest.raises(DatabaseUnusableError):
            await doctor(loner, database=visitor).treat()

    async def test_what_is_no_database_of_ours(self, postgres: PostgresServer) -> None:
        """D1: one sentence each, and nothing is made where nothing is."""
        empty = PostgresPatient(postgres, await postgres.create_database(empty=True))
        with pytest.raises(DatabaseUnusableError, match="is empty"):
            await look(empty)
        assert [] == await empty.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        await empty.change("CREATE TABLE documents (name TEXT)")
        with pytest.raises(DatabaseUnusableError, match="another program"):
            await look(empty)
        with pytest.raises(DatabaseUnusableError, match="nowhere does not exist"):
            await look(PostgresPatient(postgres, "nowhere"))

    async def test_a_newer_database(self, loner: PostgresPatient) -> None:
        """D1: it is left alone by who looks, and by who repairs."""
        await loner.change("UPDATE alembic_version SET version_num = '9999'")

        with pytest.raises(DatabaseTooNewError, match="9999"):
            await look(loner)
        with pytest.raises(DatabaseTooNewError, match="9999"):
            await doctor(loner).treat()

    async def test_an_older_database(self, loner: PostgresPatient) -> None:
        """D1: it is looked at as it is; a repair brings it up to date, as a start does."""
        await fill(loner, {"notes": HELLO})
        await loner.change("DROP TABLE damaged")
        await loner.change("UPDATE alembic_version SET version_num = '0001'")

        report = await look(loner)

        assert ("0001", True, 1) == (report.revision, report.well, report.documents)
        assert [("0001",)] == await loner.ask("SELECT version_num FROM alembic_version")
        await treat(loner)
        assert HEAD == (await look(loner)).revision

    async def test_rows_that_postgresql_cannot_read_are_named(self, loner: PostgresPatient) -> None:
        """D10: those that it keeps in another place, by their ids; they and their documents are left alone."""
        noise = Random(1)
        large = typed(8, 0, "".join(chr(noise.randrange(32, 0xD800)) for _ in range(60_000)))
        await fill(loner, {"notes": [*HELLO, large], "plans": HELLO})
        (*_, row) = [row[0] for row in await rows_of(loner, "notes")]
        await loner.server.spoil(loner.name, "(SELECT reltoastrelid FROM pg_class WHERE relname = 'log')")

        report = await look(loner)

        ((place, id, reason),) = found(report)["notes"]
        assert ("log", row) == (place, id)
        assert "invalid page" in reason
        assert ["notes"] == [case.document for case in report.damaged]
        surgery = await doctor(loner).treat()
        assert [] == surgery.treatments
        assert "invalid page" in surgery.untreated["notes"]
        assert [(row, 6)] == await loner.ask("SELECT max(id), count(*) FROM log WHERE document_id = 1")

    async def test_a_page_that_postgresql_cannot_read_spoils_no_other_document(self, loner: PostgresPatient) -> None:
        """D10: which rows stood on it isn't known; nothing is put in for them, however often it is repaired."""
        await fill(loner, {"plans": HELLO, "notes": [typed(client, 0, "x" * 500) for client in range(400, 0, -1)]})
        ((before,),) = await loner.ask("SELECT max(id) FROM log")
        await loner.server.spoil(loner.name, "'log'")

        report = await look(loner)

        ((place, id, reason),) = found(report)["notes"]
        assert ("log", None) == (place, id)
        assert "invalid page" in reason
        assert ["notes"] == [case.document for case in report.damaged]
        assert "the table log cannot be read whole: invalid page" in report.problems[0]
        assert ["notes"] == list((await doctor(loner).treat()).untreated)
        assert before == (await loner.ask("SELECT last_value FROM log_id_seq"))[0][0]


class TestRepairing:
    async def test_a_repair_that_may_be_lost_is_refused(self, loner: PostgresPatient) -> None:
        """D10, S23: unless the operator allows it; looking is allowed always."""
        await fill(loner, {"notes": HELLO})
        await loner.change(TRUNCATED, (await rows_of(loner, "notes"))[2][0])
        await loner.server.execute(f"ALTER DATABASE {loner.name} SET synchronous_commit = off")

        assert not (await look(loner)).well
        with pytest.raises(DatabaseUnusableError, match="synchronous_commit=off"):
            await doctor(loner).treat()
        await doctor(loner, database=database_at(loner.url, allow_unsafe_commits=True)).treat()
        assert (await look(loner)).well

    async def test_people_go_on_beside_a_repair(self, patient: PostgresPatient, tmp_path: Path) -> None:
        """D8: what they type meanwhile stays; what was recovered they see when the document is opened again."""
        words = typing(7, "hello")
        await fill(patient, {"notes": words[:4]}, compacted={"notes": 4})
        with Server.running(tmp_path / "data", "--database", patient.url, linger_seconds=0) as server:
            async with WebsocketPeer.connected(server.ws_url, "notes", 8) as ann:
                await patient.change(TRUNCATED, (await rows_of(patient, "notes"))[0][0])
                looked = await collab("--database", patient.url, folder=tmp_path)
                repaired = await collab("--database", patient.url, "--repair", folder=tmp_path)
                await ann.send(ann.write(lambda: ann.doc["text"].insert(0, "works")))
                async with WebsocketPeer.connected(server.ws_url, "notes", 9) as bob:
                    await bob.wait_for_text("works")
            server.stop()

        assert (1, 0) == (looked.returncode, repaired.returncode), (looked, repaired)
        assert "hell" == await text_of(patient, "notes")
        assert "works" == await text_of(patient, "notes", "text")


class TestCommand:
    async def test_what_cannot_be_opened_is_one_sentence(self, postgres: PostgresServer, tmp_path: Path) -> None:
        """D1: with the exit code of a start that fails, and without a password."""
        newer = await postgres.create_database()
        await postgres.execute("UPDATE alembic_version SET version_num = '9999'", database=newer)
        nobody = f"postgresql+asyncpg://collab:secret@127.0.0.1:{free_port()}/notes"
        cases = {
            postgres.url(await postgres.clean_database(), password="secret"): (4, "refuses the user or the password"),
            postgres.url("nowhere"): (4, "does not exist"),
            nobody: (4, "cannot be reached"),
            postgres.url(await postgres.create_database(empty=True)): (4, "is empty"),
            postgres.url(newer): (3, "newer release"),
            "postgresql+psycopg://collab:secret@127.0.0.1/notes": (2, "not supported"),
        }
        for url, (code, sentence) in cases.items():
            for option in ("--json", "--repair"):
                done = await collab("--database", url, option, folder=tmp_path)

                (said,) = done.stderr.splitlines()
                assert (code, "") == (done.returncode, done.stdout), done
                assert sentence in said
                assert "secret" not in said
                assert "sesame" not in said

    async def test_a_report_names_the_database_without_its_password(
        self, patient: PostgresPatient, tmp_path: Path
    ) -> None:
        """D1."""
        await fill(patient, {"notes": HELLO})

        done = await collab("--database", patient.url, "--json", folder=tmp_path)

        report = json.loads(done.stdout)
        assert (0, True, 1) == (done.returncode, report["ok"], report["documents"])
        assert f"postgresql://127.0.0.1:{patient.server.port}/{patient.name}" == report["database"]
        assert "sesame" not in done.stdout + done.stderr
