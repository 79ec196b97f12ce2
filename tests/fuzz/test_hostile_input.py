"""Hostile bytes over a real socket, while honest people type (G5, G6).

After each case: whoever sent it was closed with the code and a reason of docs/reference/wire.md, or
the table says why it is harmless; who is in the same room, and in another one, noticed nothing; the
log is as if it had not happened; and the server answers. Floods and sockets that hang have tests of
their own (`test_floods`).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import psutil
import pytest

from collab.core.awareness import decode
from collab.core.inspection import read
from collab.core.merging import merge
from collab.core.wire import Kind
from tests.fuzz.cases import (
    ANN,
    BEN,
    CARL,
    CASES,
    ELSEWHERE,
    EVE,
    LATER,
    MALFORMED,
    MIB,
    TOO_LARGE,
    asks,
    says,
    shows,
)
from tests.fuzz.pulse import Pulse
from tests.fuzz.raw import RawSocket
from tests.support.hostile import Judge, damaged, typed
from tests.support.server import Server
from tests.support.view import text_of

MOST_MEMORY: Final = 64 * MIB
"""How much the server may grow, whatever is sent to it (G5)."""
MOST_SECONDS: Final = 2.0
"""How long the server may take to answer. It promises 0.25 s (G5), but shares few cores with its tests:
`benchmarks/hostile_stalls.py`, which has them for itself, asks for that."""
TOLERATED: Final = "pycrdt failed; the document is read again"


@dataclass
class Company:
    """Honest people: ann and ben in the room in question, carl in another one. They speak by hand, one letter each."""

    document: str
    sockets: dict[int, RawSocket] = field(default_factory=dict)
    said: dict[int, str] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def gathered(cls, server: Server, document: str) -> AsyncIterator[Company]:
        company = cls(document)
        async with (
            RawSocket.connected(server.port, document) as ann,
            RawSocket.connected(server.port, document) as ben,
            RawSocket.connected(server.port, f"{document} elsewhere") as carl,
        ):
            company.sockets = {ANN: ann, BEN: ben, CARL: carl}
            for client, socket in company.sockets.items():
                socket.answers = True
                socket.send(asks(b"\x00"))
                socket.send(shows((client, 1, b"{}")))
                await socket.hears(Kind.SYNC_STEP_2)
            yield company

    async def says(self, client: int, word: str) -> None:
        """Say a word, a letter a message, and wait until the server has it."""
        for letter in word:
            said = self.said.get(client, "")
            self.sockets[client].send(says(typed(client, len(said), letter)))
            self.said[client] = said + letter
        await self.sockets[client].is_heard()

    async def heard(self, listener: int, speaker: int) -> None:
        """Wait until somebody has heard all that somebody else said."""
        async with asyncio.timeout(20):
            while max((end for client, _, end in self.clocks_heard(listener) if client == speaker), default=0) < len(
                self.said[speaker]
            ):
                await self.sockets[listener].hears(Kind.UPDATE, len(self.sockets[listener].of(Kind.UPDATE)) + 1)

    def clocks_heard(self, listener: int) -> set[tuple[int, int, int]]:
        socket = self.sockets[listener]
        bodies = socket.of(Kind.UPDATE) + socket.of(Kind.SYNC_STEP_2)
        return {run for body in bodies for run in read(body).runs}

    def clients_heard(self, listener: int) -> set[int]:
        """Return of whose edits and presence somebody has heard."""
        edits = {client for client, _, _ in self.clocks_heard(listener)}
        presence = self.sockets[listener].of(Kind.AWARENESS)
        return edits | {entry.client for body in presence for entry in decode(body)}


@contextmanager
def unharmed(folder: Path) -> Iterator[Server]:
    """A server that is alive at the end, has not grown, and has nothing in its log that it should not."""
    with Server.running(folder) as server:
        process = psutil.Process(server.pid)
        before = process.memory_info().rss
        yield server
        assert process.is_running()
        assert "Traceback" not in server.log
        # A document that pycrdt fails on is read again (R13); the gate should have refused what did it.
        errors = [line for line in server.log.splitlines() if "error" in line.lower() and TOLERATED not in line]
        assert [] == errors
        assert process.memory_info().rss - before < MOST_MEMORY
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all cases: what one leaves behind, the next would meet."""
    with unharmed(tmp_path_factory.mktemp("hostile") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def pulse(server: Server) -> Iterator[Pulse]:
    with Pulse(server.port) as pulse:
        yield pulse


@pytest.mark.parametrize("name", CASES)
async def test_a_hostile_message_closes_its_sender_and_nobody_else_notices(
    server: Server, pulse: Pulse, name: str
) -> None:
    """G5, G6, R8, T3, T4."""
    hostile = CASES[name]
    async with Company.gathered(server, name) as company:
        await company.says(ANN, "before")
        async with RawSocket.connected(server.port, name, address=hostile.address) as eve:
            for frame in hostile.frames:
                eve.send_bytes(frame)
                await eve.sent()
            if hostile.code is None:
                await eve.is_heard()
            else:
                code, reason = await eve.is_closed()
                assert hostile.code == code, reason
                assert reason
        await company.says(ANN, " after")
        await company.says(CARL, "elsewhere")
        await company.heard(BEN, ANN)

        assert company.clients_heard(CARL) <= {CARL}
        if not hostile.writes:
            assert company.clients_heard(BEN) <= {ANN, BEN}
            assert company.clients_heard(ANN) <= {ANN, BEN}
    if not hostile.writes:
        assert {ANN} == clients_in(await logged(server, name, "before after"))
    assert {CARL} == clients_in(await logged(server, f"{name} elsewhere", "elsewhere"))
    assert pulse.longest_seconds() < MOST_SECONDS


async def logged(server: Server, document: str, text: str) -> list[bytes]:
    """Return what the log holds of a document, once that says `text`."""
    async with asyncio.timeout(20):
        while text_of(merge(rows := rows_of(server, document)), "text") != text:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return rows


def rows_of(server: Server, document: str) -> list[bytes]:
    """Return what the log holds of a document."""
    query = "SELECT data FROM log JOIN documents ON documents.id = document_id WHERE name = ? ORDER BY log.id"
    with sqlite3.connect(f"file:{server.database}?mode=ro", uri=True) as database:
        return [data for (data,) in database.execute(query, (document,))]


def clients_in(rows: list[bytes]) -> set[int]:
    """Return whose clocks stand in some rows, brought or deleted."""
    return {client for row in rows for client, _, _ in read(row).runs + read(row).deletes}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("seed", "messages"), [(1, 10_000), *(pytest.param(seed, 20_000, marks=pytest.mark.long) for seed in range(2, 27))]
)
async def test_damaged_messages_stop_nobody(
    server: Server, pulse: Pulse, judge: Judge, seed: int, messages: int
) -> None:
    """G5: honest ones, one to three things wrong with each, on sockets that are opened again and again."""
    random = Random(seed)
    honest = [one for updates in judge.updates().values() for one in updates if len(one) < 3000]
    whole = [says(one) for one in honest] + [asks(b"\x01\x65\x05"), shows((EVE, 1, b'{"a":[1]}')), b"\x03"]
    name = f"damaged {seed}"
    closed: dict[int, int] = {}
    async with Company.gathered(server, name) as company:
        await company.says(ANN, "before")
        for _ in range(messages // 2):
            room = f"{name} {random.randrange(20)}"
            async with RawSocket.connected(server.port, room, address=ELSEWHERE) as eve:
                for _ in range(2):
                    eve.send(damaged(random.choice(whole), whole, random))
                    if not await eve.is_taken():
                        break
                if eve.closed is not None:
                    code, reason = eve.closed
                    assert reason
                    closed[code] = closed.get(code, 0) + 1
        await company.says(ANN, " after")
        await company.heard(BEN, ANN)

        assert {ANN, BEN} >= company.clients_heard(BEN)
    assert set(closed) <= {MALFORMED, LATER, TOO_LARGE}, closed
    await logged(server, name, "before after")
    assert pulse.longest_seconds() < MOST_SECONDS
