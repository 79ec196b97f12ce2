"""`collab doctor`: what it finds, what it repairs, and what it leaves alone (D)."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from collab.content import render
from collab.core.merging import merge
from collab.core.ports import DocumentId
from collab.core.replica import Replica
from collab.doctor.report import Report, Surgery
from collab.doctor.rounds import Doctor
from collab.doctor.sqlite import SqliteFile
from collab.errors import ConfigurationError, DatabaseTooNewError, DatabaseUnusableError
from collab.hub import readable_of
from collab.sandbox import Sandbox
from collab.store import migrate
from collab.store.sql import SqlStore
from tests.support.damage import ask, change, fill, rows_of, spoil
from tests.support.database import stored
from tests.support.members import typed, typing
from tests.support.server import Server
from tests.support.websocket_peer import WebsocketPeer

# One loop, so that the process in which documents are replayed is started once.
pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO = typing(7, "hello")
TRUNCATED = "UPDATE log SET data = substr(data, 1, length(data) - 2) WHERE id = ?"
PAGES = [typed(client, 0, "x" * 500) for client in range(2000, 0, -1)]
"""More than fits on a few pages of a file."""


class Quiet:
    """Somebody who waits for a round to end, and keeps what is said meanwhile."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, total: int) -> None: ...

    def step(self) -> None: ...

    def say(self, what: str) -> None:
        self.said.append(what)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "collab.db"


def doctor(path: Path, *names: str, seconds: float = 30) -> Doctor:
    return Doctor(SqliteFile(path), names, Sandbox(seconds=seconds), Quiet())


async def look(path: Path, *names: str) -> Report:
    return await doctor(path, *names).look()


async def treat(path: Path) -> Surgery:
    """Repair, and insist on nothing being wrong afterwards."""
    surgery = await doctor(path).treat()
    report = await look(path)
    assert report.well, report
    return surgery


def found(report: Report) -> Mapping[str, Sequence[tuple[str, int | None, str]]]:
    """Return where each document is damaged, and why."""
    return {
        case.document: [(damage.place, damage.id, damage.reason) for damage in case.examination.damaged]
        for case in report.damaged
    }


def collab(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "collab", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder, check=False)


async def text_of(path: Path, document: str, root: str = "t") -> str:
    """Return what a document says, as a server reads it."""
    store = await SqlStore.open(f"sqlite:///{path}")
    state = readable_of(DocumentId(document), await store.load(DocumentId(document))).full_state()
    await store.close()
    text: str = json.loads(render("json", state)).get(root, "")
    return text


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def overwrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


