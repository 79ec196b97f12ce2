"""Somebody who types into a document of a real server, through its deaths, and keeps book of it.

Not for: what a document must hold in the end (`ledger`).
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any, Final
from urllib.parse import quote

from pycrdt import Doc, Text, TransactionEvent
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from collab.core.wire import Kind, Reader, decode_state_vector, var_bytes
from tests.durability.ledger import ALPHABET, CHARACTER_BYTES, Contents, Ledger, Sent

ROOT: Final = "text"
DEADLINE_SECONDS: Final = 30.0
PATIENCE_SECONDS: Final = 0.02
"""How long something is waited for before it is looked at again, where nothing tells."""

SYNC: Final = 0
SYNC_STATUS: Final = 102
TOKEN: Final = struct.Struct("<2sHI")
"""A mark, the client, and how many updates it had sent: what is asked about, and comes back."""
TOKEN_MARK: Final = b"\xd7\x5a"


class Typist:
    """One person in one document. It goes on typing while the server is away, as an editor does."""

    def __init__(self, document: str, client: int, share: range, random: Random) -> None:
        """Type into `document`, as `client`, characters whose code points are in `share`."""
        self.document = document
        self.ledger = Ledger(client)
        self.delays: list[float] = []
        """Seconds from sending an update to hearing that it is saved."""
        self.closed_with: list[int] = []
        self._random = random
        self._characters: Iterator[str] = map(chr, share)
        self._doc: Doc[Any] = Doc(client_id=client)
        self._text = self._doc.get(ROOT, type=Text)
        self._subscription = self._doc.observe(self._record)
        self._written: list[bytes] = []
        self._clock = 0
        self._applying = False
        self._socket: ClientConnection | None = None
        self._answered = False
        """Whether this connection's server has all that was typed before it."""
        self._asked: dict[int, float] = {}
        self._link: asyncio.Task[None] | None = None

    @property
    def contents(self) -> Contents:
        return Contents(str(self._text), decode_state_vector(self._doc.get_state()))

    @property
    def saved(self) -> bool:
        """Whether everything is acknowledged."""
        return self.ledger.acknowledged == len(self.ledger.sent)

    @property
    def online(self) -> bool:
        return self._answered

    @property
    def gone(self) -> bool:
        """Whether there is no connection, and none on its way."""
        return self._link is None or self._link.done()

    def go_online(self, ws_url: str) -> None:
        """Connect, in the background."""
        self._link = asyncio.create_task(self._stay(f"{ws_url}/{quote(self.document)}"))

    async def offline(self) -> None:
        """Wait until the server is gone, and all that it had said is heard."""
        if self._link is not None:
            async with asyncio.timeout(DEADLINE_SECONDS):
                await self._link

    async def leave(self) -> None:
        """Hang up."""
        if self._socket is not None:
            await self._socket.close()
        await self.offline()

    def close(self) -> None:
        """Let go of the Doc, which an observer would keep alive for ever (hazards P11)."""
        self._doc.unobserve(self._subscription)

    async def type(self, pause_seconds: float, *, patiently: bool = False) -> None:
        """Type for ever, so long between two strokes on average; far less while the server is away.

        Who types patiently waits until the last stroke is saved.
        """
        while True:
            pause = pause_seconds if self._answered else pause_seconds * 20
            await asyncio.sleep(self._random.expovariate(1 / pause))
            if self.saved or not patiently:
                await self.stroke()

    async def stroke(self) -> None:
        """Type or delete something, and ask whether it is saved."""
        length = len(self._text) // CHARACTER_BYTES
        if length > 4 and self._random.random() < 0.2:
            at = self._random.randrange(length) * CHARACTER_BYTES
            await self._change("", str(self._text)[at // CHARACTER_BYTES], lambda: self._delete(at))
        elif chars := "".join(
            char for _, char in zip(range(self._random.randint(1, 3)), self._characters, strict=False)
        ):
            at = self._random.randint(0, length) * CHARACTER_BYTES
            await self._change(chars, "", lambda: self._text.insert(at, chars))

    def _delete(self, at: int) -> None:
        del self._text[at : at + CHARACTER_BYTES]

    async def _change(self, typed: str, deleted: str, change: Callable[[], object]) -> None:
        with self._doc.transaction():
            change()
        update = self._written.pop()
        self._clock += len(typed)
        self.ledger.sent.append(Sent(self._clock, typed, deleted))
        if self._socket is not None and self._answered:
            with suppress(ConnectionClosed):
                await self._socket.send(bytes((SYNC, Kind.UPDATE)) + var_bytes(update))
                await self._ask(self._socket)

    async def _stay(self, url: str) -> None:
        with suppress(OSError, InvalidHandshake, InvalidMessage, EOFError):
            # No pings, and no timeouts that would end a connection that a test made slow.
            async with connect(url, max_size=None, ping_interval=None, compression=None, close_timeout=1) as socket:
                self._socket = socket
                try:
                    await self._talk(socket)
                except ConnectionClosed:
                    pass
                finally:
                    self._socket, self._answered = None, False
                    self._asked.clear()
                    if socket.close_code is not None:
                        self.closed_with.append(socket.close_code)

    async def _talk(self, socket: ClientConnection) -> None:
        await socket.send(bytes((SYNC, Kind.SYNC_STEP_1)) + var_bytes(self._doc.get_state()))
        async for message in socket:
            assert isinstance(message, bytes)
            reader = Reader(message)
            kind = reader.var_uint()
            if kind == SYNC_STATUS:
                self._hear_saved(reader.var_bytes())
            elif kind == SYNC:
                await self._hear(socket, Kind(reader.var_uint()), reader.var_bytes())

    async def _hear(self, socket: ClientConnection, kind: Kind, body: bytes) -> None:
        if kind is not Kind.SYNC_STEP_1:
            self._applying = True
            self._doc.apply_update(body)
            self._applying = False
            return
        # What was typed before this connection is in the answer: only now does asking cover it.
        await socket.send(bytes((SYNC, Kind.SYNC_STEP_2)) + var_bytes(self._doc.get_update(body)))
        self._answered = True
        await self._ask(socket)

    async def _ask(self, socket: ClientConnection) -> None:
        count = len(self.ledger.sent)
        self._asked[count] = time.perf_counter()
        token = TOKEN.pack(TOKEN_MARK, self.ledger.client, count)
        await socket.send(bytes((SYNC_STATUS,)) + var_bytes(token))

    def _hear_saved(self, token: bytes) -> None:
        mark, client, count = TOKEN.unpack(token)
        assert (mark, client) == (TOKEN_MARK, self.ledger.client), "somebody else's token"
        asked = self._asked.pop(count, None)
        if asked is not None:
            self.delays.append(time.perf_counter() - asked)
        self.ledger.acknowledged = max(self.ledger.acknowledged, count)

    def _record(self, event: TransactionEvent) -> None:
        if not self._applying:
            self._written.append(event.update)


def company(seed: int, documents: int = 3, typists: int = 8) -> list[Typist]:
    """Return typists for some documents, each with characters of its own."""
    shares = len(ALPHABET) // typists
    return [
        Typist(
            f"notes {seed} {number % documents}",
            100 + number,
            ALPHABET[number * shares : (number + 1) * shares],
            Random(f"{seed} {number}"),
        )
        for number in range(typists)
    ]


async def wait_until(condition: Callable[[], bool], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it is not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(PATIENCE_SECONDS)
