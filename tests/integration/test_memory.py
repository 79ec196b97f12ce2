"""Rooms that come and go leave nothing behind (H4, H5, C8): failed loads and sockets included."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
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
from collab.store.sql import KNOWN_LIMIT, SqlStore
from tests.support.members import typed
from tests.support.room_kit import RecordingSink
from tests.support.server import Server

DAMAGED: Final = b"\x01\x01\x07"
KIB: Final = 1024

ROOMS: Final = KNOWN_LIMIT + 1
"""What is measured: the store then remembers as many names as before."""

WARM_UP_ROOMS: Final = ROOMS + 1000
"""By then everything is full that is bounded on purpose: those names, and SQLite's caches of pages, 2 MiB for
each of three connections, which takes 12,000 rooms of so few rows."""

MOST_BYTES: Final = 256 * ROOMS
"""What the process may have more, which is less than a small object and its name for each room."""

MOST_OBJECTS: Final = 500
MOST_BLOCKS: Final = 1000
"""Objects of one type, and pieces of memory that Python may have more: less than one for every tenth room, which
is the rarest that anything happens here."""


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


@dataclass(frozen=True)
class Memory:
    """What a watched server has in memory."""

    resident: int
    blocks: int
    objects: dict[str, int]

    def leaks(self, before: Memory) -> list[str]:
        """Return what has grown by more than chance, in words."""
        leaks = [
            f"{count - before.objects.get(kind, 0)} objects of {kind}"
            for kind, count in self.objects.items()
            if count - before.objects.get(kind, 0) > MOST_OBJECTS
        ]
        if self.blocks - before.blocks > MOST_BLOCKS:
            leaks.append(f"{self.blocks - before.blocks} blocks")
        if self.resident - before.resident > MOST_BYTES:
            leaks.append(f"{(self.resident - before.resident) / KIB:.0f} KiB")
        return leaks


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_sockets_that_come_and_go_leave_nothing_behind(tmp_path: Path) -> None:
    """H4, H5, C8: after 17,000 rooms another 16,000 leave the server as large as it was."""
    before, after = await worn(tmp_path, "tests.integration.watched")

    assert [] == after.leaks(before)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_a_server_that_forgets_to_forget_is_noticed(tmp_path: Path) -> None:
    """H5: an object for each socket, a string for each room, 300 bytes outside of Python for each room."""
    before, after = await worn(tmp_path, "tests.integration.leaking")

    leaks = after.leaks(before)
    assert any("objects of collab.core.connection.Connection" in leak for leak in leaks), leaks
    assert any("blocks" in leak for leak in leaks), leaks
    assert any("KiB" in leak for leak in leaks), leaks


async def worn(tmp_path: Path, module: str) -> tuple[Memory, Memory]:
    """Return what a server has in memory after the warm-up, and after as many rooms more as are measured."""
    await damage(tmp_path / "data", range(0, WARM_UP_ROOMS + ROOMS, 10))
    server = Server(tmp_path / "data", linger_seconds=0, compact_rows=2)
    server.module = module
    try:
        server.start()
        await come_and_go(server, range(WARM_UP_ROOMS))
        before = memory(server, WARM_UP_ROOMS)
        await come_and_go(server, range(WARM_UP_ROOMS, WARM_UP_ROOMS + ROOMS))
        return before, memory(server, WARM_UP_ROOMS + ROOMS)
    finally:
        server.kill()


async def damage(folder: Path, numbers: Iterable[int]) -> None:
    """Make documents that cannot be read."""
    store = await SqlStore.open(f"sqlite:///{folder / 'collab.db'}")
    await store.append([(DocumentId(f"damaged {at}"), Entry(DAMAGED, "ann")) for at in numbers])
    await store.close()


async def come_and_go(server: Server, rooms: range) -> None:
    """Open a socket for each of these documents and write; every tenth is compacted, and two others are refused."""
    for at in rooms:
        async with connect(f"{server.ws_url}/document%20{at}", compression=None) as socket:
            await socket.send(b"\x00\x00" + var_bytes(EMPTY_STATE_VECTOR))
            await socket.send(b"\x00\x02" + var_bytes(typed(7, 0, "hello")))
            await socket.recv()
            if at % 10 == 0:
                await saved(socket)
                await socket.send(b"\x00\x02" + var_bytes(typed(7, 5, "!", (7, 4))))
                await saved(socket)
        if at % 10 == 0:
            for refused in ("x" * 2000, f"damaged%20{at}"):
                with pytest.raises(InvalidStatus):
                    await connect(f"{server.ws_url}/{refused}")


async def saved(socket: ClientConnection) -> None:
    """Wait until what was sent is on disk (R23)."""
    await socket.send(b"\x66" + var_bytes(b"?"))
    while (await socket.recv())[0] != 0x66:
        pass


def memory(server: Server, rooms: int) -> Memory:
    """Return what the server has in memory once its last rooms are closed, and compacted where they should be."""
    described = f"{server.url}/api/documents/"
    last = [quote(f"document {at}") for at in range(rooms - 10, rooms)]
    deadline = time.monotonic() + 120
    while any(is_busy(httpx.get(described + name).json()) for name in last):
        assert time.monotonic() < deadline, "rooms are still open, or not compacted"
        time.sleep(0.1)
    return Memory(**httpx.get(f"{server.url}/memory", timeout=60).json())


def is_busy(description: dict[str, Any]) -> bool:
    return bool(description["open"] or description["update_rows"] > 1)
