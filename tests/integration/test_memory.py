"""Rooms that come and go leave nothing behind (H4, H5): failed loads and sockets included."""

from __future__ import annotations

import gc
import time
import tracemalloc
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from collab.core.connection import Connection
from collab.core.dialects import Y_WEBSOCKET
from collab.core.ports import DocumentId, Entry
from collab.core.wire import EMPTY_STATE_VECTOR, var_bytes
from collab.errors import DamagedError
from collab.hub import Hub, HubLimits
from collab.relay.null import NullRelay
from collab.sandbox import Sandbox
from collab.store.compaction import Compactor
from collab.store.journal import GroupCommitJournal
from collab.store.sql import SqlStore
from tests.support.members import typed
from tests.support.room_kit import RecordingSink
from tests.support.server import Server

DAMAGED = b"\x01\x01\x07"
KIB = 1024


@pytest.mark.parametrize("rooms", [1_000, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
async def test_rooms_that_come_and_go_leave_nothing_behind(tmp_path: Path, rooms: int) -> None:
    store = await SqlStore.open(f"sqlite:///{tmp_path / 'collab.db'}")
    await store.append([(DocumentId(f"damaged {at}"), Entry(DAMAGED, "ann")) for at in range(rooms // 10 + 100)])
    journal = GroupCommitJournal(store, interval_seconds=0)
    sandbox = Sandbox()
    compactor = Compactor(store, sandbox, lambda: 0.0)
    hub = Hub(store, journal, NullRelay(), compactor, sandbox, HubLimits(linger_seconds=0, tick_seconds=3600))

    async def come_and_go(first: int, last: int) -> None:
        for at in range(first, last):
            await visit(hub, journal, at)
            if at % 10 == 0:
                with pytest.raises(DamagedError):
                    await hub.open(DocumentId(f"damaged {at // 10}"))

    try:
        async with hub.running():
            await come_and_go(0, 200)  # caches fill up
            tracemalloc.start()
            before, before_rss = allocated(), psutil.Process().memory_info().rss
            await come_and_go(200, 200 + rooms)
            grown = allocated() - before
            grown_rss = psutil.Process().memory_info().rss - before_rss
            tracemalloc.stop()

            assert ({}, {}, {}) == (hub.rooms, hub._idle_since, hub._opening)
            assert {} == compactor._tallies
            # Of names and dates a store may keep a little; a room with its document takes 10 KiB and more.
            assert grown < rooms * KIB / 2 + 256 * KIB, f"{grown / KIB:.0f} KiB more after {rooms} rooms"
            # What pycrdt and SQLite hold does not show above; a pycrdt document alone takes 4 KiB.
            assert grown_rss < rooms * KIB + 8192 * KIB, f"{grown_rss / KIB:.0f} KiB more after {rooms} rooms"
    finally:
        await store.close()


async def visit(hub: Hub, journal: GroupCommitJournal, at: int) -> None:
    """Open a document, write into it, leave, and let it close."""
    document = DocumentId(f"document {at}")
    room = await hub.open(document)
    connection = Connection(RecordingSink(), Y_WEBSOCKET, "ann")
    room.admit(connection)
    room.receive(connection, b"\x00\x02" + var_bytes(typed(7 + at, 0, "hello")))
    room.receive(connection, b"\x01" + var_bytes(b"\x01\x07\x01\x02{}"))
    room.settle()
    hub.left(room, connection)
    await journal.flush(document)
    hub.sweep(float("inf"))


def allocated() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_sockets_that_come_and_go_leave_nothing_behind(tmp_path: Path) -> None:
    """10,000 sockets, each with a document of its own, and every tenth refused: the server is as large as before."""
    with Server.running(tmp_path / "data", linger_seconds=0) as server:

        async def come_and_go(first: int, last: int) -> None:
            for at in range(first, last):
                async with connect(f"{server.ws_url}/document%20{at}", compression=None) as socket:
                    await socket.send(b"\x00\x00" + var_bytes(EMPTY_STATE_VECTOR))
                    await socket.send(b"\x00\x02" + var_bytes(typed(7, 0, "hello")))
                    await socket.recv()
                if at % 10 == 0:
                    with pytest.raises(InvalidStatus):
                        await connect(f"{server.ws_url}/{'x' * 2000}")

        await come_and_go(0, 2_000)
        before = resident(server, "document 1999")
        await come_and_go(2_000, 12_000)

        grown = resident(server, "document 11999") - before
        # A socket takes 20 KiB and a room 10; the store remembers 16,384 names, and the allocator keeps some.
        assert grown < 8 * KIB * KIB, f"{grown / KIB:.0f} KiB more after 10,000 sockets"


def resident(server: Server, last: str) -> int:
    """Return what the server has in memory once the room of the last document is closed."""
    deadline = time.monotonic() + 60
    while httpx.get(f"{server.url}/api/documents/{quote(last)}").json()["open"]:
        assert time.monotonic() < deadline, f"{last} is still open"
        time.sleep(0.1)
    return psutil.Process(server.pid).memory_info().rss
