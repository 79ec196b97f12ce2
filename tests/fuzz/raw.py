"""A WebSocket client that may break every rule: it frames by hand, and need not read what it is sent.

Not for: honest clients (`tests/support/websocket_peer.py`).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import quote

from collab.core.wire import EMPTY_UPDATE, Kind, Message, Reader, var_bytes

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
DEADLINE_SECONDS: Final = 20.0
REFUSAL: Final = 2
"""The message that says to a reader that it may not write."""


class RawSocket:
    """One TCP connection to a server. It reads from its handshake on, unless told not to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received: list[Message] = []
        """The messages that came, decoded; what is no message of y-websocket fails the test."""
        self.refusals: list[str] = []
        self.answers = False
        """Whether it says that it has nothing whenever it is asked, as honest clients do."""
        self.closed: tuple[int, str] | None = None
        """With which code and reason the server closed; 1006 if it only cut the line."""
        self._reader = reader
        self._writer = writer
        self._pongs: set[bytes] = set()
        self._came = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls, port: int, address: str = "127.0.0.1") -> AsyncIterator[RawSocket]:
        """A connection from `address`, one of the machine's own, that has not said anything."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        socket = cls(reader, writer)
        try:
            yield socket
        finally:
            writer.transport.abort()
            if socket._reading is not None:
                socket._reading.cancel()
                with suppress(asyncio.CancelledError):
                    await socket._reading

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, port: int, document: str, *, address: str = "127.0.0.1", reads: bool = True
    ) -> AsyncIterator[RawSocket]:
        """A connection that has shaken hands."""
        async with cls.opened(port, address) as socket:
            status = await socket.shake_hands(f"/ws/{quote(document)}", reads=reads)
            assert status == 101, f"the handshake was answered with {status}"
            yield socket

    async def shake_hands(
        self, target: str, *, header: str = "", reads: bool = True, early: Callable[[], None] | None = None
    ) -> int:
        """Ask for `target` as it stands; return the status of the answer. `early` is called before that is read."""
        self.send_bytes(handshake(target, header))
        if early is not None:
            await asyncio.sleep(0.0005)
            early()
        async with asyncio.timeout(DEADLINE_SECONDS):
            head = await self._reader.readuntil(b"\r\n\r\n")
        if reads:
            self._reading = asyncio.create_task(self._read())
        return int(head.split()[1])

    def send(self, data: bytes, opcode: int = BINARY, *, final: bool = True) -> None:
        """Send one frame; nothing waits for the server to read it."""
        self.send_bytes(framed(data, opcode, final=final))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes that are no frame, or only half of one."""
        if not self._writer.transport.is_closing():
            self._writer.write(data)

    async def sent(self) -> None:
        """Wait until the server has taken what was sent, or has gone."""
        with suppress(ConnectionError):
            await self._writer.drain()

    @property
    def is_cut(self) -> bool:
        """Whether the line is known to be cut."""
        return self._writer.transport.is_closing()

    async def is_closed(self) -> tuple[int, str]:
        """Return with which code and reason the server closes."""
        await self._wait_for(lambda: self.closed is not None)
        assert self.closed
        return self.closed

    async def is_heard(self) -> None:
        """Return once the server has taken everything that was sent: it answers a ping behind it, and then another.

        What it says to a message goes out after the pongs for whatever came in the same packet.
        """
        for _ in range(2):
            expected = b"ping %d" % len(self._pongs)

            def answered(pong: bytes = expected) -> bool:
                return pong in self._pongs or self.closed is not None

            while not answered():
                self.send(expected, PING)
                # A server whose buffer is full forgets pings.
                await self._wait_for(answered, patience_seconds=2)
            assert self.closed is None, f"closed with {self.closed}"

    async def is_taken(self) -> bool:
        """Wait until the server has taken what was sent; return whether the connection is still open."""
        try:
            await self.is_heard()
        except AssertionError:
            return False
        return True

    async def hears(self, kind: Kind, count: int = 1) -> list[bytes]:
        """Return the bodies of all messages of a kind, once so many have come."""
        await self._wait_for(lambda: len(self.of(kind)) >= count or self.closed is not None)
        assert len(self.of(kind)) >= count, f"closed with {self.closed}"
        return self.of(kind)

    def of(self, kind: Kind) -> list[bytes]:
        return [message.body for message in self.received if message.kind is kind]

    async def _wait_for(self, condition: Callable[[], object], patience_seconds: float | None = None) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (patience_seconds or DEADLINE_SECONDS)
        while not condition():
            self._came.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._came.wait()
            except TimeoutError:
                if patience_seconds is None:
                    raise
                return

    async def _read(self) -> None:
        while self.closed is None:
            try:
                opcode, payload = await self._read_frame()
            except (asyncio.IncompleteReadError, ConnectionError):
                self.closed = 1006, "the line was cut"
            else:
                self._take(opcode, payload)
            self._came.set()

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            self.closed = struct.unpack(">H", payload[:2])[0], payload[2:].decode()
        elif opcode == PONG:
            self._pongs.add(payload)
        elif payload[:1] == bytes((REFUSAL,)):
            self.refusals.append(payload[3:].decode())
        else:
            message = decoded(payload)
            self.received.append(message)
            if self.answers and message.kind is Kind.SYNC_STEP_1:
                self.send(b"\x00\x01" + var_bytes(EMPTY_UPDATE))

    async def _read_frame(self) -> tuple[int, bytes]:
        first, second = await self._reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", await self._reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", await self._reader.readexactly(8))
        return first & 0x0F, await self._reader.readexactly(length)


def handshake(target: str, header: str = "") -> bytes:
    """Return the request of a WebSocket, with a header X."""
    return (
        f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        f"X: {header}\r\n\r\n"
    ).encode("latin-1")


def framed(data: bytes, opcode: int = BINARY, *, final: bool = True) -> bytes:
    """Return a client's frame. Its mask is zero, which is legal, so that the bytes stay as they are."""
    first = (0x80 if final else 0) | opcode
    if len(data) < 126:
        return bytes((first, 0x80 | len(data))) + bytes(4) + data
    if len(data) < 65536:
        return struct.pack(">BBH", first, 0x80 | 126, len(data)) + bytes(4) + data
    return struct.pack(">BBQ", first, 0x80 | 127, len(data)) + bytes(4) + data


def decoded(data: bytes) -> Message:
    """Return a message as a client of y-websocket reads it."""
    reader = Reader(data)
    kind = Kind(reader.var_uint()) if reader.var_uint() == 0 else Kind.AWARENESS
    message = Message(kind, reader.var_bytes())
    reader.finish()
    return message
