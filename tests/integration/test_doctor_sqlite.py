"""What only a file has: pages that are damaged, a lock, and bytes that are no database (D)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from collab.errors import DatabaseTooNewError, DatabaseUnusableError
from tests.support.damage import ask, spoil
from tests.support.members import typed
from tests.support.patients import (
    HELLO,
    TRUNCATED,
    SqlitePatient,
    collab,
    doctor,
    fill,
    found,
    look,
    rows_of,
    text_of,
    treat,
    wait_for_rows,
)
from tests.support.server import Server
from tests.support.websocket_peer import WebsocketPeer

# One loop, so that the process in which documents are replayed is started once.
pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = [typed(client, 0, "x" * 500) for client in range(2000, 0, -1)]
"""More than fits on a few pages of a file."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "collab.db"


@pytest.fixture
def file(path: Path) -> SqlitePatient:
    return SqlitePatient(path)


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def overwrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


class TestLooking:
    async def test_not_a_byte_is_changed(self, file: SqlitePatient, path: Path) -> None:
        """D1."""
        await fill(file, {"notes": HELLO, "plans": HELLO}, compacted={"plans": 4})
        before = bytes_of(path)

        assert (await look(file)).well

        assert before == bytes_of(path)

    @pytest.mark.parametrize(
        ("sql", "reason"),
        [
            ("UPDATE log SET data = 281474976710656 WHERE id = ?", ""),
            ("UPDATE log SET author = CAST(x'ff00ff' AS BLOB) WHERE id = ?", "author"),
            ("UPDATE log SET created_at = 'today' WHERE id = ?", "time"),
        ],
    )
    async def test_a_column_may_hold_anything(self, file: SqlitePatient, sql: str, reason: str) -> None:
        """D2: SQLite takes any type."""
        await fill(file, {"notes": HELLO, "plans": HELLO})
        row = (await rows_of(file, "notes"))[2][0]
        await file.change(sql, row)

        report = await look(file)

        ((place, id, said),) = found(report)["notes"]
        assert ("log", row) == (place, id)
        assert reason in said
        assert ["notes"] == [case.document for case in report.damaged]
        assert ["notes"] == [treatment.document for treatment in (await treat(file)).treatments]

    @pytest.mark.parametrize("tree", ["log", "ix_log_document_id", "history", "ix_history_document_id"])
    async def test_a_damaged_page_is_found(self, file: SqlitePatient, path: Path, tree: str) -> None:
        """D1: it is SQLite that tells; a document on it is not taken for well."""
        await fill(file, {"notes": PAGES, "plans": HELLO}, compacted={"plans": 4})
        spoil(path, tree)

        report = await look(file)

        assert report.problems
        assert ("notes" if "log" in tree else "plans") in found(report)
        if tree == "log":
            ids = {id for _, id, _ in found(report)["notes"]}
            assert 0 < len(ids) < 20
            assert ids <= {id for (id,) in ask(path, "SELECT id FROM log INDEXED BY ix_log_document_id")}

    async def test_what_is_no_database_of_ours(self, file: SqlitePatient, path: Path) -> None:
        """D1: one sentence each; nothing is made where nothing is."""
        with pytest.raises(DatabaseUnusableError, match="there is no database"):
            await look(file)
        assert not path.parent.exists()
        await fill(file, {})
        await file.change("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(DatabaseTooNewError):
            await look(file)
        overwrite(path, b"these are my tax papers, not a database" * 100)
        with pytest.raises(DatabaseUnusableError, match="not a SQLite database"):
            await look(file)


class TestRepairing:
    @pytest.mark.parametrize("tree", ["log", "ix_log_document_id", "history", "uq_documents_name"])
    async def test_a_damaged_file_is_made_new(self, file: SqlitePatient, path: Path, tree: str) -> None:
        """D9: of what can be read; the damaged one stays beside it, byte by byte, and no id is used again."""
        others = {f"document {number}": HELLO[:1] for number in range(300)}
        await fill(file, {"notes": PAGES, "plans": HELLO, **others}, compacted={"plans": 4})
        name = "sqlite_autoindex_documents_1" if tree == "uq_documents_name" else tree
        last = ask(path, "SELECT max(id) FROM log")[0][0]
        spoil(path, name)
        before = bytes_of(path)

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert before == bytes_of(surgery.salvaged.kept)
        lost = surgery.salvaged.lost["log"]
        assert (0 < lost < 20) if tree == "log" else lost == 0
        assert len(PAGES) - lost == len(await rows_of(file, "notes"))
        assert "hello" == await text_of(file, "plans")
        await file.change("INSERT INTO log (document_id, kind, author, created_at, data) VALUES (1, 0, '', 0, x'')")
        assert last < ask(path, "SELECT max(id) FROM log")[0][0]

    async def test_a_file_without_a_schema_is_beyond_repair(self, file: SqlitePatient, path: Path) -> None:
        """D9: it says so, and changes nothing."""
        await fill(file, {"notes": HELLO})
        content = bytes_of(path)[:100] + b"\xff" * 3996 + bytes_of(path)[4096:]
        overwrite(path, content)

        with pytest.raises(DatabaseUnusableError, match="too damaged to be repaired here: restore a backup"):
            await doctor(file).treat()

        assert content == bytes_of(path)


class TestCommand:
    async def test_looking_beside_a_server_works_and_repairing_does_not(self, file: SqlitePatient, path: Path) -> None:
        """D1, D8: one sentence, which names the server's process."""
        await fill(file, {"notes": HELLO})
        await file.change(TRUNCATED, 3)
        with Server.running(path.parent) as server:
            looked = await collab("--data", str(server.folder), "--json", folder=path.parent)
            repaired = await collab("--data", str(server.folder), "--repair", folder=path.parent)
            async with WebsocketPeer.connected(server.ws_url, "plans", 7) as ann:
                await ann.send(ann.write(lambda: ann.doc["text"].insert(0, "works")))
                await wait_for_rows(file, "plans", 1)
            server.stop()

        assert 1 == looked.returncode
        assert not json.loads(looked.stdout)["ok"]
        assert 4 == repaired.returncode
        assert f"in use by another server, process {server_of(repaired)}" in repaired.stderr
        assert [] == ask(path, "SELECT * FROM damaged")

    async def test_what_cannot_be_opened_is_one_sentence(self, tmp_path: Path) -> None:
        """D1: with the exit code of a start that fails."""
        nothing = await collab("--data", str(tmp_path / "nowhere"), folder=tmp_path)
        other = await collab("--database", "memory://", folder=tmp_path)

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
