"""What only a file has: pages that are damaged, a lock, and bytes that are no database (D)."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import struct
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collab.core.ports import DocumentId, Entry
from collab.doctor.report import Surgery, surgery_lines
from collab.errors import CollabError, DatabaseTooNewError, DatabaseUnusableError
from collab.loading import readable_of
from collab.store.compaction import compacted
from collab.store.history import disposable
from collab.store.sql import SqlStore
from tests.support.damage import (
    ask,
    change_but,
    halve_index,
    page_of,
    put_back,
    raise_id,
    repeat_in_index,
    spoil,
    spoil_name,
)
from tests.support.members import deleted, typed, typing
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


async def treated_without_a_page(file: SqlitePatient, path: Path, index: str) -> Surgery:
    """Repair a file of whose log a page is damaged, and of its index as well if that is not "sound"."""
    spoil(path, "log")
    if index == "damaged":
        spoil(path, "ix_log_document_id")
    async with asyncio.timeout(100):
        surgery = await treat(file)
    assert surgery.salvaged is not None
    return surgery


async def is_served(file: SqlitePatient, document: str) -> bool:
    """Whether a server can open a document, compact it, tell of it, and clear its history away."""
    store = await SqlStore.open(file.url)
    name = DocumentId(document)
    try:
        rows = await store.load(name)
        readable_of(name, rows)
        compacted(name, rows, history=True)
        description = await store.describe(name)
        assert description is not None
        for time in (description.created_at, description.changed_at):
            datetime.fromtimestamp(time, UTC)
        disposable(await store.segments(name), 1.0)
    except (CollabError, TypeError, ValueError, OverflowError, AttributeError, struct.error, MemoryError):
        return False
    finally:
        await store.close()
    return True


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
            ("UPDATE log SET author = CAST(x'616eee' AS TEXT) WHERE id = ?", "author"),
            ("UPDATE log SET created_at = 'today' WHERE id = ?", "time"),
            ("UPDATE log SET created_at = 9e999 WHERE id = ?", "time"),
            ("UPDATE log SET data = CAST(data AS TEXT) WHERE id = ?", "text"),
        ],
    )
    async def test_a_column_may_hold_anything(self, file: SqlitePatient, sql: str, reason: str) -> None:
        """D2: SQLite takes any type, and any bytes for a text."""
        await fill(file, {"notes": HELLO, "plans": HELLO})
        row = (await rows_of(file, "notes"))[2][0]
        await file.change(sql, row)

        report = await look(file)

        ((place, id, said),) = found(report)["notes"]
        assert ("log", row) == (place, id)
        assert reason in said
        assert ["notes"] == [case.document for case in report.damaged]
        assert ["notes"] == [treatment.document for treatment in (await treat(file)).treatments]

    @pytest.mark.parametrize(
        "column",
        [
            *("documents.lineage", "documents.created_at"),
            *("log.kind", "log.author", "log.created_at", "log.survey", "log.data"),
            *("history.keyframe", "history.first_at", "history.last_at", "history.data"),
        ],
    )
    async def test_whatever_a_server_fails_on_is_found_and_mended(self, file: SqlitePatient, column: str) -> None:
        """D2, D5, D6: whichever column holds what it never should."""
        values = ("CAST(x'61ff' AS TEXT)", "x'01ff'", "'words'", "9e999", "-7", "1e300")
        names = [f"document {at}" for at in range(len(values))]
        await fill(file, dict.fromkeys(names, HELLO), compacted=dict.fromkeys(names, 4))
        table, _, name = column.partition(".")
        key = "id" if table == "documents" else "document_id"
        for at, value in enumerate(values, start=1):
            await file.change(f"UPDATE {table} SET {name} = {value} WHERE {key} = ?", at)
        failing = [name for name in names if not await is_served(file, name)]

        report = await look(file)
        await treat(file)

        assert set(failing) <= found(report).keys()
        assert [] == [name for name in names if not await is_served(file, name)]
        kept = await file.ask("SELECT DISTINCT place FROM damaged")
        assert {(table,)} == set(kept) or name == "survey"

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
    async def test_a_list_of_documents_that_goes_round_in_a_circle_comes_to_an_end(
        self, file: SqlitePatient, path: Path
    ) -> None:
        """D1, D9: where half a page is zeros each document has the id 0, also behind the last one."""
        await fill(file, {"notes": HELLO, "plans": HELLO, "ideas": HELLO})
        ((page,),) = ask(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'documents'")
        ((size,),) = ask(path, "PRAGMA page_size")
        with path.open("r+b") as damaged:
            damaged.seek(page * size - 512)
            damaged.write(bytes(512))

        async with asyncio.timeout(60):
            assert not (await look(file)).well
            await treat(file)

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

    @pytest.mark.parametrize("tree", ["damaged", "ix_damaged_document_id"])
    async def test_an_empty_table_on_a_damaged_page_is_made_new(
        self, file: SqlitePatient, path: Path, tree: str
    ) -> None:
        """D9: `damaged` is empty nearly everywhere, and a repair went round in it for ever."""
        await fill(file, {"notes": HELLO})
        spoil(path, tree)

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert {0} == set(surgery.salvaged.lost.values())
        assert "hello" == await text_of(file, "notes")

    async def test_a_write_that_the_disk_lost_is_told(self, file: SqlitePatient, path: Path) -> None:
        """D6, D9: the table is whole, and lacks rows of which its index knows; of one document all."""
        await fill(file, {"notes": PAGES[-60:]})
        page = page_of(path, "log")
        await fill(file, {"notes": [typed(5000, 0, "the end")], "plans": [typed(6000, 0, "all"), *HELLO]})
        put_back(path, page)

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert 7 == surgery.salvaged.lost["log"]
        assert {"notes": {"log": 1}, "plans": {"log": 6}} == surgery.salvaged.reconciled.missed
        (treatment,) = surgery.treatments
        assert ("plans", True, 0) == (treatment.document, treatment.outcome.empty, treatment.recovered_bytes)
        told = list(surgery_lines(surgery))
        assert "plans: 6 rows of its log could not be read" in told
        assert "  nothing of it could be read: it is empty until somebody connects who still has it" in told
        assert (await look(file)).well
        assert await is_served(file, "plans")

    @pytest.mark.parametrize("right", ["ix_log_document_id", "log"], ids=["the index is right", "the table is right"])
    async def test_a_row_stays_in_the_document_in_which_it_was_written(
        self, file: SqlitePatient, path: Path, right: str
    ) -> None:
        """D9: people read by the index; if its client ids tell that it is wrong, they count."""
        await fill(file, {"notes": HELLO, "plans": typing(9, "secret")})
        await file.change("INSERT INTO clients VALUES (1, 7, 'ann'), (2, 9, 'bob')")
        change_but(path, right, "UPDATE log SET document_id = 2 WHERE id = 5")

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert {"notes": 1} == surgery.salvaged.reconciled.moved
        assert "notes: 1 row of it stood under another document as well, and is here only now" in surgery_lines(surgery)
        assert ("hello", "secret") == (await text_of(file, "notes"), await text_of(file, "plans"))
        assert (await look(file)).well

    @pytest.mark.parametrize("right", ["ix_log_document_id", "log"], ids=["the index", "the table"])
    async def test_a_deletion_stays_with_what_it_deletes(self, file: SqlitePatient, path: Path, right: str) -> None:
        """D9: it brings no client ids of its own."""
        await fill(file, {"notes": [*HELLO, deleted(7, 4, 1)], "plans": typing(9, "secret")})
        change_but(path, right, "UPDATE log SET document_id = 2 WHERE id = 6")

        await treat(file)

        assert ("hell", "secret") == (await text_of(file, "notes"), await text_of(file, "plans"))

    async def test_what_was_set_aside_stays_with_its_document(self, file: SqlitePatient, path: Path) -> None:
        """D9: nothing but the index tells whose it was."""
        await fill(file, {"notes": HELLO, "plans": HELLO})
        aside = "INSERT INTO damaged (document_id, place, row_id, reason, moved_at) VALUES (?, 'log', 1, '', 1)"
        for document in (1, 2):
            await file.change(aside, document)
        change_but(path, "ix_damaged_document_id", "UPDATE damaged SET document_id = 2 WHERE id = 1")

        await treat(file)

        assert [(1,), (2,)] == ask(path, "SELECT document_id FROM damaged ORDER BY id")

    @pytest.mark.parametrize("right", ["ix_history_document_id", "history"], ids=["the index", "the table"])
    async def test_the_history_of_one_document_does_not_come_into_another(
        self, file: SqlitePatient, path: Path, right: str
    ) -> None:
        """D7, D9: whichever of them is right."""
        await fill(file, {"notes": HELLO, "plans": typing(9, "secret")}, compacted={"notes": 5, "plans": 6})
        change_but(path, right, "UPDATE history SET document_id = 1 WHERE document_id = 2")

        await treat(file)

        assert ("hello", "secret") == (await text_of(file, "notes"), await text_of(file, "plans"))
        assert [(1,), (2,)] == ask(path, "SELECT document_id FROM history ORDER BY id")

    @pytest.mark.parametrize(
        ("tree", "sql"),
        [
            ("ix_documents_owner", "UPDATE documents SET owner = CAST(x'e1' AS TEXT) WHERE id = 1"),
            ("documents", "UPDATE documents SET owner = CAST(x'e1' AS TEXT) WHERE id = 1"),
            ("ix_grants_principal", "UPDATE grants SET principal = CAST(x'e1' AS TEXT)"),
            ("ix_log_document_id", "UPDATE log SET document_id = 2, data = CAST(x'e1' AS TEXT) WHERE id = 5"),
        ],
        ids=["an owner", "an owner in the index", "a principal", "bytes"],
    )
    async def test_texts_that_are_none_hinder_no_repair(
        self, file: SqlitePatient, path: Path, tree: str, sql: str
    ) -> None:
        """D9: wherever they stand."""
        await fill(file, {"notes": HELLO, "plans": typing(9, "secret")})
        await file.change("INSERT INTO grants VALUES (1, 'bob', 'edit', 1, 'ann')")
        change_but(path, tree, sql)
        spoil(path, "sqlite_autoindex_documents_1")

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert (await text_of(file, "notes")).startswith("hell")
        assert "secret" == await text_of(file, "plans")

    async def test_a_row_whose_id_is_damaged_hides_none_behind_it(self, file: SqlitePatient, path: Path) -> None:
        """D9: a search for the others ends at it, a scan does not."""
        await fill(file, {"notes": PAGES[:300]})
        raise_id(path, "log", 130, 8322)

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert 1 == surgery.salvaged.lost["log"]
        assert 300 == len(await rows_of(file, "notes"))

    async def test_a_link_of_which_nobody_can_tell_whose_it_is_lets_nobody_in(
        self, file: SqlitePatient, path: Path
    ) -> None:
        """D9, K3."""
        await fill(file, {"notes": HELLO, "plans": HELLO})
        columns = "document_id, role, label, created_at, created_by, key_hash"
        link = f"INSERT INTO links ({columns}) VALUES (?, 'edit', '', 1, '', ?)"
        await file.change(link, 1, b"one")
        await file.change(link, 2, b"two")
        change_but(path, "ix_links_document_id", "UPDATE links SET document_id = 2 WHERE id = 1")

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert 1 == surgery.salvaged.lost["links"]
        assert [(2, b"two")] == ask(path, "SELECT document_id, key_hash FROM links")

    @pytest.mark.parametrize(
        ("indexed", "name"), [("nites", "nites"), ("n\ntes", "notes")], ids=["another name", "no name"]
    )
    async def test_a_name_in_the_index_counts_unless_something_speaks_against_it(
        self, file: SqlitePatient, path: Path, indexed: str, name: str
    ) -> None:
        """D11: such as that nobody could open it."""
        await fill(file, {"notes": HELLO, "plans": HELLO[:2]})
        known = ask(path, "SELECT id, lineage FROM documents")
        change_but(path, "documents", "UPDATE documents SET name = ? WHERE id = 1", indexed)

        assert not (await look(file)).well
        surgery = await treat(file)

        assert ("hello", "he") == (await text_of(file, name), await text_of(file, "plans"))
        assert known == ask(path, "SELECT id, lineage FROM documents")
        assert [] == surgery.renamed
        assert (await look(file)).well

    async def test_a_document_keeps_owner_and_lineage_though_its_id_is_damaged(
        self, file: SqlitePatient, path: Path
    ) -> None:
        """D9, K1: the index of names knows it, and its rows do."""
        await fill(file, {"plans": HELLO[:2], "notes": HELLO})
        await file.change("UPDATE documents SET owner = 'ann' WHERE id = 2")
        known = ask(path, "SELECT id, name, lineage, owner FROM documents ORDER BY id")
        pages = [page_of(path, index) for index in ("sqlite_autoindex_documents_1", "ix_documents_owner")]
        await file.change("UPDATE documents SET id = 5 WHERE id = 2")
        for page in pages:
            put_back(path, page)

        surgery = await treat(file)

        assert known == ask(path, "SELECT id, name, lineage, owner FROM documents ORDER BY id")
        assert [] == surgery.adopted
        assert "hello" == await text_of(file, "notes")

    async def test_a_document_that_the_disk_lost_keeps_its_name_its_rows_and_its_owner(
        self, file: SqlitePatient, path: Path
    ) -> None:
        """D9, K1, L1: the indexes have these; that its lineage is another one is told."""
        await fill(file, {"notes": HELLO})
        page = page_of(path, "documents")
        await fill(file, {"plans": HELLO})
        await file.change("UPDATE documents SET owner = 'eve' WHERE name = 'plans'")
        put_back(path, page)

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert (["plans"], 1) == (surgery.salvaged.reconciled.renewed, surgery.salvaged.lost["documents"])
        assert [("notes", "ann"), ("plans", "eve")] == ask(path, "SELECT name, owner FROM documents ORDER BY id")
        assert "hello" == await text_of(file, "plans")
        assert any(line.startswith("plans: ") and "another lineage" in line for line in surgery_lines(surgery))

    async def test_what_an_operator_added_and_cannot_be_made_again_is_told(
        self, file: SqlitePatient, path: Path
    ) -> None:
        """D9: an index over a function of their own program."""
        await fill(file, {"notes": PAGES})
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.create_function("slug", 1, str.lower, deterministic=True)
            connection.executescript(
                "CREATE TABLE mine (n); INSERT INTO mine VALUES ('A'); CREATE INDEX by_slug ON mine (slug(n));"
                "PRAGMA user_version = 7; PRAGMA application_id = 99"
            )
        assert (await look(file)).well
        spoil(path, "log")

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert ("the index by_slug: no such function: slug",) == surgery.salvaged.left_out
        assert "not in the new file: the index by_slug: no such function: slug" in surgery_lines(surgery)
        assert [("A",)] == ask(path, "SELECT n FROM mine")
        assert [(7, 99)] == ask(
            path, "SELECT user_version, application_id FROM pragma_user_version, pragma_application_id"
        )

    @pytest.mark.parametrize(
        ("table", "adding"),
        [
            ("revocations", "INSERT INTO revocations (kind, value, revoked_at) VALUES ('principal', ?, 1)"),
            ("grants", "INSERT INTO grants VALUES (1, ?, 'edit', 1, 'ann')"),
        ],
    )
    async def test_a_right_that_the_disk_lost_is_told(
        self, file: SqlitePatient, path: Path, table: str, adding: str
    ) -> None:
        """D9: who was revoked counts again, and who was granted something has it no more."""
        await fill(file, {"notes": HELLO})
        await file.change(adding, "bob")
        page = page_of(path, table)
        await file.change(adding, "mallory")
        put_back(path, page)

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert 1 == surgery.salvaged.lost[table]

    @pytest.mark.parametrize(
        "index", ["ix_documents_owner", "sqlite_autoindex_documents_1", "ix_grants_principal", "ix_links_document_id"]
    )
    async def test_a_damaged_index_stops_no_look(self, file: SqlitePatient, path: Path, index: str) -> None:
        """D2, D9: documents are counted by whichever index is the smallest."""
        await fill(file, {"notes": HELLO, "plans": HELLO})
        spoil(path, index)

        report = await look(file)
        assert (2, []) == (report.documents, report.damaged)
        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert {0} == set(surgery.salvaged.lost.values())
        assert "hello" == await text_of(file, "notes")

    @pytest.mark.parametrize(
        ("sql", "rows"),
        [
            ("CREATE TABLE mine (id INTEGER); INSERT INTO mine VALUES (1), (NULL)", [(1,), (None,)]),
            ('CREATE TABLE "mine" ("a ""b" TEXT); INSERT INTO mine VALUES (\'x\')', [("x",)]),
            (
                "CREATE TABLE mine (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO mine VALUES ('b', 1), ('a', 2)",
                [("a", 2), ("b", 1)],
            ),
            ("CREATE VIRTUAL TABLE mine USING fts5(words); INSERT INTO mine VALUES ('hello you')", [("hello you",)]),
            (
                "CREATE TABLE mine (id INTEGER PRIMARY KEY, n); INSERT INTO mine VALUES (1, NULL), (2, 'a'), (-5, 'b')",
                [(-5, "b"), (1, None), (2, "a")],
            ),
            (
                "CREATE TABLE mine (n); CREATE INDEX part ON mine (n) WHERE n > 1; INSERT INTO mine VALUES (1), (2)",
                [(1,), (2,)],
            ),
            ("CREATE TABLE mine (rowid TEXT); INSERT INTO mine VALUES ('x'), (NULL)", [(None,), ("x",)]),
            (
                "CREATE TABLE mine (rowid INTEGER, n); INSERT INTO mine VALUES (5, 1), (5, 2), (NULL, 3)",
                [(None, 3), (5, 1), (5, 2)],
            ),
            ("CREATE TABLE sqlite3stats (n); CREATE VIEW mine AS SELECT n FROM sqlite3stats", []),
            ("CREATE TABLE other (n); CREATE VIEW mine AS SELECT n FROM other; INSERT INTO other VALUES (7)", [(7,)]),
        ],
        ids=[
            "without a key",
            "an odd name",
            "without ids",
            "for searching",
            "nothing and below 0",
            "partial",
            "called as ids are",
            "called as ids are, by numbers",
            "called nearly as SQLite's own",
            "a view",
        ],
    )
    async def test_what_an_operator_added_stays(
        self, file: SqlitePatient, path: Path, sql: str, rows: list[tuple[object, ...]]
    ) -> None:
        """D1, D9: it is no damage, and hinders no repair."""
        await fill(file, {"notes": PAGES})
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(sql)
        spoil(path, "log")

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert rows == ask(path, "SELECT * FROM mine ORDER BY 1") or rows == ask(path, "SELECT * FROM mine")
        assert {"log"} == {name for name, lost in surgery.salvaged.lost.items() if lost}

    async def test_of_an_operators_table_without_ids_what_can_be_read_is_kept(
        self, file: SqlitePatient, path: Path
    ) -> None:
        """D9: from either end up to what is damaged."""
        await fill(file, {"notes": HELLO})
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE mine (k TEXT PRIMARY KEY, v) WITHOUT ROWID")
            connection.executemany("INSERT INTO mine VALUES (?, ?)", [(f"{n:04}", "x" * 200) for n in range(1_000)])
        spoil(path, "mine")

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert 1 == surgery.salvaged.lost["mine"]
        keys = [key for (key,) in ask(path, "SELECT k FROM mine ORDER BY k")]
        assert 950 < len(keys) < 1_000
        assert ("0000", "0999") == (keys[0], keys[-1])

    async def test_rows_before_a_damaged_page_are_copied_though_nothing_tells_the_last_id(
        self, file: SqlitePatient, path: Path
    ) -> None:
        """D9: the table of last ids, the end of the log and the end of its index are damaged at once."""
        await fill(file, {"notes": PAGES})
        for tree in ("log", "ix_log_document_id"):
            spoil(path, tree, last=True)
        spoil(path, "sqlite_sequence")

        await doctor(file).treat()

        assert len(PAGES) - 20 < len(await rows_of(file, "notes")) < len(PAGES)

    @pytest.mark.parametrize("wrong", [b"\xff", b"N"], ids=["no text", "another letter"])
    async def test_a_document_keeps_the_name_under_which_it_opens(
        self, file: SqlitePatient, path: Path, wrong: bytes
    ) -> None:
        """D9, D11: one bit of its name, and a repair had a document vanish that everybody could open."""
        await fill(file, {"plans": HELLO, "notes of ann": HELLO})
        spoil_name(path, b"notes of ann", wrong, in_index=False)

        assert (await look(file)).problems
        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert ["notes of ann"] == surgery.salvaged.reconciled.named
        assert "hello" == await text_of(file, "notes of ann")
        assert (await look(file)).well

    async def test_two_documents_whose_names_were_mixed_up_have_their_own_again(
        self, file: SqlitePatient, path: Path
    ) -> None:
        """D9, D11: the table says of one what the other is called."""
        await fill(file, {"zotes": HELLO[:2], "notes": HELLO})
        spoil_name(path, b"zotes", b"n", in_index=False)

        await treat(file)

        assert ("he", "hello") == (await text_of(file, "zotes"), await text_of(file, "notes"))
        assert (await look(file)).well

    async def test_a_document_whose_name_is_no_text_gets_one(self, file: SqlitePatient, path: Path) -> None:
        """D11: in the table and in the index; nobody could open it, and nobody was told."""
        await fill(file, {"plans": HELLO, "notes of ann": HELLO})
        spoil_name(path, b"notes of ann", b"\xff", in_index=False)
        spoil_name(path, b"notes of ann", b"\xff", in_index=True)

        assert any(
            "document 2, '\ufffdotes of ann': its name is no text" in each for each in (await look(file)).problems
        )
        surgery = await treat(file)

        assert ["recovered document 2"] == surgery.renamed
        assert "hello" == await text_of(file, "recovered document 2")
        assert (await look(file)).well

    @pytest.mark.parametrize("how", ["too low", "unreadable", "no number"])
    async def test_rows_are_copied_whatever_was_noted_of_the_last(
        self, file: SqlitePatient, path: Path, how: str
    ) -> None:
        """D9, S5: the table of last ids may be damaged like any other."""
        await fill(file, {"notes": PAGES[:300], "plans": HELLO}, compacted={"plans": 4})
        last = ask(path, "SELECT max(id) FROM log")[0][0]
        if how == "unreadable":
            spoil(path, "sqlite_sequence")
        else:
            await file.change("UPDATE sqlite_sequence SET seq = ?", 3 if how == "too low" else "x")
            spoil(path, "ix_history_document_id")

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert {"log": 0, "documents": 0} == {name: surgery.salvaged.lost[name] for name in ("log", "documents")}
        assert 300 == len(await rows_of(file, "notes"))
        assert "hello" == await text_of(file, "plans")
        await file.change("INSERT INTO log (document_id, kind, author, created_at, data) VALUES (1, 0, '', 0, x'')")
        assert last + 1 == ask(path, "SELECT max(id) FROM log")[0][0]

    @pytest.mark.parametrize(
        "how",
        [
            ["UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'log'"],
            ["UPDATE log SET id = 9223372036854775807 WHERE id = 7"],
            ["UPDATE log SET id = id + 4611686018427387904"],
            [
                "UPDATE documents SET id = 9223372036854775807 WHERE id = 1",
                "UPDATE log SET document_id = 9223372036854775807 WHERE document_id = 1",
                "UPDATE clients SET document_id = 9223372036854775807 WHERE document_id = 1",
            ],
        ],
        ids=["what was noted", "a row", "all rows", "a document"],
    )
    async def test_ids_that_are_at_their_end_begin_anew(self, file: SqlitePatient, path: Path, how: list[str]) -> None:
        """D12: one damaged byte, and no row could be added; SQLite calls that a full disk."""
        await fill(file, {"notes": HELLO, "plans": HELLO[:2]})
        with closing(sqlite3.connect(path)) as connection, connection:
            for statement in how:
                connection.execute(statement)
        rows = "SELECT document_id, data FROM log ORDER BY id"
        before = [data for _, data in ask(path, rows)]

        assert any("before long, no row can be added to it" in each for each in (await look(file)).problems)
        surgery = await treat(file)

        assert [how[0].split()[1].replace("sqlite_sequence", "log")] == surgery.renumbered
        assert before == [data for _, data in ask(path, rows)]
        assert (await look(file)).well
        assert ("hello", "he") == (await text_of(file, "notes"), await text_of(file, "plans"))
        assert [] == (await treat(file)).renumbered
        store = await SqlStore.open(file.url)
        await store.append([(DocumentId("notes"), Entry(typed(77, 0, "!"), "ann"))])
        await store.append([(DocumentId("letters"), Entry(typed(77, 0, "!"), "ann"))])
        await store.close()
        assert (await look(file)).well

    @pytest.mark.parametrize("index", ["sound", "damaged"])
    @pytest.mark.parametrize(
        "high",
        [
            "UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'log'",
            "UPDATE sqlite_sequence SET seq = 1099511627776 WHERE name = 'log'",
            "UPDATE log SET id = 9223372036854775807 WHERE id = 5",
        ],
        ids=["last of all", "far", "a row"],
    )
    async def test_a_repair_ends_though_ids_are_high_and_a_page_is_damaged(
        self, file: SqlitePatient, path: Path, high: str, index: str
    ) -> None:
        """D9, D12: it looked for rows at each id up to the last."""
        await fill(file, {"notes": PAGES[:300], "plans": HELLO})
        await file.change(high)
        surgery = await treated_without_a_page(file, path, index)

        assert 280 < len(await rows_of(file, "notes")) < 300
        assert (["log"] if "9223372036854775807" in high else []) == surgery.renumbered

    @pytest.mark.parametrize("index", ["sound", "damaged"])
    async def test_between_rows_that_are_far_apart_nothing_is_looked_for_in_vain(
        self, file: SqlitePatient, path: Path, index: str
    ) -> None:
        """D9: as compaction leaves them; a limit on what is looked for had half of the log left out."""
        await fill(file, {"notes": [*PAGES[:300]]})
        await file.change("UPDATE log SET id = 3000000 + id * 30000")
        await file.change("UPDATE log SET id = id - 3000000 + 1")
        await treated_without_a_page(file, path, index)

        assert 285 < len(await rows_of(file, "notes")) < 300

    @pytest.mark.parametrize("how", ["twice the same", "half"])
    async def test_an_index_that_can_be_read_need_not_be_right(self, file: SqlitePatient, path: Path, how: str) -> None:
        """D9: beside a page of the table that cannot be read; a repair went round in it, or left rows out."""
        await fill(file, {"notes": PAGES[:200]})
        ids = [id for (id,) in ask(path, "SELECT id FROM log INDEXED BY ix_log_document_id ORDER BY id")]
        spoil(path, "log")
        halve_index(path, "ix_log_document_id") if how == "half" else repeat_in_index(path, "ix_log_document_id")

        async with asyncio.timeout(100):
            await treat(file)

        assert len(ids) - 15 < len(await rows_of(file, "notes")) < len(ids)

    async def test_rows_of_a_document_that_is_missing_become_nobodys_else(
        self, file: SqlitePatient, path: Path
    ) -> None:
        """D11, D12: one whose id was at its end got that of the missing one, with its rows and grants."""
        await fill(file, {"notes": HELLO, "plans": HELLO[:2], "more": HELLO[:3]})
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM documents WHERE id = 3")
            for statement in ("documents SET id", "log SET document_id", "clients SET document_id"):
                connection.execute(f"UPDATE {statement} = {1 << 62} WHERE {statement.split()[2]} = 2")

        surgery = await treat(file)

        assert (["recovered document 3"], ["documents"]) == (surgery.adopted, surgery.renumbered)
        assert ("hello", "he", "hel") == tuple(
            [await text_of(file, name) for name in ("notes", "plans", "recovered document 3")]
        )
        assert (await look(file)).well

    @pytest.mark.parametrize("number", ["9.3e18", "'9223372036854775807'"])
    async def test_a_last_id_that_is_no_number_of_ours_is_seen(self, file: SqlitePatient, number: str) -> None:
        """D12: SQLite takes it for what it looks like."""
        await fill(file, {"notes": HELLO})
        await file.change(f"UPDATE sqlite_sequence SET seq = {number} WHERE name = 'log'")

        assert not (await look(file)).well
        assert ["log"] == (await treat(file)).renumbered
        assert (await look(file)).well

    @pytest.mark.parametrize("id", [0, -7])
    async def test_a_document_is_seen_whatever_its_id(self, file: SqlitePatient, path: Path, id: int) -> None:
        """D1: none is below 1 unless it is damaged; it was not looked at."""
        await fill(file, {"notes": HELLO, "plans": HELLO})
        with closing(sqlite3.connect(path)) as connection, connection:
            for statement in ("documents SET id", "log SET document_id", "clients SET document_id"):
                connection.execute(f"UPDATE {statement} = {id} WHERE {statement.split()[2]} = 1")
            connection.execute(f"UPDATE log SET data = x'ff' WHERE document_id = {id} AND id = 1")

        assert ["notes"] == list(found(await look(file)))
        await treat(file)
        assert [] == list(found(await look(file)))

    async def test_a_row_is_copied_whatever_its_id(self, file: SqlitePatient, path: Path) -> None:
        """D9: it stood in front of the first that was looked for."""
        await fill(file, {"notes": HELLO, "plans": HELLO, "more": PAGES[:50]})
        await file.change("UPDATE log SET id = -5 WHERE id = 1")
        spoil(path, "history")

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert "hello" == await text_of(file, "notes")

    async def test_of_a_page_that_was_cut_off_no_document_is_made(self, file: SqlitePatient, path: Path) -> None:
        """D5, D9: an empty row without a document got one, which nobody could open, and all was said to be well."""
        await fill(file, {"notes": [typed(1_000 + at, 0, f"word{at:03} ") for at in range(150)]})
        overwrite(path, bytes_of(path)[:-100])

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert [] == surgery.adopted
        assert [("notes",)] == ask(path, "SELECT name FROM documents")
        assert 140 < len(await rows_of(file, "notes")) <= 150

    async def test_a_row_that_lost_its_author_is_a_row(self, file: SqlitePatient, path: Path) -> None:
        """D9: a column that must have a value has none."""
        await fill(file, {"notes": HELLO})
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("PRAGMA writable_schema = ON")
            sql = "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = 'log'"
            connection.execute(sql, ("author TEXT NOT NULL", "author TEXT /* !! */"))
        await file.change("UPDATE log SET author = NULL WHERE id = 3")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(sql, ("author TEXT /* !! */", "author TEXT NOT NULL"))
        assert (await look(file)).problems

        surgery = await treat(file)

        assert surgery.salvaged is not None
        assert "hello" == await text_of(file, "notes")
        assert (await look(file)).well

    async def test_an_edit_outlives_what_is_damaged_beside_it(self, file: SqlitePatient, path: Path) -> None:
        """D5, D6: one bit of an author closed the document, and no doctor saw it; its letter is still there."""
        await fill(file, {"notes": HELLO})
        before = await rows_of(file, "notes")
        await file.change("UPDATE log SET author = CAST(x'616eee' AS TEXT) WHERE id = 3")
        assert not await is_served(file, "notes")

        surgery = await treat(file)

        assert [(0, 1)] == [(len(treatment.aside), treatment.mended) for treatment in surgery.treatments]
        assert [(*row[:2], "" if row[0] == 3 else "ann", row[3]) for row in before] == await rows_of(file, "notes")
        aside = ask(path, "SELECT row_id, place, kind, CAST(author AS BLOB), reason, data FROM damaged")
        assert [(3, "log", 0, b"an\xee", "its author is not a text", None)] == aside
        assert [] == (await doctor(file).treat()).treatments

    async def test_a_document_whose_lineage_is_damaged_gets_another(self, file: SqlitePatient, path: Path) -> None:
        """D2, D6, L1: the old one is kept; nobody can have it."""
        await fill(file, {"notes": HELLO})
        await file.change("UPDATE documents SET lineage = CAST(x'61ff' AS TEXT)")

        assert ["its lineage is none"] == [reason for *_, reason in found(await look(file))["notes"]]
        await treat(file)

        assert [(32,)] == ask(path, "SELECT length(lineage) FROM documents")
        assert [("documents", 1, b"a\xff")] == ask(path, "SELECT place, row_id, data FROM damaged")

    async def test_a_segment_whose_time_is_damaged_is_still_read(self, file: SqlitePatient, path: Path) -> None:
        """D3, D7: what it holds goes into the history's new beginning, and into a document that lost it."""
        await fill(file, {"notes": HELLO}, compacted={"notes": 4})
        await file.change("UPDATE history SET first_at = 'today'")
        await file.change("DELETE FROM log WHERE kind = 1")

        await treat(file)

        assert "hello" == await text_of(file, "notes")
        assert [("history",)] == ask(path, "SELECT place FROM damaged")

    async def test_a_row_of_no_document_that_could_be_is_only_told(self, file: SqlitePatient) -> None:
        """D1, D6: nothing can have such an id; everything else is repaired."""
        await fill(file, {"notes": HELLO, "plans": HELLO})
        await file.change("UPDATE log SET document_id = 'nobody' WHERE id = 5")
        await file.change(TRUNCATED, 8)

        surgery = await doctor(file).treat()

        assert ["plans"] == [treatment.document for treatment in surgery.treatments]
        assert any("row 5 of log" in problem for problem in (await look(file)).problems)

    async def test_what_is_kept_beside_a_snapshot_is_made_anew(self, file: SqlitePatient, path: Path) -> None:
        """D5, H10."""
        await fill(file, {"notes": HELLO}, compacted={"notes": 4})
        ((before,),) = ask(path, "SELECT survey FROM log WHERE survey IS NOT NULL")
        await file.change("UPDATE log SET survey = x'00ffff' WHERE survey IS NOT NULL")

        assert ["survey"] == [place for place, _, _ in found(await look(file))["notes"]]
        surgery = await treat(file)

        assert [(0, 1)] == [(len(treatment.aside), treatment.surveys) for treatment in surgery.treatments]
        assert [(before[1:],)] == ask(path, "SELECT substr(survey, 2) FROM log WHERE survey IS NOT NULL")
        assert (await look(file)).well

    async def test_a_file_that_was_just_restored_is_in_use_by_nobody(self, file: SqlitePatient, path: Path) -> None:
        """D8: it has no WAL yet, and the lock on it is the doctor's own."""
        await fill(file, {"notes": HELLO})
        await file.change("UPDATE log SET data = x'00' WHERE id = 2")
        with closing(sqlite3.connect(path)) as connection:
            assert [("delete",)] == connection.execute("PRAGMA journal_mode = DELETE").fetchall()

        surgery = await treat(file)

        assert ["notes"] == [treatment.document for treatment in surgery.treatments]

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
