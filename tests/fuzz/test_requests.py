"""Requests that are none, or half of one: whoever likes can send them, and none may fill the log (T1, T10)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Final

import httpx
import pytest

from tests.fuzz.raw import TEXT, RawSocket
from tests.support.server import Server

DEADLINE_SECONDS: Final = 20.0

UPGRADE: Final = b"GET /ws/notes HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
KEY: Final = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
VERSION: Final = b"Sec-WebSocket-Version: 13\r\n"

HANDSHAKES: Final[dict[str, bytes]] = {
    "without a key": UPGRADE + VERSION + b"\r\n",
    "with half a key": UPGRADE + VERSION + b"Sec-WebSocket-Key: AAAA\r\n\r\n",
    "with two keys": UPGRADE + VERSION + KEY + KEY + b"\r\n",
    "without a version": UPGRADE + KEY + b"\r\n",
    "with an old version": UPGRADE + KEY + b"Sec-WebSocket-Version: 8\r\n\r\n",
    "with POST": UPGRADE.replace(b"GET", b"POST") + VERSION + KEY + b"\r\n",
    "with a protocol that is none": UPGRADE + VERSION + KEY + b"Sec-WebSocket-Protocol: ,@\r\n\r\n",
    "from two origins": UPGRADE + VERSION + KEY + b"Origin: a\r\nOrigin: b\r\n\r\n",
}

MALFORMED: Final[dict[str, bytes]] = {
    "no line": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "half a line": b"GET\r\n\r\n",
    "a method that is none": b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
    "an address that is none": b"GET notes HTTP/1.1\r\nHost: x\r\n\r\n",
    "an address of any bytes": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    "two lengths": b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a chunk without a length": b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a WebSocket's of any bytes": UPGRADE.replace(b"notes", b"\xff") + VERSION + KEY + b"\r\n",
}

UPGRADES: Final = ["h2c", "TLS/1.0", "websocket2"]

CUT: Final[dict[str, bytes]] = {
    "a text": b"PUT /api/documents/cut HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nab",
    "chunks": b"PUT /api/documents/cut HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    "a head": b"PUT /api/documents/cut HTTP/1.1\r\nHost:",
    "an answer": b"GET /api/docs HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server.running(tmp_path_factory.mktemp("requests") / "data") as server:
        yield server
        server.stop()
        assert not unwelcome(server.log)


def unwelcome(log: str) -> list[str]:
    """Return the lines that say that something is wrong."""
    return [line for line in log.splitlines() if any(word in line for word in ("WARNING", "ERROR", "Traceback"))]


async def answer(server: Server, request: bytes) -> bytes:
    """Send these bytes and nothing more; return what comes back until the server has closed the line."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        received = b""
        try:
            with suppress(ConnectionError):
                writer.write(request)
                writer.write_eof()
                received = await reader.read()
        finally:
            writer.transport.abort()
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        # What the server does when a line is closed comes before this.
        await client.get("/healthz")
    return received


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_a_handshake_that_is_none_is_refused_without_a_word_in_the_log(server: Server, name: str) -> None:
    """T1, T10: each left a traceback."""
    received = await answer(server, HANDSHAKES[name])

    assert received.split(b" ")[1] in (b"400", b"405", b"426")
    assert not unwelcome(server.log)


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_request_is_refused_without_a_word_in_the_log(server: Server, name: str) -> None:
    """T10: each was a warning."""
    received = await answer(server, MALFORMED[name])

    assert received.startswith(b"HTTP/1.1 400 ")
    assert not unwelcome(server.log)


@pytest.mark.parametrize("protocol", UPGRADES)
async def test_an_upgrade_that_there_is_not_is_no_warning(server: Server, protocol: str) -> None:
    """T10: the request is answered as if it had not asked for one."""
    await answer(server, b"GET /healthz HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % protocol.encode())

    assert not unwelcome(server.log)


@pytest.mark.parametrize("name", CUT)
async def test_what_is_cut_off_is_no_error(server: Server, name: str) -> None:
    """T10: who leaves while a body is read left a traceback of a hundred lines."""
    await answer(server, CUT[name])

    assert not unwelcome(server.log)


async def test_nothing_is_made_of_half_a_body(server: Server) -> None:
    """N2: the document can still begin with something else."""
    await answer(server, CUT["a text"])

    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        assert 404 == (await client.get("/api/documents/cut")).status_code


async def test_bytes_that_are_no_text_before_the_handshake_is_answered(server: Server) -> None:
    """T3, T10: the line was cut without an answer, and two tracebacks told of it.

    A frame comes that early only while the server is busy with others.
    """

    async def is_answered(document: str) -> bool:
        async with RawSocket.opened(server.port) as eve:
            with suppress(asyncio.IncompleteReadError):
                status = await eve.shake_hands(f"/ws/{document}", early=partial(eve.send, b"\xff", TEXT))
                await eve.is_taken()
                return status == 101
            return False

    assert all(await asyncio.gather(*(is_answered(f"early{number}") for number in range(30))))
    assert not unwelcome(server.log)


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits half a second for the headers of a request."""
    with Server.running(tmp_path_factory.mktemp("impatient") / "data", request_head_seconds=0.5) as server:
        yield server
        assert not unwelcome(server.log)


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("begins", "answers"),
    [(b"", b""), (b"GET /he", b"HTTP/1.1 408 "), (HEALTH, b"HTTP/1.1 408 "), (HEALTH + b"\r\nGET /", b"HTTP/1.1 200 ")],
    ids=["nothing", "half a line", "half the headers", "half of the second"],
)
async def test_who_does_not_come_to_an_end_is_closed(impatient: Server, begins: bytes, answers: bytes) -> None:
    """T17: they trickle on all the while, so that the line is never idle."""
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
    writer.write(begins)

    async def trickle() -> None:
        while begins:
            await asyncio.sleep(0.05)
            writer.write(b"x")

    trickling = asyncio.ensure_future(trickle())
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            with suppress(ConnectionResetError):
                received = await reader.read()
    finally:
        trickling.cancel()
        writer.transport.abort()

    assert received.startswith(answers)
    assert begins.count(b"GET") == received.count(b"HTTP/1.1")


async def test_a_body_may_take_longer_than_the_headers(impatient: Server) -> None:
    """T17: people have slow lines."""
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
    writer.write(
        b"PUT /api/documents/slow HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\n"
    )
    for letter in b"slowly!!":
        await asyncio.sleep(0.15)
        writer.write(bytes((letter,)))

    async with asyncio.timeout(DEADLINE_SECONDS):
        assert (await reader.readline()).startswith(b"HTTP/1.1 201 ")
    writer.transport.abort()
