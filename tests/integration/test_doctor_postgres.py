"""What only a server has: rights, other servers beside whoever repairs, and files that are its own affair (D)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio
from sqlalchemy import Connection

from collab.core.ports import DocumentId, Entry
from collab.doctor.command import database_at
from collab.errors import DatabaseTooNewError, DatabaseUnusableError, UnavailableError
from collab.store.census import LOG, Damage
from collab.store.compaction import compacted
from collab.store.migrate import HEAD
from collab.store.postgres import Server, engine_of
from collab.store.readonly_postgres import ReadOnlyPostgres
from collab.store.repair import Repair, carry_out
from collab.store.sql import SqlStore
from tests.support import server as collab_server
from tests.support.members import typed, typing
from tests.support.patients import (
    HELLO,
    TRUNCATED,
    Interrupted,
    PostgresPatient,
    collab,
    compact,
    doctor,
    fill,
    found,
    look,
    misspell,
    rows_of,
    text_of,
    treat,
)
from tests.support.postgres import PostgresServer
from tests.support.websocket_peer import WebsocketPeer

# One loop, so that the process in which documents are replayed is started once.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def patient(postgres: PostgresServer) -> PostgresPatient:
    return PostgresPatient(postgres, await postgres.clean_database())


@pytest_asyncio.fixture(loop_scope="module")
async def loner(postgres: PostgresServer) -> PostgresPatient:
    """A database that no other test uses afterwards."""
    return PostgresPatient(postgres, await postgres.create_database())


@asynccontextmanager
async def repairing(patient: PostgresPatient, repair: Repair) -> AsyncIterator[None]:
    """A repair that is written, and committed at the end."""
    server = Server.at(patient.url, allow_unsafe_commits=False)
    engine = engine_of(partial(server.connect, None))
    async with engine.begin() as connection:
        await connection.run_sync(partial(carry_out, repair, 0.0))
        yield
    await engine.dispose()


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
        await loner.change("DROP TABLE damaged, grants, links, revocations")
        await loner.change("ALTER TABLE documents DROP COLUMN owner")
        await loner.change("UPDATE alembic_version SET version_num = '0001'")

        report = await look(loner)

        assert ("0001", True, 1) == (report.revision, report.well, report.documents)
        assert [("0001",)] == await loner.ask("SELECT version_num FROM alembic_version")
        await treat(loner)
        assert HEAD == (await look(loner)).revision

    @pytest.mark.parametrize(
        ("sql", "problem"),
        [
            ("ALTER TABLE log DROP CONSTRAINT pk_log", "the table log lacks its primary key: id"),
            (
                "ALTER TABLE log DROP CONSTRAINT fk_log_document_id",
                "the foreign key fk_log_document_id of the table log is missing",
            ),
            (
                "ALTER TABLE documents DROP CONSTRAINT uq_documents_name",
                "the unique constraint uq_documents_name of the table documents is missing",
            ),
            ("ALTER TABLE log ALTER COLUMN author DROP NOT NULL", "the column log.author may be empty"),
            (
                "ALTER TABLE clients ALTER COLUMN client_id TYPE INTEGER",
                "the column clients.client_id is INTEGER, not BIGINT",
            ),
        ],
    )
    async def test_what_a_restore_has_left_out_is_named(self, loner: PostgresPatient, sql: str, problem: str) -> None:
        """D1: constraints that could not be made, as pg_restore goes on after an error."""
        await loner.change(sql)

        assert problem in (await look(loner)).problems

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
        await loner.change(TRUNCATED, (await rows_of(loner, "notes"))[-1][0])
        await loner.server.execute(f"ALTER DATABASE {loner.name} SET synchronous_commit = off")

        assert not (await look(loner)).well
        with pytest.raises(DatabaseUnusableError, match="synchronous_commit=off"):
            await doctor(loner).treat()
        await doctor(loner, database=database_at(loner.url, allow_unsafe_commits=True)).treat()
        assert (await look(loner)).well

    async def test_what_is_appended_meanwhile_stays(self, patient: PostgresPatient) -> None:
        """D8: between reading a document and writing its repair."""
        await fill(patient, {"notes": HELLO}, compacted={"notes": 4})
        await patient.change(TRUNCATED, (await rows_of(patient, "notes"))[0][0])
        later = typed(8, 0, "later")

        async def append() -> None:
            await fill(patient, {"notes": [later]})

        surgery = await doctor(patient, sandbox=Interrupted(append)).treat()

        assert ["notes"] == [treatment.document for treatment in surgery.treatments]
        assert later in [row[-1] for row in await rows_of(patient, "notes")]
        assert await text_of(patient, "notes") in ("hellolater", "laterhello")
        assert (await look(patient)).well

    @pytest.mark.parametrize("misspelt", [True, False], ids=["to_be_set_aside", "to_be_kept"])
    async def test_what_is_compacted_meanwhile_is_left(self, patient: PostgresPatient, *, misspelt: bool) -> None:
        """D8: that document is not repaired; the others are."""
        await fill(patient, {"notes": HELLO, "plans": HELLO}, compacted={"notes": 4, "plans": 4})
        plan = (await rows_of(patient, "plans"))[0][0]
        await patient.change("UPDATE log SET kind = 9 WHERE id = ?", plan)
        if misspelt:
            await misspell(patient)
        else:
            first = "(SELECT min(id) FROM history)"
            await patient.change(f"UPDATE history SET data = substr(data, 1, 40) WHERE id = {first}")

        surgery = await doctor(patient, sandbox=Interrupted(partial(compact, patient, "notes"))).treat()

        assert ["notes"] == list(surgery.untreated)
        assert "is gone, a server was at work: look again" in surgery.untreated["notes"]
        assert ["plans"] == [treatment.document for treatment in surgery.treatments]
        assert [(plan,)] == await patient.ask("SELECT row_id FROM damaged")
        assert [1] == [row[1] for row in await rows_of(patient, "notes")]
        assert "hello" == await text_of(patient, "plans")

    async def test_a_compaction_under_way_is_waited_for(self, patient: PostgresPatient) -> None:
        """D8: and what it took is not taken out a second time."""
        await fill(patient, {"notes": HELLO})
        await patient.change(TRUNCATED, (await rows_of(patient, "notes"))[4][0])
        async with patient.server.session(patient.name) as other:
            await other.execute("BEGIN")
            await other.execute("SELECT 1 FROM documents FOR NO KEY UPDATE")
            await other.execute("DELETE FROM log WHERE id = (SELECT min(id) FROM log)")
            treating = asyncio.ensure_future(doctor(patient).treat())
            await patient.server.wait_for_a_lock()
            await other.execute("COMMIT")

        surgery = await treating

        assert ["notes"] == list(surgery.untreated)
        assert 4 == len(await rows_of(patient, "notes"))
        assert [] == await patient.ask("SELECT * FROM damaged")

    async def test_a_compactor_that_waits_for_a_repair_replaces_nothing(self, patient: PostgresPatient) -> None:
        """D8, S6: it read the damaged row; whoever appends waits for neither."""
        await fill(patient, {"notes": HELLO})
        rows = [row[0] for row in await rows_of(patient, "notes")]
        store = await SqlStore.open(patient.url)
        compaction = compacted(DocumentId("notes"), await store.load(DocumentId("notes")), history=True)
        assert compaction is not None
        ((document,),) = await patient.ask("SELECT id FROM documents")
        damage = Damage(LOG, rows[2], "as if it were", size=1)
        repair = Repair(document, {LOG: frozenset(rows)}, (damage,), added=(), surveys=(), keyframe=None)
        async with repairing(patient, repair):
            compacting = asyncio.ensure_future(store.compact(compaction))
            await patient.server.wait_for_a_lock()
            await store.append([(DocumentId("notes"), Entry(HELLO[0], "ann"))])

        assert not await compacting
        await store.close()
        assert [*rows[:2], *rows[3:]] == [row[0] for row in await rows_of(patient, "notes")][:4]
        assert 5 == len(await rows_of(patient, "notes"))

    async def test_people_go_on_beside_a_repair(self, patient: PostgresPatient, tmp_path: Path) -> None:
        """D8: what they type meanwhile stays; what was recovered they see when the document is opened again."""
        words = typing(7, "hello")
        await fill(patient, {"notes": words[:4]}, compacted={"notes": 4})
        with collab_server.Server.running(tmp_path / "data", "--database", patient.url, linger_seconds=0) as server:
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
        nobody = f"postgresql+asyncpg://collab:secret@127.0.0.1:{collab_server.free_port()}/notes"
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
