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
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final

import psutil
import pytest

from collab.core.awareness import Presence, decode, encode
from collab.core.inspection import read
from collab.core.merging import merge
from collab.core.values import ANY, TYPE
from collab.core.wire import EMPTY_UPDATE, Kind, encode_state_vector, var_bytes, var_uint
from tests.fuzz.corpus import HARMFUL
from tests.fuzz.pulse import Pulse
from tests.fuzz.raw import BINARY, CONTINUATION, TEXT, RawSocket, framed
from tests.support.hostile import Judge, crowd, damaged, item, text, typed, update
from tests.support.server import Server
from tests.support.view import text_of

ANN, BEN, CARL, EVE = 101, 102, 103, 666
ELSEWHERE: Final = "127.0.0.2"
MALFORMED, FOREIGN, TOO_LARGE, TOO_BIG, PROTOCOL = 4400, 4409, 4413, 1009, 1002
MIB: Final = 1 << 20
MOST_MEMORY: Final = 64 * MIB
"""How much the server may grow, whatever is sent to it (G5)."""
MOST_SECONDS: Final = 2.0
"""How long the server may take to answer. It promises 0.25 s (G5), but shares few cores with its tests."""


TOLERATED: Final = "pycrdt failed; the document is read again"


def sync(kind: Kind, body: bytes) -> bytes:
    return bytes((0, kind)) + var_bytes(body)


def says(one: bytes) -> bytes:
    """Return the message that brings an update."""
    return sync(Kind.UPDATE, one)


def asks(state_vector: bytes) -> bytes:
    return sync(Kind.SYNC_STEP_1, state_vector)


def shows(*entries: tuple[int, int, bytes]) -> bytes:
    return b"\x01" + var_bytes(encode(Presence(*entry) for entry in entries))


def chain(levels: int, clock: int = 0) -> bytes:
    """Return an update that nests so many types in each other."""
    outer = [(EVE, at - 1) if at else None for at in range(clock, clock + levels)]
    return update({EVE: (clock, [item(TYPE, b"\x00", inside=o) for o in outer])})


def in_fragments(message: bytes) -> tuple[bytes, ...]:
    """Return the frames of a message that is sent byte by byte."""
    last = len(message) - 1
    return tuple(
        framed(message[at : at + 1], CONTINUATION if at else BINARY, final=at == last) for at in range(len(message))
    )


SETS: Final = [
    item(ANY, b"\x01\x7e", left=(EVE, at - 1)) if at else item(ANY, b"\x01\x7e", root="map", key="key")
    for at in range(20_000)
]
FRAGMENTS: Final = in_fragments(says(typed(EVE, 0, "fragments")))


@dataclass(frozen=True)
class Hostile:
    """What somebody sends, and what becomes of it."""

    sends: bytes | tuple[bytes, ...]
    """Messages; each goes into a frame of its own."""
    code: int | None = MALFORMED
    """With what the sender is closed; None if nothing happens."""
    writes: bool = False
    """Whether it is an edit that is taken, at least in part."""
    raw: bool = False
    """Whether these are frames already."""
    address: str = "127.0.0.1"
    why: str = ""
    """Why nothing happens."""

    @property
    def frames(self) -> list[bytes]:
        parts = (self.sends,) if isinstance(self.sends, bytes) else self.sends
        return [part if self.raw else framed(part) for part in parts]


