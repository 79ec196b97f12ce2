"""`collab doctor` on every kind of database: what it finds, what it repairs, and what it leaves alone (D).

Not for what only a file or a server can do: test_doctor_sqlite.py, test_doctor_postgres.py.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from collab.core.merging import merge
from collab.core.replica import Replica
from collab.errors import ConfigurationError, DatabaseUnusableError
from collab.sandbox import Sandbox
from collab.store import migrate
from tests.support.members import typed, typing
from tests.support.patients import (
    HELLO,
    TRUNCATED,
    Patient,
    PostgresPatient,
    SqlitePatient,
    collab,
    doctor,
    fill,
    found,
    look,
    misspell,
    rows_of,
    stored,
    text_of,
    treat,
    wait_for_rows,
)
from tests.support.postgres import PostgresServer
from tests.support.server import Server
from tests.support.websocket_peer import WebsocketPeer

# One loop, so that the process in which documents are replayed is started once.
pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG = "it does not say what the rows said that it replaced"


EITHER = pytest_asyncio.fixture(params=["sqlite", "postgres"], loop_scope="module")


@EITHER
async def patient(request: pytest.FixtureRequest, tmp_path: Path) -> Patient:
    return await one_on(request, tmp_path, PostgresServer.clean_database)


@EITHER
async def loner(request: pytest.FixtureRequest, tmp_path: Path) -> Patient:
    """One whose tables no other test has afterwards."""
    return await one_on(request, tmp_path, PostgresServer.create_database)


async def one_on(
    request: pytest.FixtureRequest, folder: Path, database: Callable[[PostgresServer], Awaitable[str]]
) -> Patient:
    if request.param == "sqlite":
        return SqlitePatient(folder / "data" / "collab.db")
    # Started by the first who asks.
    server: PostgresServer = request.getfixturevalue("postgres")
    return PostgresPatient(server, await database(server))


async def row_ids(patient: Patient, document: str) -> list[int]:
    return [row[0] for row in await rows_of(patient, document)]


class TestLooking:
    async def test_a_database_that_is_well(self, patient: Patient) -> None:
        """D1: all of it is counted."""
        await fill(patient, {"notes": HELLO, "plans": typing(8, "a plan")}, compacted={"plans": 4})

        report = await look(patient)

        assert report.well
        assert (migrate.HEAD, 2, 5 + 3) == (report.revision, report.documents, report.rows)

    @pytest.mark.parametrize(
        ("sql", "reason"),
        [
            (TRUNCATED, "are there"),
            ("UPDATE log SET data = substr(data, 1, 0) WHERE id = ?", ""),
            ("UPDATE log SET kind = 9 WHERE id = ?", "unknown kind: 9"),
            ("UPDATE log SET kind = 1 WHERE id = ?", "refers to what is not in it"),
        ],
    )
    async def test_a_damaged_row_is_named_with_its_reason(self, patient: Patient, sql: str, reason: str) -> None:
        """D2: and no other row is."""
        await fill(patient, {"notes": HELLO, "plans": HELLO})
        row = (await row_ids(patient, "notes"))[2]
        await patient.change(sql, row)

        report = await look(patient)

        assert ["notes"] == [case.document for case in report.damaged]
        ((place, id, said),) = found(report)["notes"]
        assert ("log", row) == (place, id)
        assert reason in said

    async def test_what_takes_too_long_is_told_and_ends_nothing(self, patient: Patient) -> None:
        """D2: each document is replayed in a process that may be killed."""
        await fill(patient, {"bomb": [typed(client, 0, "a") for client in range(3000, 0, -1)], "plans": HELLO})

        report = await doctor(patient, sandbox=Sandbox(seconds=0.0)).look()

        assert {"bomb", "plans"} == found(report).keys()
        assert "cannot be replayed" in found(report)["bomb"][0][2]

    async def test_a_row_that_was_let_in_and_waits_tells_of_one_that_is_lost(self, patient: Patient) -> None:
        """D4, R26: one acknowledged row was gone, and the doctor said that all is well."""
        await fill(patient, {"notes": HELLO, "plans": HELLO})
        ids = await row_ids(patient, "notes")
        await patient.change("DELETE FROM log WHERE id = ?", ids[2])

        report = await look(patient)

        assert not report.well
        assert [] == report.damaged
        (case,) = report.waiting
        assert ("notes", ((7, 2, 3),)) == (case.document, case.examination.missing)
        assert [(id, "ann", len(HELLO[3])) for id in ids[3:]] == [
            (row.id, row.author, row.size) for row in case.examination.waiting
        ]

    async def test_a_snapshot_that_lacks_something_is_found(self, patient: Patient) -> None:
        """D3: the history still has the rows that it replaced."""
        await fill(patient, {"notes": HELLO}, compacted={"notes": 4})
        await patient.change("UPDATE log SET data = ? WHERE kind = 1", merge(HELLO[:2]))

        report = await look(patient)

        ((place, _, reason),) = found(report)["notes"]
        assert ("log", WRONG) == (place, reason)

    async def test_rows_that_are_gone_are_found(self, patient: Patient) -> None:
        """D3: the history still has what stood in them."""
        await fill(patient, {"notes": HELLO[:4]}, compacted={"notes": 4})
        await patient.change("DELETE FROM log")

        report = await look(patient)

        assert [("log", None, "4 rows that the history holds are missing in the document")] == found(report)["notes"]

    async def test_a_snapshot_that_says_something_else_is_found(self, patient: Patient) -> None:
        """D3: one flipped bit of a letter is still a Yjs update."""
        await fill(patient, {"notes": HELLO}, compacted={"notes": 5})
        await misspell(patient)

        report = await look(patient)

        ((place, _, reason),) = found(report)["notes"]
        assert ("log", WRONG) == (place, reason)

    async def test_a_damaged_segment_is_found(self, patient: Patient) -> None:
        """D2: though the document itself is well."""
        await fill(patient, {"notes": HELLO}, compacted={"notes": 4})
        await patient.change("UPDATE history SET data = substr(data, 1, 40)")

        ((segment,),) = await patient.ask("SELECT id FROM history")
        assert [("history", segment)] == [each[:2] for each in found(await look(patient))["notes"]]

    async def test_a_row_without_a_document_is_found(self, patient: Patient) -> None:
        """D1."""
        await fill(patient, {"notes": HELLO[:1]})
        (row,) = await row_ids(patient, "notes")
        await patient.change("DELETE FROM documents")

        assert [f"row {row} of log belongs to a document that is missing"] == (await look(patient)).problems

    async def test_only_the_named_documents(self, patient: Patient) -> None:
        """D1: one that there is not is a mistake."""
        await fill(patient, {"notes": HELLO, "plans": HELLO})
        await patient.change(TRUNCATED, (await row_ids(patient, "notes"))[0])

        assert (await look(patient, "plans")).well
        with pytest.raises(ConfigurationError, match="no document 'other'"):
            await look(patient, "other")

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("a\nb", "a document's name holds control characters"),
            ("a\x7fb", "a document's name holds control characters"),
            ("x" * 1_025, "document name: 1025 bytes, the limit is 1024"),
            ("", "a document needs a name"),
        ],
    )
    async def test_a_name_under_which_nobody_can_ask_is_told_and_mended(
        self, patient: Patient, name: str, reason: str
    ) -> None:
        """D6, D11: the document gets another name, and the old one is kept."""
        await fill(patient, {"notes": HELLO, "back\\slash": HELLO[:1]})
        ((id,),) = await patient.ask("SELECT id FROM documents WHERE name = 'notes'")
        await patient.change("UPDATE documents SET name = ? WHERE id = ?", name, id)

        problems = (await look(patient)).problems
        surgery = await treat(patient)

        assert [f"nobody can open document {id}, {name[:60]!r}"] == [each.partition(": ")[0] for each in problems]
        assert reason in problems[0]
        assert [f"recovered document {id}"] == surgery.renamed
        assert "hello" == await text_of(patient, f"recovered document {id}")
        assert [(id, name.encode())] == await patient.ask("SELECT row_id, data FROM damaged WHERE place = 'documents'")


class TestTables:
    async def test_tables_of_an_operator_are_no_damage(self, loner: Patient) -> None:
        """D1: nor is an index of theirs on one of ours, unless it is unique."""
        await fill(loner, {"notes": HELLO})
        await loner.change("CREATE TABLE audit (id INTEGER PRIMARY KEY, what TEXT UNIQUE)")
        await loner.change("CREATE INDEX by_author ON log (author)")
        assert (await look(loner)).well

        await loner.change("CREATE UNIQUE INDEX one_each ON log (created_at, id)")

        report = await look(loner)
        assert ["the index one_each of the table log is not one of this release"] == report.problems
        assert 1 == report.documents

    async def test_what_is_missing_is_named(self, loner: Patient) -> None:
        """D1: documents are looked at, and repaired, all the same."""
        await fill(loner, {"notes": HELLO})
        await loner.change(TRUNCATED, (await row_ids(loner, "notes"))[2])
        await loner.change("DROP INDEX ix_log_document_id")
        await loner.change("ALTER TABLE history ADD COLUMN mood TEXT")
        problems = {
            "the index ix_log_document_id of the table log is missing",
            "the column history.mood is not one of this release",
        }

        report = await look(loner)
        surgery = await doctor(loner).treat()

        assert problems == set(report.problems)
        assert ["notes"] == [case.document for case in report.damaged]
        assert ["notes"] == [treatment.document for treatment in surgery.treatments]
        assert problems == set((await look(loner)).problems)

    @pytest.mark.parametrize(
        ("sql", "problem"),
        [
            ("DROP TABLE clients", "the table clients is missing"),
            ("ALTER TABLE log DROP COLUMN survey", "the column log.survey is missing"),
        ],
    )
    async def test_what_our_statements_need_is_not_repaired(self, loner: Patient, sql: str, problem: str) -> None:
        """D1: and is one sentence for whoever tries."""
        await fill(loner, {"notes": HELLO})
        await loner.change(sql)

        report = await look(loner)

        assert [problem, "no document can be looked at before that is mended"] == report.problems
        with pytest.raises(DatabaseUnusableError, match=f"is not whole: {problem}"):
            await doctor(loner).treat()


class TestRepairing:
    async def test_a_damaged_row_is_set_aside_as_it_is(self, patient: Patient) -> None:
        """D5, D6: with its author, its reason and its place; what does not need it can be read."""
        await fill(patient, {"notes": [*HELLO, typed(9, 0, "else")], "plans": HELLO})
        before = await rows_of(patient, "notes")
        await patient.change(TRUNCATED, before[-2][0])
        damaged = (await rows_of(patient, "notes"))[-2]

        surgery = await treat(patient)

        aside = await patient.ask("SELECT row_id, place, kind, author, data FROM damaged")
        assert [(damaged[0], "log", *damaged[1:])] == aside
        assert [*before[:-2], before[-1]] == await rows_of(patient, "notes")
        assert ["notes"] == [treatment.document for treatment in surgery.treatments]
        assert "are there" in (await patient.ask("SELECT reason FROM damaged"))[0][0]

    @pytest.mark.parametrize("sql", [TRUNCATED, "UPDATE log SET kind = 9 WHERE id = ?", "DELETE FROM log WHERE id = ?"])
    async def test_a_snapshot_is_rebuilt_from_the_history(self, patient: Patient, sql: str) -> None:
        """D7: and the rows that came after it are still there."""
        await fill(patient, {"notes": HELLO}, compacted={"notes": 4})
        whole = Replica.load([], HELLO).digest()
        await patient.change(sql, (await row_ids(patient, "notes"))[0])

        await treat(patient)

        assert whole == Replica.load([], [await stored(patient, "notes")]).digest()
        assert "hello" == await text_of(patient, "notes")

    async def test_a_snapshot_that_says_something_else_is_rebuilt(self, patient: Patient) -> None:
        """D7: the history has a checksum, the snapshot has none."""
        await fill(patient, {"notes": HELLO}, compacted={"notes": 5})
        await misspell(patient)

        await treat(patient)

        assert "hello" == await text_of(patient, "notes")
        assert b"help" in (await patient.ask("SELECT data FROM damaged"))[0][0]

    async def test_the_history_goes_on_from_a_keyframe(self, patient: Patient) -> None:
        """D7: a segment is lost, so the states after it are kept anew."""
        await fill(patient, {"notes": HELLO}, compacted={"notes": 4})
        await patient.change("UPDATE history SET data = substr(data, 1, 40)")

        await treat(patient)

        assert [(1,)] == await patient.ask("SELECT keyframe FROM history")
        assert [("history", 40)] == await patient.ask("SELECT place, length(data) FROM damaged")
        assert "hello" == await text_of(patient, "notes")

    async def test_what_is_lost_comes_back_with_whoever_has_it(self, patient: Patient, tmp_path: Path) -> None:
        """D4, D6: until then, what was typed after it waits in the log."""
        await fill(patient, {"notes": []})
        with Server.running(tmp_path / "data", "--database", patient.url) as server:
            async with WebsocketPeer.connected(server.ws_url, "notes", 7) as ann:
                for at, character in enumerate("hello"):
                    await ann.send(ann.write(partial(ann.doc["text"].insert, at, character)))
                    await wait_for_rows(patient, "notes", at + 1)
                server.stop()
                await patient.change(TRUNCATED, (await row_ids(patient, "notes"))[2])

                surgery = await treat(patient)

                (treatment,) = surgery.treatments
                assert 2 == len(treatment.outcome.waiting)
                server.start()
                async with WebsocketPeer.connected(server.ws_url, "notes", 8) as bob:
                    assert "he" == bob.text
                    async with WebsocketPeer.connected(server.ws_url, "notes", 9) as again:
                        again.doc.apply_update(ann.doc.get_update())
                        await again.send([ann.doc.get_update()])
                        await bob.wait_for_text("hello")
                server.stop()
        assert "hello" == await text_of(patient, "notes", "text")
        assert (await look(patient)).well

    async def test_what_waits_is_left_where_it_is(self, patient: Patient) -> None:
        """D4: also if something else of the document is repaired; the lost edit is still lost."""
        await fill(patient, {"notes": [*HELLO[:2], *HELLO[3:], typed(9, 0, "else")]})
        before = await rows_of(patient, "notes")
        assert [] == (await doctor(patient).treat()).treatments
        assert before == await rows_of(patient, "notes")
        await patient.change(TRUNCATED, before[-1][0])

        (treatment,) = (await doctor(patient).treat()).treatments

        assert before[:-1] == await rows_of(patient, "notes")
        assert [row[0] for row in before[2:-1]] == [row.id for row in treatment.outcome.waiting]
        assert not (await look(patient)).well

    async def test_nothing_that_waits_is_recovered_twice(self, patient: Patient) -> None:
        """D7: repairing again changes nothing."""
        await fill(patient, {"notes": HELLO}, compacted={"notes": 4})
        await patient.change(TRUNCATED, (await row_ids(patient, "notes"))[0])
        await treat(patient)
        before = await rows_of(patient, "notes")

        surgery = await treat(patient)

        assert [] == surgery.treatments
        assert before == await rows_of(patient, "notes")

    async def test_a_document_of_which_nothing_can_be_read(self, patient: Patient) -> None:
        """D6: it is empty, says so, and its bytes are kept."""
        await fill(patient, {"notes": [merge(HELLO)]})
        (row,) = await row_ids(patient, "notes")
        await patient.change(TRUNCATED, row)

        surgery = await treat(patient)

        assert surgery.treatments[0].outcome.empty
        assert [(row,)] == await patient.ask("SELECT row_id FROM damaged")

    async def test_a_document_without_a_row_is_told_and_gets_one(self, patient: Patient) -> None:
        """D6, N1: it was created with one; nothing says that it was there."""
        await fill(patient, {"notes": HELLO, "plans": HELLO})
        ids = dict(await patient.ask("SELECT name, id FROM documents"))
        await patient.change("DELETE FROM log WHERE document_id = ?", ids["plans"])

        (case,) = (await look(patient)).damaged
        assert ("plans", ["it has no row at all"]) == (
            case.document,
            [each.reason for each in case.examination.damaged],
        )
        (treatment,) = (await treat(patient)).treatments

        assert treatment.outcome.empty
        assert 0 == treatment.recovered_bytes
        assert (await look(patient)).well
        assert "hello" == await text_of(patient, "notes")
        assert 1 == len(await rows_of(patient, "plans"))

    async def test_rows_without_a_document_get_one(self, patient: Patient) -> None:
        """D6: under a name of ours, since nobody knows theirs; whatever is left of a document."""
        await fill(patient, {"notes": HELLO, "plans": HELLO}, compacted={"plans": 4})
        ids = dict(await patient.ask("SELECT name, id FROM documents"))
        await patient.change("DELETE FROM documents")
        await patient.change("DELETE FROM log WHERE document_id = ?", ids["plans"])

        surgery = await treat(patient)

        assert [f"recovered document {ids[name]}" for name in ("notes", "plans")] == surgery.adopted
        assert "hello" == await text_of(patient, f"recovered document {ids['notes']}")
        assert "hell" == await text_of(patient, f"recovered document {ids['plans']}")


class TestCommand:
    async def test_a_repair_from_beginning_to_end(self, patient: Patient, tmp_path: Path) -> None:
        """D1, D5: exit codes and words; none of them tells a password."""
        await fill(patient, {"notes": HELLO}, compacted={"notes": 4})
        await patient.change(TRUNCATED, (await row_ids(patient, "notes"))[0])
        database = ("--database", patient.url)

        first = await collab(*database, folder=tmp_path)
        as_json = await collab(*database, "--json", folder=tmp_path)
        repair = await collab(*database, "--repair", folder=tmp_path)
        last = await collab(*database, "--json", folder=tmp_path)

        done = (first, as_json, repair, last)
        assert [1, 1, 0, 0] == [each.returncode for each in done], done
        assert "notes: damaged" in first.stdout
        assert "collab doctor --repair" in first.stdout
        assert ["notes"] == [case["document"] for case in json.loads(as_json.stdout)["damaged"]]
        assert "notes: repaired: 1 row set aside" in repair.stdout
        assert json.loads(last.stdout)["ok"]
        assert 1 == json.loads(last.stdout)["documents"]
        assert not any("sesame" in each.stdout + each.stderr for each in done)

    async def test_what_is_lost_for_good_is_told_in_words(self, patient: Patient, tmp_path: Path) -> None:
        """D1, D4: which rows, what they lack, and who can help; a repair has nothing to do, and says the same."""
        await fill(patient, {"notes": [*HELLO[:2], *HELLO[3:]]})
        third, fourth = (await row_ids(patient, "notes"))[2:]
        database = ("--database", patient.url)

        looked = await collab(*database, folder=tmp_path)
        repaired = await collab(*database, "--repair", folder=tmp_path)
        as_json = await collab(*database, "--repair", "--json", folder=tmp_path)

        assert [1, 1, 1] == [each.returncode for each in (looked, repaired, as_json)]
        assert f"notes: an edit is lost that other rows build on: {third}, {fourth} (20 bytes)" in looked.stdout
        assert "what is missing: client 7, clock 2\n" in looked.stdout
        assert "1 document, 4 rows, 41 bytes: 1 document lacks an edit" in looked.stdout
        assert "collab doctor --repair" not in looked.stdout
        assert looked.stdout == repaired.stdout
        (case,) = json.loads(as_json.stdout)["waiting"]
        assert [third, fourth] == [row["id"] for row in case["waiting"]]
        assert ([[7, 2, 3]], 2) == (case["missing"], case["waiting_rows"])
        assert not json.loads(as_json.stdout)["ok"]