class TestLooking:
    async def test_a_database_that_is_well(self, path: Path) -> None:
        """D1: all of it is counted, and not a byte of it is changed."""
        await fill(path, {"notes": HELLO, "plans": typing(8, "a plan")}, compacted={"plans": 4})
        before = bytes_of(path)

        report = await look(path)

        assert report.well
        assert (migrate.HEAD, 2, 5 + 3) == (report.revision, report.documents, report.rows)
        assert before == bytes_of(path)

    @pytest.mark.parametrize(
        ("sql", "reason"),
        [
            (TRUNCATED, "are there"),
            ("UPDATE log SET data = x'' WHERE id = ?", ""),
            ("UPDATE log SET kind = 9 WHERE id = ?", "unknown kind: 9"),
            ("UPDATE log SET data = 281474976710656 WHERE id = ?", ""),
            ("UPDATE log SET author = CAST(x'ff00ff' AS BLOB) WHERE id = ?", "author"),
            ("UPDATE log SET created_at = 'today' WHERE id = ?", "time"),
            ("UPDATE log SET kind = 1 WHERE id = ?", "refers to what is not in it"),
        ],
    )
    async def test_a_damaged_row_is_named_with_its_reason(self, path: Path, sql: str, reason: str) -> None:
        """D2: and no other row is."""
        await fill(path, {"notes": HELLO, "plans": HELLO})
        (row, *_) = rows_of(path, "notes")[2]
        change(path, sql, row)

        report = await look(path)

        assert ["notes"] == [case.document for case in report.damaged]
        ((place, id, said),) = found(report)["notes"]
        assert ("log", row) == (place, id)
        assert reason in said

    async def test_what_takes_too_long_is_told_and_ends_nothing(self, path: Path) -> None:
        """D2: each document is replayed in a process that may be killed."""
        await fill(path, {"bomb": [typed(client, 0, "a") for client in range(3000, 0, -1)], "plans": HELLO})

        report = await doctor(path, seconds=0.0).look()

        assert {"bomb", "plans"} == found(report).keys()
        assert "cannot be replayed" in found(report)["bomb"][0][2]

    async def test_what_waits_is_no_damage(self, path: Path) -> None:
        """D4: it is counted."""
        await fill(path, {"notes": [*HELLO[:2], *HELLO[3:]]})

        report = await look(path)

        assert report.well
        (case,) = report.waiting
        assert (2, len(HELLO[3]) * 2) == (case.examination.waiting_rows, case.examination.waiting_bytes)

    async def test_a_snapshot_that_lacks_something_is_found(self, path: Path) -> None:
        """D3: the history still has the rows that it replaced."""
        await fill(path, {"notes": HELLO}, compacted={"notes": 4})
        change(path, "UPDATE log SET data = ? WHERE kind = 1", merge(HELLO[:2]))

        report = await look(path)

        ((place, _, reason),) = found(report)["notes"]
        assert ("log", "it does not say what the rows said that it replaced") == (place, reason)

    async def test_rows_that_are_gone_are_found(self, path: Path) -> None:
        """D3: the history still has what stood in them."""
        await fill(path, {"notes": HELLO[:4]}, compacted={"notes": 4})
        change(path, "DELETE FROM log")

        report = await look(path)

        assert [("log", None, "4 rows that the history holds are missing in the document")] == found(report)["notes"]

    async def test_a_snapshot_that_says_something_else_is_found(self, path: Path) -> None:
        """D3: one flipped bit of a letter is still a Yjs update."""
        await fill(path, {"notes": HELLO}, compacted={"notes": 5})
        change(path, "UPDATE log SET data = CAST(replace(data, 'hell', 'help') AS BLOB) WHERE kind = 1")

        report = await look(path)

        ((place, _, reason),) = found(report)["notes"]
        assert ("log", "it does not say what the rows said that it replaced") == (place, reason)

    async def test_a_damaged_segment_is_found(self, path: Path) -> None:
        """D2: though the document itself is well."""
        await fill(path, {"notes": HELLO}, compacted={"notes": 4})
        change(path, "UPDATE history SET data = substr(data, 1, 40)")

        assert [("history", 1)] == [each[:2] for each in found(await look(path))["notes"]]

    @pytest.mark.parametrize("tree", ["log", "ix_log_document_id", "history", "ix_history_document_id"])
    async def test_a_damaged_page_is_found(self, path: Path, tree: str) -> None:
        """D1: it is SQLite that tells; a document on it is not taken for well."""
        await fill(path, {"notes": PAGES, "plans": HELLO}, compacted={"plans": 4})
        spoil(path, tree)

        report = await look(path)

        assert report.problems
        assert ("notes" if "log" in tree else "plans") in found(report)
        if tree == "log":
            ids = {id for _, id, _ in found(report)["notes"]}
            assert 0 < len(ids) < 20
            assert ids <= {id for (id,) in ask(path, "SELECT id FROM log INDEXED BY ix_log_document_id")}

    async def test_a_row_without_a_document_is_found(self, path: Path) -> None:
        """D1."""
        await fill(path, {"notes": HELLO[:1]})
        change(path, "DELETE FROM documents")

        assert ["row 1 of log belongs to a document that is missing"] == (await look(path)).problems

    async def test_only_the_named_documents(self, path: Path) -> None:
        """D1: one that there is not is a mistake."""
        await fill(path, {"notes": HELLO, "plans": HELLO})
        change(path, TRUNCATED, 1)

        assert (await look(path, "plans")).well
        with pytest.raises(ConfigurationError, match="no document 'other'"):
            await look(path, "other")

    async def test_what_is_no_database_of_ours(self, path: Path) -> None:
        """D1: one sentence each; nothing is made where nothing is."""
        with pytest.raises(DatabaseUnusableError, match="there is no database"):
            await look(path)
        assert not path.parent.exists()
        await fill(path, {})
        change(path, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(DatabaseTooNewError):
            await look(path)
        overwrite(path, b"these are my tax papers, not a database" * 100)
        with pytest.raises(DatabaseUnusableError, match="not a SQLite database"):
            await look(path)


class TestRepairing:
    async def test_a_damaged_row_is_set_aside_as_it_is(self, path: Path) -> None:
        """D5, D6: with its author, its reason and its place; what does not need it can be read."""
        await fill(path, {"notes": [*HELLO, typed(9, 0, "else")], "plans": HELLO})
        before = rows_of(path, "notes")
        change(path, TRUNCATED, before[-2][0])
        damaged = rows_of(path, "notes")[-2]

        surgery = await treat(path)

        assert [(damaged[0], "log", *damaged[1:])] == ask(path, "SELECT row_id, place, kind, author, data FROM damaged")
        assert [*before[:-2], before[-1]] == rows_of(path, "notes")
        assert ["notes"] == [treatment.document for treatment in surgery.treatments]
        assert "are there" in ask(path, "SELECT reason FROM damaged")[0][0]

    @pytest.mark.parametrize("sql", [TRUNCATED, "UPDATE log SET kind = 9 WHERE id = ?", "DELETE FROM log WHERE id = ?"])
    async def test_a_snapshot_is_rebuilt_from_the_history(self, path: Path, sql: str) -> None:
        """D7: and the rows that came after it are still there."""
        await fill(path, {"notes": HELLO}, compacted={"notes": 4})
        whole = Replica.load([], HELLO).digest()
        change(path, sql, rows_of(path, "notes")[0][0])

        await treat(path)

        assert whole == Replica.load([], [stored(path, "notes")]).digest()
        assert "hello" == await text_of(path, "notes")

    async def test_a_snapshot_that_says_something_else_is_rebuilt(self, path: Path) -> None:
        """D7: the history has a checksum, the snapshot has none."""
        await fill(path, {"notes": HELLO}, compacted={"notes": 5})
        change(path, "UPDATE log SET data = CAST(replace(data, 'hell', 'help') AS BLOB) WHERE kind = 1")

        await treat(path)

        assert "hello" == await text_of(path, "notes")
        assert b"help" in ask(path, "SELECT data FROM damaged")[0][0]

    async def test_the_history_goes_on_from_a_keyframe(self, path: Path) -> None:
        """D7: a segment is lost, so the states after it are kept anew."""
        await fill(path, {"notes": HELLO}, compacted={"notes": 4})
        change(path, "UPDATE history SET data = substr(data, 1, 40)")

        await treat(path)

        assert [(1,)] == ask(path, "SELECT keyframe FROM history")
        assert [("history", 40)] == ask(path, "SELECT place, length(data) FROM damaged")
        assert "hello" == await text_of(path, "notes")

    async def test_what_is_lost_comes_back_with_whoever_has_it(self, path: Path) -> None:
        """D4, D6: until then, what was typed after it waits in the log."""
        await fill(path, {"notes": []})
        with Server.running(path.parent) as server:
            async with WebsocketPeer.connected(server.ws_url, "notes", 7) as ann:
                for at, character in enumerate("hello"):
                    await ann.send(ann.write(partial(ann.doc["text"].insert, at, character)))
                    await wait_for_rows(path, "notes", at + 1)
                server.stop()
                change(path, TRUNCATED, rows_of(path, "notes")[2][0])

                surgery = await treat(path)

                (treatment,) = surgery.treatments
                assert 2 == treatment.outcome.waiting_rows
                server.start()
                async with WebsocketPeer.connected(server.ws_url, "notes", 8) as bob:
                    assert "he" == bob.text
                    async with WebsocketPeer.connected(server.ws_url, "notes", 9) as again:
                        again.doc.apply_update(ann.doc.get_update())
                        await again.send([ann.doc.get_update()])
                        await bob.wait_for_text("hello")
                server.stop()
        assert "hello" == await text_of(path, "notes", "text")
        assert not (await look(path)).waiting

    async def test_nothing_that_waits_is_recovered_twice(self, path: Path) -> None:
        """D7: repairing again changes nothing."""
        await fill(path, {"notes": HELLO}, compacted={"notes": 4})
        change(path, TRUNCATED, rows_of(path, "notes")[0][0])
        await treat(path)
        before = rows_of(path, "notes")

        surgery = await treat(path)

        assert [] == surgery.treatments
        assert before == rows_of(path, "notes")

    async def test_a_document_of_which_nothing_can_be_read(self, path: Path) -> None:
        """D6: it is empty, says so, and its bytes are kept."""
        await fill(path, {"notes": [merge(HELLO)]})
        change(path, TRUNCATED, 1)

        surgery = await treat(path)

        assert surgery.treatments[0].outcome.empty
        assert [(1,)] == ask(path, "SELECT row_id FROM damaged")

    @pytest.mark.parametrize("tree", ["log", "ix_log_document_id", "history", "uq_documents_name"])
    async def test_a_damaged_file_is_made_new(self, path: Path, tree: str) -> None:
        """D9: of what can be read; the damaged one stays beside it, byte by byte, and no id is used again."""
        others = {f"document {number}": HELLO[:1] for number in range(300)}
        await fill(path, {"notes": PAGES, "plans": HELLO, **others}, compacted={"plans": 4})
        name = "sqlite_autoindex_documents_1" if tree == "uq_documents_name" else tree
        last = ask(path, "SELECT max(id) FROM log")[0][0]
        spoil(path, name)
        before = bytes_of(path)

        surgery = await treat(path)

        assert surgery.salvaged is not None
        assert before == bytes_of(surgery.salvaged.kept)
        lost = surgery.salvaged.lost["log"]
        assert (0 < lost < 20) if tree == "log" else lost == 0
        assert len(PAGES) - lost == len(rows_of(path, "notes"))
        assert "hello" == await text_of(path, "plans")
        change(path, "INSERT INTO log (document_id, kind, author, created_at, data) VALUES (1, 0, '', 0, x'')")
        assert last < ask(path, "SELECT max(id) FROM log")[0][0]

    async def test_rows_without_a_document_get_one(self, path: Path) -> None:
        """D9: under a name of ours, since nobody knows theirs."""
        await fill(path, {"notes": HELLO})
        change(path, "DELETE FROM documents")

        surgery = await treat(path)

        assert ["recovered document 1"] == surgery.adopted
        assert "hello" == await text_of(path, "recovered document 1")

    async def test_a_file_without_a_schema_is_beyond_repair(self, path: Path) -> None:
        """D9: it says so, and changes nothing."""
        await fill(path, {"notes": HELLO})
        content = bytes_of(path)[:100] + b"\xff" * 3996 + bytes_of(path)[4096:]
        overwrite(path, content)

        with pytest.raises(DatabaseUnusableError, match="too damaged to be repaired here: restore a backup"):
            await doctor(path).treat()

        assert content == bytes_of(path)


class TestCommand:
    async def test_looking_is_safe_beside_a_server_and_repairing_is_refused(self, path: Path) -> None:
        """D1, D8: one sentence, which names the server's process."""
        await fill(path, {"notes": HELLO})
        change(path, TRUNCATED, 3)
        with Server.running(path.parent) as server:
            looked = collab("--data", str(server.folder), "--json", folder=path.parent)
            repaired = collab("--data", str(server.folder), "--repair", folder=path.parent)
            async with WebsocketPeer.connected(server.ws_url, "plans", 7) as ann:
                await ann.send(ann.write(lambda: ann.doc["text"].insert(0, "works")))
                await wait_for_rows(path, "plans", 1)
            server.stop()

        assert 1 == looked.returncode
        assert not json.loads(looked.stdout)["ok"]
        assert 4 == repaired.returncode
        assert f"in use by another server, process {server_of(repaired)}" in repaired.stderr
        assert [] == ask(path, "SELECT * FROM damaged")

    async def test_a_repair_from_beginning_to_end(self, path: Path) -> None:
        """D1, D5: exit codes and words."""
        await fill(path, {"notes": HELLO}, compacted={"notes": 4})
        change(path, TRUNCATED, rows_of(path, "notes")[0][0])
        data = ("--data", str(path.parent))

        first = collab(*data, folder=path.parent)
        repair = collab(*data, "--repair", folder=path.parent)
        last = collab(*data, "--json", folder=path.parent)

        assert (1, 0, 0) == (first.returncode, repair.returncode, last.returncode), (first, repair, last)
        assert "notes: damaged" in first.stdout
        assert "collab doctor --repair" in first.stdout
        assert "notes: repaired: 1 row set aside" in repair.stdout
        assert json.loads(last.stdout)["ok"]
        assert 1 == json.loads(last.stdout)["documents"]

    async def test_what_cannot_be_opened_is_one_sentence(self, tmp_path: Path) -> None:
        """D1: with the exit code of a start that fails."""
        nothing = collab("--data", str(tmp_path / "nowhere"), folder=tmp_path)
        other = collab("--database", "memory://", folder=tmp_path)

        assert (4, f"collab: there is no database {tmp_path}/nowhere/collab.db\n") == (
            nothing.returncode,
            nothing.stderr,
        )
        assert 2 == other.returncode
        assert 1 == len(other.stderr.splitlines())


def server_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return the number of the process that a refusal names."""
    number = done.stderr.split("process ")[1].split(":")[0]
    assert number.isdecimal()
    return number


async def wait_for_rows(path: Path, document: str, count: int) -> list[Any]:
    """Wait until a server has written so many rows."""
    async with asyncio.timeout(20):
        while len(rows := rows_of(path, document)) < count:  # noqa: ASYNC110 - another process writes them
            await asyncio.sleep(0.01)
    return rows
