"""A `tests.support.yjs.Peer` on a real WebSocket, speaking y-websocket as a browser does.

Not for: awareness, which real providers in Node show (tests/compat).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import quote

from pycrdt import Text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from collab.core.inspection import read
from collab.core.wire import Kind, Reader, var_bytes
from tests.support.yjs import Peer

DEADLINE_SECONDS: Final = 30.0

SYNC: Final = 0


class WebsocketPeer(Peer):
    """A client of a real server. Everything it gets is applied at once, unless it is told to hold back."""

    def __init__(self, client_id: int, socket: ClientConnection, *, hold_back: bool) -> None:
        super().__init__(client_id)
        self.hold_back = hold_back
        self.synced = False
        """Whether a SyncStep2 has come."""
        self._socket = socket
        self._changed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())
        self._reading.add_done_callback(lambda _: self._changed.set())

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, ws_url: str, document: str, client_id: int, *, hold_back: bool = False
    ) -> AsyncIterator[WebsocketPeer]:
        """A client that has connected and got what there is."""
        async with connect(f"{ws_url}/{quote(document)}", max_size=None, ping_interval=None) as socket:
            peer = cls(client_id, socket, hold_back=hold_back)
            try:
                await peer._say(Kind.SYNC_STEP_1, peer.state_vector())
                await peer.wait_for(lambda: peer.synced)
                yield peer
            finally:
                peer.close()
                peer._reading.cancel()
                with suppress(asyncio.CancelledError, ConnectionClosed):
                    await peer._reading

    @property
    def text(self) -> str:
        """The root `text`."""
        return str(self.doc.get("text", type=Text))

    async def send(self, updates: Iterable[bytes]) -> None:
        """Send each update as a message of its own."""
        for update in updates:
            await self._say(Kind.UPDATE, update)

    async def wait_for_text(self, text: str) -> None:
        """Wait until the root `text` says this."""
        root = self.doc.get("text", type=Text)
        size = len(text.encode())
        await self.wait_for(lambda: len(root) == size and str(root) == text)

    async def wait_for_update(self, update: bytes) -> None:
        """Wait until everything in `update` has arrived and can be integrated."""
        inspection = read(update)
        await self.wait_for(lambda: self.received.knows(inspection))

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something that arrived makes `condition` true.

        Raises:
            TimeoutError: it did not within DEADLINE_SECONDS.
            ConnectionClosed: the server closed the connection before.
        """
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()
                if self._reading.done() and not condition():
                    await self._reading
                    raise AssertionError(f"closed with {self._socket.close_code}: {self._socket.close_reason}")

    async def _read(self) -> None:
        async for message in self._socket:
            assert isinstance(message, bytes), "a text message"
            reader = Reader(message)
            if reader.var_uint() == SYNC:
                await self._hear(Kind(reader.var_uint()), reader.var_bytes())
            self._changed.set()

    async def _hear(self, kind: Kind, body: bytes) -> None:
        if kind is Kind.SYNC_STEP_1:
            await self._say(Kind.SYNC_STEP_2, self.answer(body))
            return
        self.arrive(body)
        if not self.hold_back:
            self.catch_up()
        if kind is Kind.SYNC_STEP_2:
            self.synced = True

    async def _say(self, kind: Kind, body: bytes) -> None:
        await self._socket.send(bytes((SYNC, kind)) + var_bytes(body))
