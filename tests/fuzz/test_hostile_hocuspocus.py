"""The hostile corpus by Hocuspocus' protocol (G5, G6), before and after somebody signs in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import pytest

from collab.core.hocuspocus import PONG, Type
from collab.core.wire import Reader, var_string
from tests.fuzz.cases import (
    ANN,
    BEN,
    CARL,
    CASES,
    ELSEWHERE,
    EVE,
    LATER,
    MALFORMED,
    TOO_LARGE,
    Hostile,
    asks,
    says,
    shows,
)
from tests.fuzz.pulse import Pulse
from tests.fuzz.raw import BINARY, RawSocket
from tests.fuzz.test_hostile_input import MOST_SECONDS, Company, clients_in, logged, unharmed
from tests.support.hostile import Judge, damaged
from tests.support.server import Server

MESSAGES: Final = {name: case for name, case in CASES.items() if not case.raw}
"""Those that are about messages, and not about frames, which both protocols have in common."""


class HocuspocusSocket(RawSocket):
    """A socket of Hocuspocus' protocol, on which one document matters."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self.types: list[int] = []
        self.ended: str | None = None
        """Why the document's stay has ended."""

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int, address: str) -> AsyncIterator[HocuspocusSocket]:
        async with cls.opened(port, address) as socket:
            assert isinstance(socket, HocuspocusSocket)
            assert 101 == await socket.shake_hands("/hocuspocus")
            yield socket

    async def sign_in(self, document: str) -> None:
        self.send(var_string(document) + b"\x02\x00\x00" + var_string("4.8.0"))
        await self._wait_for(lambda: Type.AUTH in self.types or self.closed is not None)

    async def send_all(self, document: str, hostile: Hostile) -> None:
        for message in (hostile.sends,) if isinstance(hostile.sends, bytes) else hostile.sends:
            self.send(var_string(document) + message)
            await self.sent()

    async def has_ended(self) -> str:
        """Return why the document, or the socket, was closed."""
        await self._wait_for(lambda: self.ended is not None or self.closed is not None)
        return self.ended if self.ended is not None else str(self.closed)

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode != BINARY:
            super()._take(opcode, payload)
            return
        if payload == PONG:
            return
        reader = Reader(payload)
        reader.var_string()
        kind = reader.byte()
        self.types.append(kind)
        if kind == Type.CLOSE or (kind == Type.AUTH and reader.byte() == 1):
            self.ended = reader.var_string()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all cases: what one leaves behind, the next would meet."""
    with unharmed(tmp_path_factory.mktemp("hocuspocus") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def pulse(server: Server) -> Iterator[Pulse]:
    with Pulse(server.port) as pulse:
        yield pulse


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_hostile_message_costs_its_sender_and_nobody_else(server: Server, pulse: Pulse, name: str) -> None:
    """G5, G6, R8, T14."""
    hostile = MESSAGES[name]
    async with Company.gathered(server, name) as company:
        await company.says(ANN, "before")
        async with HocuspocusSocket.to(server.port, hostile.address) as eve:
            await eve.sign_in(name)
            await eve.send_all(name, hostile)
            if hostile.code is not None:
                assert await eve.has_ended()
            else:
                await eve.is_heard()
        await company.says(ANN, " after")
        await company.says(CARL, "elsewhere")
        await company.heard(BEN, ANN)

        assert company.clients_heard(CARL) <= {CARL}
        if not hostile.writes:
            assert company.clients_heard(BEN) <= {ANN, BEN}
    if not hostile.writes:
        assert {ANN} == clients_in(await logged(server, name, "before after"))
    assert pulse.longest_seconds() < MOST_SECONDS


async def test_whoever_has_not_signed_in_changes_nothing(server: Server, pulse: Pulse) -> None:
    """G5, G6, T12: whatever they send."""
    document = "from outside"
    async with Company.gathered(server, document) as company:
        await company.says(ANN, "before")
        for hostile in MESSAGES.values():
            async with HocuspocusSocket.to(server.port, hostile.address) as eve:
                await eve.send_all(document, hostile)
                await eve.is_taken()
        await company.says(ANN, " after")
        await company.heard(BEN, ANN)

        assert company.clients_heard(BEN) <= {ANN, BEN}
    assert {ANN} == clients_in(await logged(server, document, "before after"))
    assert pulse.longest_seconds() < MOST_SECONDS


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("seed", "messages"), [(1, 10_000), *(pytest.param(seed, 20_000, marks=pytest.mark.long) for seed in range(2, 27))]
)
async def test_damaged_messages_stop_nobody(
    server: Server, pulse: Pulse, judge: Judge, seed: int, messages: int
) -> None:
    """G5: whole frames are damaged, so the address and the type are, too; half of them before anybody signs in."""
    random = Random(seed)
    honest = [one for updates in judge.updates().values() for one in updates if len(one) < 3000]
    name = f"damaged {seed}"
    bodies = [says(one) for one in honest] + [asks(b"\x01\x65\x05"), shows((EVE, 1, b'{"a":[1]}')), b"\x03"]
    bodies += [b"\x02\x00" + var_string("token"), b"\x05" + var_string("words"), b"\x07", b"\x08\x01"]
    closed: set[int] = set()
    async with Company.gathered(server, name) as company:
        await company.says(ANN, "before")
        for _ in range(messages // 4):
            room = f"{name} {random.randrange(20)}"
            whole = [var_string(room) + body for body in bodies]
            async with HocuspocusSocket.to(server.port, ELSEWHERE) as eve:
                if random.random() < 0.5:
                    await eve.sign_in(room)
                for _ in range(4):
                    eve.send(damaged(random.choice(whole), whole, random))
                if not await eve.is_taken():
                    assert eve.closed is not None
                    closed.add(eve.closed[0])
        await company.says(ANN, " after")
        await company.heard(BEN, ANN)

        assert {ANN, BEN} >= company.clients_heard(BEN)
    assert closed <= {MALFORMED, LATER, TOO_LARGE}
    await logged(server, name, "before after")
    assert pulse.longest_seconds() < MOST_SECONDS
