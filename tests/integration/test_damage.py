"""What the server does with a document that it cannot read: say so, and leave it as it is (S19, H3, C6)."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from collab.core.merging import merge
from collab.core.ports import DocumentId
from collab.core.replica import Replica
from collab.core.wire import EMPTY_STATE_VECTOR, var_bytes
from collab.errors import CollabError
from collab.sandbox import Sandbox
from collab.store.compaction import Compactor
from collab.store.sql import SqlStore
from tests.support.damage import PANICS, ask, change, fill, fill_at, spoil
from tests.support.members import typed, typing
from tests.support.patients import Patient, PostgresPatient, SqlitePatient, rows_of
from tests.support.postgres import PostgresServer
from tests.support.server import Server

WELL = "well"

HELLO = typing(7, "hello")

KINDS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "a flipped byte": ("data = ?", (b"\x01\x09" + HELLO[2][2:],)),
    "a truncated row": ("data = substr(data, 1, length(data) - 2)", ()),
    "an empty row": ("data = ?", (b"",)),
    "a row of an unknown kind": ("kind = 9", ()),
    "a snapshot that pycrdt cannot take": ("kind = 1, data = ?", (PANICS,)),
    "a truncated snapshot": ("kind = 1, data = substr(data, 1, 7)", ()),
}
"""By document: what damages its middle row."""


@pytest.fixture(params=["sqlite", "postgres"])
async def damaged(request: pytest.FixtureRequest, tmp_path: Path) -> Patient:
    """A database with a document for each kind of damage, and one that is well."""
    patient: Patient
    if request.param == "sqlite":
        patient = SqlitePatient(tmp_path / "data" / "collab.db")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        patient = PostgresPatient(server, await server.clean_database())
    await fill_at(patient.url, dict.fromkeys((WELL, *KINDS), HELLO))
    for name, (sql, values) in KINDS.items():
        row = (await rows_of(patient, name))[2][0]
        await patient.change(f"UPDATE log SET {sql} WHERE id = ?", *values, row)
    return patient


async def contents(patient: Patient) -> list[tuple[object, ...]]:
    return await patient.ask("SELECT * FROM log ORDER BY id")


def refused(server: Server, document: str) -> int:
    """Try to join a document and to type into it; return the code that this ends with."""
    try:
        with connect(f"{server.ws_url}/{quote(document)}", compression=None) as socket:
            socket.send(b"\x00\x00" + var_bytes(EMPTY_STATE_VECTOR))
            socket.send(b"\x00\x02" + var_bytes(typed(8, 0, "over it")))
            while True:
                socket.recv(20)
    except InvalidStatus as error:
        return error.response.status_code
    except ConnectionClosedError as error:
        return error.rcvd.code if error.rcvd else 0


def visit(server: Server) -> None:
    """Insist on each damaged document being refused, whichever way, and on the other being served."""
    for document in KINDS:
        assert 500 == refused(server, document), document
        answer = httpx.get(f"{server.url}/api/documents/{document}/export?format=text")
        assert (500, "Document damaged") == (answer.status_code, answer.json()["title"]), document
    assert "hello" == httpx.get(f"{server.url}/api/documents/{WELL}/export?format=text").text.strip()


async def test_a_damaged_document_is_refused_and_stays_as_it_is(damaged: Patient, tmp_path: Path) -> None:
    """S19, H3: for each kind of damage, over sockets and over HTTP; the others are served."""
    before = await contents(damaged)
    with Server.running(tmp_path / "data", "--database", damaged.url) as server:
        visit(server)
        server.stop()

    assert before == await contents(damaged)


async def test_bytes_that_became_a_text(tmp_path: Path) -> None:
    """S19, H3: SQLite takes any type."""
    path = tmp_path / "data" / "collab.db"
    await fill(path, {"notes": HELLO})
    change(path, "UPDATE log SET data = 'hello' WHERE id = 3")
    before = ask(path, "SELECT * FROM log ORDER BY id")

    with Server.running(path.parent) as server:
        assert 500 == refused(server, "notes")
        server.stop()

    assert before == ask(path, "SELECT * FROM log ORDER BY id")
    store = await SqlStore.open(f"sqlite:///{path}")
    assert not await Compactor(store, Sandbox(), lambda: 0.0).compact(DocumentId("notes"))
    await store.close()


async def test_compaction_leaves_a_damaged_document_alone(damaged: Patient) -> None:
    """C6: for each kind of damage."""
    before = {document: await rows_of(damaged, document) for document in KINDS}
    store = await SqlStore.open(damaged.url)
    compactor = Compactor(store, Sandbox(), lambda: 0.0)

    assert [] == [document for document in KINDS if await compactor.compact(DocumentId(document))]
    assert await compactor.compact(DocumentId(WELL))

    await store.close()
    assert before == {document: await rows_of(damaged, document) for document in KINDS}


@pytest.mark.parametrize("tree", ["log", "ix_log_document_id"])
async def test_a_damaged_page_is_refused_and_stays_as_it_is(tmp_path: Path, tree: str) -> None:
    """S19, H3: in the rows or in their index; nothing is written to the file."""
    path = tmp_path / "data" / "collab.db"
    await fill(path, {"notes": [typed(client, 0, "x" * 500) for client in range(2000, 0, -1)]})
    spoil(path, tree)
    before = path.read_bytes()

    with Server.running(path.parent) as server:
        assert 500 == refused(server, "notes")
        server.stop()

    assert before == path.read_bytes()


def test_a_snapshot_of_which_pycrdt_leaves_something_out_is_not_opened() -> None:
    """S19, H3: it would look like a document from which somebody deleted a lot."""
    with pytest.raises(CollabError, match="refers to what is not in it"):
        Replica.load([merge(typing(7, "hello")[1:])], [])
    with pytest.raises(CollabError, match="without length"):
        Replica.load([PANICS], [])