MESSAGES: dict[str, Hostile] = {
    # ---- messages that are none ----
    "nothing at all": Hostile(b""),
    "text": Hostile(framed(b"hello", TEXT), raw=True),
    "text that is not UTF-8": Hostile(framed(b"\xff", TEXT), raw=True),
    "text in fragments": Hostile((framed(b"he", TEXT, final=False), framed(b"y", CONTINUATION)), raw=True),
    "a type that does not exist": Hostile(b"\x04"),
    "a type of another protocol": Hostile(b"\x67\x01\x05"),
    "a sync status with a token that is too long": Hostile(b"\x66\x11" + bytes(17), code=4413),
    "a type of 53 bits": Hostile(b"\xff\xff\xff\xff\xff\xff\xff\x0f\x00"),
    "a type without end": Hostile(b"\xff" * 200_000),
    "permission denied, from a client": Hostile(b"\x02\x00\x01x"),
    "a sync message that does not exist": Hostile(b"\x00\x03\x01\x00"),
    "half a sync message": Hostile(b"\x00"),
    "a sync message without a body": Hostile(b"\x00\x02"),
    "a body of no bytes": Hostile(b"\x00\x02\x00"),
    "a body shorter than it says": Hostile(b"\x00\x02\x05\x01\x01"),
    "a body longer than it says": Hostile(b"\x00\x02\x01\x00\x00"),
    "a body of 2^53 bytes": Hostile(b"\x00\x02\xff\xff\xff\xff\xff\xff\xff\x0f"),
    "two messages in one": Hostile(says(EMPTY_UPDATE) * 2),
    "a question with something behind it": Hostile(b"\x03\x00"),
    "zeros": Hostile(bytes(MIB)),
    "noise": Hostile(Random(1).randbytes(100_000)),
    # ---- frames that are none ----
    "one byte over the limit": Hostile(framed(bytes(16 * MIB + 1)), TOO_BIG, raw=True),
    "over the limit in fragments": Hostile(
        (framed(bytes(9 * MIB), BINARY, final=False), framed(bytes(9 * MIB), CONTINUATION)), TOO_BIG, raw=True
    ),
    "a length of 64 bits": Hostile(b"\x82\xff" + b"\xff" * 8, TOO_BIG, raw=True),
    "no mask": Hostile(b"\x82\x01\x03", PROTOCOL, raw=True),
    "reserved bits": Hostile(b"\xc2\x80" + bytes(4), PROTOCOL, raw=True),
    "an operation that does not exist": Hostile(b"\x83\x80" + bytes(4), PROTOCOL, raw=True),
    "a continuation of nothing": Hostile(framed(b"x", CONTINUATION), PROTOCOL, raw=True),
    "a ping of 126 bytes": Hostile(framed(bytes(126), 9), PROTOCOL, raw=True),
    "a close code that cannot be": Hostile(framed(b"\x00\x05", 8), PROTOCOL, raw=True),
    # ---- state vectors, which readers may send, too ----
    "no state vector": Hostile(asks(b"")),
    "2^27 clients in ten bytes": Hostile(asks(var_uint(2**27) + bytes(6))),
    "a client twice": Hostile(asks(b"\x02\x05\x01\x05\x01")),
    "a clock of 53 bits": Hostile(asks(b"\x01\x05" + var_uint(2**53 - 1))),
    "half a state vector": Hostile(asks(b"\x02\x05\x01\x06")),
    "a state vector and more": Hostile(asks(b"\x00\x00")),
    "clocks that nobody has": Hostile(asks(b"\x01\x65\x7f"), None, why="it knows more than we do"),
    "clients that nobody knows": Hostile(
        asks(encode_state_vector(dict.fromkeys(range(10_000), 7))), None, why="clients of another document"
    ),
    # ---- edits that cost, or wait ----
    "types nested 1,001 deep": Hostile(says(chain(1001)), TOO_LARGE),
    "types nested deeper and deeper": Hostile(
        tuple(says(chain(250, at)) for at in range(0, 1250, 250)), TOO_LARGE, writes=True
    ),
    "1 MiB that waits": Hostile(says(typed(EVE, 9, "x" * MIB)), TOO_LARGE),
    "300 edits that wait": Hostile(
        tuple(says(typed(EVE, 9 * at, "x")) for at in range(1, 301)), TOO_LARGE, writes=True
    ),
    "2,000 places to insert at, again and again": Hostile(
        tuple(says(crowd(10**6 * at, 2000, text("y"))) for at in range(1, 8)),
        TOO_LARGE,
        writes=True,
    ),
    "70 KB that break pycrdt": Hostile(says(update({EVE: (0, [text("abc"), text("x" * 70_000, inside=(EVE, 1))])}))),
    "70 KB of nonsense": Hostile(says(b"\x01" * 70_000)),
    "a key that is set 20,000 times": Hostile(says(update({EVE: (0, SETS)})), None, writes=True, why="it takes 5 ms"),
    "clocks ahead under the id of somebody here": Hostile(
        says(update({ANN: (50, [text("x", left=(ANN, 49))])})), FOREIGN, address=ELSEWHERE
    ),
    "the next clock of somebody here": Hostile(
        says(update({ANN: (6, [text("x", left=(ANN, 5))])})), FOREIGN, address=ELSEWHERE
    ),
    "what somebody here has said": Hostile(
        says(update({ANN: (0, [text("before")])})), None, address=ELSEWHERE, why="it is known"
    ),
    "an edit without anything": Hostile(says(EMPTY_UPDATE), None, why="it is known"),
    "an edit of no structs": Hostile(says(b"\x01\x00\x05\x00\x00"), None, why="it is known"),
    "a message in fragments of a byte": Hostile(FRAGMENTS, None, raw=True, writes=True, why="RFC 6455 allows it"),
    # ---- presence ----
    "no presence": Hostile(b"\x01\x00"),
    "presence of a million who are not there": Hostile(b"\x01" + var_bytes(var_uint(10**6) + bytes(6))),
    "presence of a million": Hostile(b"\x01" + var_bytes(var_uint(10**6) + b"\x05\x01\x00" * 10**6), TOO_LARGE),
    "presence and more": Hostile(b"\x01" + var_bytes(encode([Presence(EVE, 1, b"{}")]) + b"\x00")),
    "presence with a clock of 53 bits": Hostile(shows((EVE, 2**53 - 1, b"{}"))),
    "a state that is no JSON": Hostile(shows((EVE, 1, b"{"))),
    "a state of nothing": Hostile(shows((EVE, 1, b""))),
    "a state that is not a number": Hostile(shows((EVE, 1, b"NaN"))),
    "a state in UTF-16": Hostile(shows((EVE, 1, "{}".encode("utf-16-le")))),
    "a state that is not UTF-8": Hostile(shows((EVE, 1, b'"\xff"'))),
    "a state of 4,097 bytes": Hostile(shows((EVE, 1, b'"' + b"x" * 4095 + b'"')), TOO_LARGE),
    "a state of 2 MB": Hostile(shows((EVE, 1, b'"' + b"x" * 2 * MIB + b'"')), TOO_LARGE),
    "a state nested 9 deep": Hostile(shows((EVE, 1, b"[" * 9 + b"]" * 9)), TOO_LARGE),
    "a state nested 2,000 deep": Hostile(shows((EVE, 1, b"[" * 2000 + b"]" * 2000))),
    "one good state and a bad one": Hostile(shows((EVE, 1, b"{}"), (EVE + 1, 1, b"{"))),
}

CASES: dict[str, Hostile] = MESSAGES | {f"update: {name}": Hostile(says(one)) for name, one in HARMFUL.items()}


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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all cases: what one leaves behind, the next would meet."""
    with Server.running(tmp_path_factory.mktemp("hostile") / "data") as server:
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


@pytest.mark.parametrize(
    ("seed", "messages"), [(1, 2000), *(pytest.param(seed, 20_000, marks=pytest.mark.long) for seed in range(2, 12))]
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
    assert set(closed) <= {MALFORMED, FOREIGN, TOO_LARGE}, closed
    await logged(server, name, "before after")
    assert pulse.longest_seconds() < MOST_SECONDS
