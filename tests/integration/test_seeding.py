"""Documents that begin with something (N): created once, by whoever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from random import Random
from uuid import uuid4

import httpx
import pytest
from pycrdt import Doc, Text
from websockets.sync.client import connect

from collab.core.inspection import read
from collab.core.merging import merge
from collab.core.wire import var_bytes
from collab.seed import text_update
from tests.support.database import stored
from tests.support.members import deleted, typed
from tests.support.server import Server
from tests.support.websocket_peer import WebsocketPeer
from tests.support.yjs import Peer

HELLO = typed(7, 0, "hello", root="content")
UPDATE = {"content-type": "application/octet-stream"}
WORDS = {"content-type": "text/plain; charset=utf-8"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all: each test has documents of its own."""
    with Server.running(tmp_path_factory.mktemp("seeding") / "data") as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{server.url}/api/documents", timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def document() -> str:
    return uuid4().hex


async def text_of(client: httpx.AsyncClient, document: str) -> str:
    return (await client.get(f"/{document}/export?format=text")).text


async def test_a_document_is_created_and_described(client: httpx.AsyncClient, document: str) -> None:
    """N1, N2: an update that is whole is taken as it is."""
    answer = await client.put(f"/{document}", content=HELLO, headers=UPDATE)

    assert 201 == answer.status_code
    assert {"id": document, "rows": 1, "update_bytes": len(HELLO), "open": False}.items() <= answer.json().items()
    assert 16 == len(bytes.fromhex(answer.json()["lineage"]))
    assert HELLO == (await client.get(f"/{document}/export?format=yjs")).content


async def test_a_second_attempt_is_refused(client: httpx.AsyncClient, document: str) -> None:
    """N1: and changes nothing."""
    await client.put(f"/{document}", content="first", headers=WORDS)

    answer = await client.put(f"/{document}", content="second", headers=WORDS)

    assert 409 == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]
    assert document in answer.json()["detail"]
    assert "first\n" == await text_of(client, document)


async def test_of_many_that_race_one_creates_it(client: httpx.AsyncClient, document: str) -> None:
    """N1."""
    attempts = (client.put(f"/{document}", content=f"attempt {each}", headers=WORDS) for each in range(10))
    answers = await asyncio.gather(*attempts)

    codes = [answer.status_code for answer in answers]
    assert [201] + [409] * 9 == sorted(codes)
    assert f"attempt {codes.index(201)}\n" == await text_of(client, document)


async def test_a_document_that_somebody_has_begun_is_not_created(
    server: Server, client: httpx.AsyncClient, document: str
) -> None:
    """N1: also while what they wrote is on its way to the log."""
    with connect(f"{server.ws_url}/{document}", compression=None) as author:
        author.send(b"\x00\x02" + var_bytes(HELLO))
        assert author.ping().wait(20)

        answer = await client.put(f"/{document}", content="seed", headers=WORDS)

    assert 409 == answer.status_code
    assert "hello\n" == await text_of(client, document)


async def test_who_waits_in_an_empty_document_gets_the_seed_once(
    server: Server, client: httpx.AsyncClient, document: str
) -> None:
    """N4: and it is in the log once."""
    async with (
        WebsocketPeer.connected(server.ws_url, document, 8) as ann,
        WebsocketPeer.connected(server.ws_url, document, 9) as bob,
    ):
        answer = await client.put(f"/{document}", content="Agenda\n", headers=WORDS)
        for peer in (ann, bob):
            await peer.wait_for_update(text_update("Agenda\n"))
            assert "Agenda\n" == str(peer.doc.get("content", type=Text))

    assert {"rows": 1, "open": True, "connections": 2}.items() <= answer.json().items()
    assert text_update("Agenda\n") == stored(server.database, document)


async def test_people_go_on_from_the_seed(server: Server, client: httpx.AsyncClient, document: str) -> None:
    """N4: what they write depends on it, and survives a kill."""
    await client.put(f"/{document}", content="Agenda", headers=WORDS)
    async with WebsocketPeer.connected(server.ws_url, document, 8) as ann:
        text = ann.doc.get("content", type=Text)
        update = ann.write(lambda: text.insert(len(text), " of today"))
        await ann.send(update)
        async with WebsocketPeer.connected(server.ws_url, document, 9) as bob:
            await bob.wait_for_update(update[0])

    assert "Agenda of today\n" == await text_of(client, document)


