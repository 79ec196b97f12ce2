"""The benchmarks' load generator: it loses nothing on a real server, and notices when another one does.

Not for figures: `make bench` makes those.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pycrdt import Doc, Text
from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks.load.generator import LoadError, Measurement, Scenario, compiled, run
from collab.core.wire import EMPTY_STATE_VECTOR, EMPTY_UPDATE, Kind, Reader, var_bytes
from tests.support.server import Server, free_port

SMALL: Final = Scenario(rooms=1, peers=3, writers=2, window=4)
SYNC: Final = 0
SAVED: Final = 102
DEADLINE_SECONDS: Final = 30.0

Change = Callable[[bytes], bytes | None]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generator, freshly compiled; a test fails without a C compiler."""
    return compiled(tmp_path_factory.mktemp("load"))


@pytest.fixture(scope="module")
def busy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all that only type."""
    with Server.running(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(rooms=3, peers=4, writers=2, window=10),
        # More peers than bits in a byte, and each of them writes.
        Scenario(rooms=1, peers=9, writers=9, rate=30),
    ],
    ids=["closed loop", "open loop"],
)
def test_every_character_arrives_and_is_saved(program: Path, busy_server: Server, scenario: Scenario) -> None:
    """R4, R23: with as many characters in the documents as were typed."""
    name = f"load-{'open' if scenario.rate else 'closed'}"

    measurement = run(
        program,
        scenario,
        busy_server.port,
        path=f"/ws/{name}",
        seconds=1,
        saved_every=3,
        pids=[busy_server.pid],
    )

    assert scenario.rooms * scenario.peers == measurement.connections
    assert 0 < measurement.updates_s * measurement.seconds <= measurement.typed
    assert measurement.updates_s < measurement.deliveries_s
    assert measurement.latency_ms is not None
    assert measurement.saved_ms is not None
    assert measurement.server_rss_mib > 0
    texts = [exported(busy_server, f"{name}-{room}") for room in range(scenario.rooms)]
    assert measurement.typed == sum(map(len, texts))


async def test_a_server_that_dies_is_noticed(program: Path, tmp_path: Path) -> None:
    with Server.running(tmp_path / "data") as server:
        running = asyncio.create_task(asyncio.to_thread(run, program, SMALL, server.port, seconds=60))
        await asyncio.to_thread(wait_for_connections, server, "load-0", SMALL.peers)
        server.kill()

        with pytest.raises(LoadError, match=r"connection \d of room 0 "):
            await running


async def test_batches_and_repetitions_are_told_apart(program: Path) -> None:
    """Each message holds the whole document, with strings of many characters of both writers."""
    doc: Doc[Any] = Doc(client_id=1)

    def everything(update: bytes) -> bytes:
        doc.apply_update(update)
        return doc.get_update()

    async with stand_in(everything) as port:
        measurement = await load(program, port)

    assert len(doc.get("content", type=Text)) == measurement.typed


async def test_a_lost_character_is_noticed(program: Path) -> None:
    seen: list[bytes] = []

    def all_but_the_fifth(update: bytes) -> bytes | None:
        seen.append(update)
        return update if len(seen) != 5 else None

    async with stand_in(all_but_the_fifth) as port:
        with pytest.raises(LoadError, match=r"^2 times a character did not arrive$"):
            await load(program, port)


async def test_a_character_that_became_another_one_is_noticed(program: Path) -> None:
    async with stand_in(lambda update: update.replace(b"\x01c\x00", b"\x01C\x00")) as port:
        with pytest.raises(LoadError, match=r"^\d+ times a character arrived as another one$"):
            await load(program, port)


async def test_characters_that_nobody_typed_are_noticed(program: Path) -> None:
    async with stand_in(lambda update: update.replace(b"\x01c\x00", b"\x40" + 64 * b"c" + b"\x00")) as port:
        with pytest.raises(LoadError, match="characters that nobody has typed"):
            await load(program, port)


async def test_an_update_that_cannot_be_read_is_noticed(program: Path) -> None:
    async with stand_in(lambda update: update[:-3]) as port:
        with pytest.raises(LoadError, match="an update that it cannot read"):
            await load(program, port)


async def test_a_closed_connection_is_noticed(program: Path) -> None:
    async with stand_in(lambda update: update, close_after=20) as port:
        with pytest.raises(LoadError, match=r"the server closed connection \d of room 0: 4413 too much"):
            await load(program, port)


async def test_an_answer_that_never_comes_is_noticed(program: Path) -> None:
    async with stand_in(lambda update: update) as port:
        with pytest.raises(LoadError, match=r"^\d+ times it was not said that everything is saved$"):
            await load(program, port, saved_every=2)


def test_a_refusal_before_the_upgrade_is_noticed(program: Path, busy_server: Server) -> None:
    with pytest.raises(LoadError, match=r"the server refused room 0: HTTP/1.1 403 Forbidden"):
        run(program, SMALL, busy_server.port, path="/elsewhere", seconds=0.1)


def test_nobody_at_the_port_is_noticed(program: Path) -> None:
    with pytest.raises(LoadError, match="Connection refused"):
        run(program, SMALL, free_port(), seconds=0.1)


def test_a_missing_compiler_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"^there is no C compiler 'no-such-cc' .*: install gcc and libc6-dev$"):
        compiled(tmp_path, compiler="no-such-cc")


async def load(program: Path, port: int, *, saved_every: int = 0) -> Measurement:
    """Let the small scenario run for a moment."""
    return await asyncio.to_thread(
        run, program, SMALL, port, seconds=0.2, warmup_seconds=0.1, drain_seconds=0.5, saved_every=saved_every
    )


@asynccontextmanager
async def stand_in(change: Change, *, close_after: int | None = None) -> AsyncIterator[int]:
    """A server that hands updates on as `change` made them, and never says that they are saved; yields its port."""
    sockets: set[ServerConnection] = set()
    updates = 0

    async def serve_one(socket: ServerConnection) -> None:
        nonlocal updates
        sockets.add(socket)
        await socket.send(message(Kind.SYNC_STEP_1, EMPTY_STATE_VECTOR))
        async for data in socket:
            assert isinstance(data, bytes)
            reader = Reader(data)
            if reader.var_uint() == SAVED:
                continue
            kind, body = Kind(reader.var_uint()), reader.var_bytes()
            if kind is Kind.SYNC_STEP_1:
                await socket.send(message(Kind.SYNC_STEP_2, EMPTY_UPDATE))
            elif kind is Kind.UPDATE:
                updates += 1
                if updates == close_after:
                    await socket.close(4413, "too much")
                changed = change(body)
                if changed is not None:
                    broadcast(sockets - {socket}, message(Kind.UPDATE, changed))

    async with serve(serve_one, "127.0.0.1", 0, compression=None) as server:
        yield next(iter(server.sockets)).getsockname()[1]


def message(kind: Kind, body: bytes) -> bytes:
    return bytes((SYNC, kind)) + var_bytes(body)


def exported(server: Server, document: str) -> str:
    answer = httpx.get(f"{server.url}/api/documents/{document}/export", params={"format": "text"})
    return answer.raise_for_status().text.strip()


def wait_for_connections(server: Server, document: str, count: int) -> None:
    """Wait until so many have a document open, and something is in it."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        answer = httpx.get(f"{server.url}/api/documents/{document}")
        if answer.is_success and answer.json()["connections"] == count:
            return
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.02)
