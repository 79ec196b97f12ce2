"""A hundred rooms of ten people at the pace of typing, and how long each character takes to be saved.

Two of each ten type ten characters a second; all ten get what the others type. The clients are bare
sockets, so that they fit beside the server on two cores. Not for: what arrives (`typist`).
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

from collab.core.wire import Kind, var_bytes
from tests.durability.typist import SYNC, SYNC_STATUS, TOKEN, TOKEN_MARK, wait_until
from tests.support.members import typed
from tests.support.server import Server

ROOMS: Final = 100
PEOPLE: Final = 10
WRITERS: Final = 2
PER_SECOND: Final = 10
WARM_UP_SECONDS: Final = 5.0

_SAVED: Final = re.compile(
    re.escape(bytes((SYNC_STATUS, TOKEN.size)) + TOKEN_MARK) + b"(.{%d})" % (TOKEN.size - len(TOKEN_MARK)), re.DOTALL
)
_STEP_1: Final = bytes((SYNC, Kind.SYNC_STEP_1)) + var_bytes(b"\0")


class Person(asyncio.Protocol):
    """One socket. What it gets is thrown away, but for what tells a writer that something is saved."""

    def __init__(self, port: int, room: int, client: int) -> None:
        self.delays: list[float] = []
        self.ready = False
        self._request = (
            f"GET /ws/room%20{room} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        self._client = client
        self._clock = count()
        self._asked: dict[int, float] = {}
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request.encode())

    def data_received(self, data: bytes) -> None:
        if not self.ready:
            self.ready = True
            self._transport.write(masked(_STEP_1))
        if not self._asked:
            return
        data = self._rest + data
        now = time.perf_counter()
        for match in _SAVED.finditer(data):
            _, client, clock = TOKEN.unpack(match[0][2:])
            if client == self._client:
                self.delays.append(now - self._asked.pop(clock))
        # A token may lie across two pieces; one that was read must not be read again.
        self._rest = data[-(TOKEN.size + 1) :] if not _SAVED.search(data[-(TOKEN.size + 2) :]) else b""

    def type(self) -> None:
        """Type one character, and ask whether it is saved."""
        clock = next(self._clock)
        update = typed(self._client, clock, "a", (self._client, clock - 1) if clock else None)
        token = TOKEN.pack(TOKEN_MARK, self._client, clock)
        self._asked[clock] = time.perf_counter()
        self._transport.write(
            masked(bytes((SYNC, Kind.UPDATE)) + var_bytes(update)) + masked(bytes((SYNC_STATUS,)) + var_bytes(token))
        )

    @property
    def waiting(self) -> int:
        """How many characters are not saved."""
        return len(self._asked)

    def close(self) -> None:
        self._transport.abort()


def masked(message: bytes) -> bytes:
    """Return a client's frame; a mask of zeros changes nothing."""
    assert len(message) < 126
    return bytes((0x82, 0x80 | len(message), 0, 0, 0, 0)) + message


async def run(folder: Path, seconds: float, progress: Callable[[str], None] = lambda text: None) -> list[float]:
    """Return how many seconds each character took to be saved."""
    with Server.running(folder) as server:
        people = await _come_in(server)
        writers = [person for room in people for person in room[:WRITERS]]
        random, loop = Random(0), asyncio.get_running_loop()
        begin = loop.time() + 0.1
        end = begin + WARM_UP_SECONDS + seconds

        async def write(person: Person, at: float) -> None:
            while at < end:
                await asyncio.sleep(at - loop.time())
                person.type()
                at += 1 / PER_SECOND

        writing = [asyncio.ensure_future(write(each, begin + random.random() / PER_SECOND)) for each in writers]
        progress(f"load: {len(writers)} people type for {WARM_UP_SECONDS + seconds:.0f} s")
        await asyncio.gather(*writing)
        await wait_until(lambda: not any(each.waiting for each in writers), "every character is saved")
        for room in people:
            for person in room:
                person.close()
    skipped = int(WARM_UP_SECONDS * PER_SECOND)
    return [delay for each in writers for delay in each.delays[skipped:]]


async def _come_in(server: Server) -> list[list[Person]]:
    loop = asyncio.get_running_loop()
    people: list[list[Person]] = []
    clients = count(1)
    for room in range(ROOMS):
        joined = [Person(server.port, room, next(clients)) for _ in range(PEOPLE)]
        for person in joined:
            await loop.create_connection(lambda person=person: person, "127.0.0.1", server.port)  # type: ignore[misc]
        people.append(joined)
    await wait_until(lambda: all(person.ready for room in people for person in room), "everybody is in")
    return people


def time_syncs(folder: Path, number: int = 200) -> list[float]:
    """Return how many seconds the disk takes to keep 4 KiB, a few hundred times."""
    times = []
    handle = os.open(folder / "sync", os.O_CREAT | os.O_WRONLY)
    try:
        for at in range(number):
            os.pwrite(handle, bytes(4096), at * 4096)
            started = time.perf_counter()
            os.fdatasync(handle)
            times.append(time.perf_counter() - started)
    finally:
        os.close(handle)
    return times