async def test_equal_texts_are_equal_updates(client: httpx.AsyncClient, document: str) -> None:
    """N3: two that meet all the same are one."""
    text = "Wörter, 日本, 😀\n"
    for name in (f"{document}-1", f"{document}-2"):
        assert 201 == (await client.put(f"/{name}", content=text.encode(), headers=WORDS)).status_code
    states = [(await client.get(f"/{document}-{each}/export?format=yjs")).content for each in (1, 2)]

    doc: Doc[Text] = Doc()
    doc.apply_update(merge(states))

    assert states[0] == states[1]
    assert text == str(doc.get("content", type=Text))
    assert ((1, 0, len(text.encode("utf-16-le")) // 2),) == read(text_update(text)).runs


@pytest.mark.parametrize("text", ["", "\ufeff"])
async def test_a_document_may_begin_empty(client: httpx.AsyncClient, document: str, text: str) -> None:
    """N3: it is there, and can be created no more."""
    answer = await client.put(f"/{document}", content=text.encode(), headers=WORDS)

    assert (201, 1) == (answer.status_code, answer.json()["rows"])
    assert "" == await text_of(client, document)
    assert 409 == (await client.put(f"/{document}", content=HELLO, headers=UPDATE)).status_code


async def test_a_document_begins_as_its_template_is(client: httpx.AsyncClient, document: str) -> None:
    """N5: whatever stands in it."""
    peer = Peer(7)
    random = Random(3)
    state = merge(update for _ in range(200) for update in peer.edit(random))
    peer.close()
    await client.put(f"/{document}-template", content=state, headers=UPDATE)

    answer = await client.put(f"/{document}%2Fcopy", params={"template": f"{document}-template"})

    copied = await client.get(f"/{document}%2Fcopy/export?format=json")
    original = await client.get(f"/{document}-template/export?format=json")
    assert 201 == answer.status_code
    assert original.json() == copied.json()
    assert answer.json()["lineage"] != (await client.get(f"/{document}-template")).json()["lineage"]


async def test_a_template_that_is_open_is_taken_as_it_is_now(
    server: Server, client: httpx.AsyncClient, document: str
) -> None:
    """N5."""
    with connect(f"{server.ws_url}/{document}-template", compression=None) as author:
        author.send(b"\x00\x02" + var_bytes(HELLO))
        assert author.ping().wait(20)

        await client.put(f"/{document}", params={"template": f"{document}-template"})

    assert "hello\n" == await text_of(client, document)


@pytest.mark.parametrize(
    ("body", "headers", "query", "status", "words"),
    [
        (b"\x01\x02", UPDATE, "", 400, "update at byte"),
        (bytes.fromhex("01010b112801016101000000"), UPDATE, "", 400, "update"),
        (typed(7, 5, "x", (7, 4)), UPDATE, "", 400, "whole state"),
        (typed(7, 0, "x", (8, 4)), UPDATE, "", 400, "whole state"),
        (deleted(7, 0, 1), UPDATE, "", 400, "whole state"),
        (b"half an emoji \xed\xa0\xbd", WORDS, "", 400, "not UTF-8 at byte 14"),
        (b"{}", {"content-type": "application/json"}, "", 415, "application/octet-stream"),
        (b"words", {}, "", 415, "text/plain"),
        (b"words", {"content-type": "text/plain; charset=utf-16"}, "", 415, "UTF-8"),
        (b"", {}, "", 415, "?template="),
        (b"words", WORDS, "?template=other", 400, "not as both"),
        (b"", {}, "?template=nowhere", 404, "nowhere"),
        (bytes((16 << 20) + 1), UPDATE, "", 413, "body"),
        # The same key 30,000 times: 240 KB that would stop everybody for seconds (hazards P7).
        (
            b"\x01\xb0\xea\x01\x07\x00" + b"\x28\x01\x01m\x01k\x01\x7d\x01" * 30_000 + b"\x00",
            UPDATE,
            "",
            413,
            "the limit is",
        ),
    ],
)
async def test_what_no_document_may_begin_with_leaves_nothing(
    client: httpx.AsyncClient,
    document: str,
    body: bytes,
    headers: dict[str, str],
    query: str,
    status: int,
    words: str,
) -> None:
    """N2: one sentence, and no document."""
    answer = await client.put(f"/{document}{query}", content=body, headers=headers)

    assert status == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]
    assert words in answer.json()["detail"]
    assert 404 == (await client.get(f"/{document}")).status_code


async def test_who_may_not_write_creates_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    """N6."""
    folder = tmp_path_factory.mktemp("readers") / "data"
    with Server.running(folder, "--anonymous", "comment") as server:
        async with httpx.AsyncClient(base_url=f"{server.url}/api/documents", trust_env=False) as client:
            answer = await client.put("/notes", content="seed", headers=WORDS)

            assert 403 == answer.status_code
            assert 404 == (await client.get("/notes")).status_code
