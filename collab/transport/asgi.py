"""Sockets under any ASGI server: frames go directly where the server offers it (`direct`), else by events.

Not for: what is said over a socket, or who may open one (`y_websocket`, `hocuspocus`).
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from starlette.types import Receive, Scope, Send

from collab.core.framing import payload_of
from collab.errors import CollabError
from collab.transport.direct import EXTENSION, HIGH_WATER_BYTES, DirectProtocol, Receiver, shortened

CLOSE_SECONDS: Final = 5.0
"""How long a server may take to pass on a close to a peer that does not read."""


class Socket(Protocol):
    """A socket that has been accepted."""

    @property
    def write(self) -> Callable[[bytes], None]:
        """What sends bytes that already stand behind their WebSocket header."""

    def close(self, code: int, reason: str) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Attendant(Receiver, Protocol):
    """What takes a socket's messages, for as long as it is there."""

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done when the client is gone."""

    def enter(self) -> None:
        """Begin: the socket takes frames from now on."""


async def serve(scope: Scope, receive: Receive, send: Send, attend: Callable[[Socket], Attendant]) -> None:
    """Accept a socket whose `websocket.connect` has been received, and return when its client is gone."""
    await send({"type": "websocket.accept"})
    direct: DirectProtocol | None = scope.get("extensions", {}).get(EXTENSION)
    if direct is None:
        await _serve_by_events(receive, send, attend)
    elif not direct.disconnected:
        attendant = attend(direct)
        attendant.enter()
        direct.attach(attendant)
        await attendant.ended


async def _serve_by_events(receive: Receive, send: Send, attend: Callable[[Socket], Attendant]) -> None:
    sink = EventSink(send)
    attendant = sink.attendant = attend(sink)
    attendant.enter()
    reading = asyncio.ensure_future(_read(attendant, sink, receive))
    writing = asyncio.ensure_future(sink.run())
    try:
        await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        attendant.lost()
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)


async def _read(attendant: Attendant, sink: EventSink, receive: Receive) -> None:
    while True:
        await sink.readable.wait()
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        data = event.get("bytes")
        if data is None:
            attendant.received_text()
        else:
            attendant.received(data)


class EventSink:
    """A socket behind ASGI's `send`: frames wait here for it, one after the other."""

    attendant: Attendant

    def __init__(self, send: Send) -> None:
        self.readable = asyncio.Event()
        self.readable.set()
        self._send = send
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._full = False
        self._closing: tuple[int, str] | None = None
        self._due = asyncio.Event()

    def write(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._bytes += len(frame)
        self._due.set()
        if self._bytes > HIGH_WATER_BYTES and not self._full:
            self._full = True
            self.attendant.stalled()

    def close(self, code: int, reason: str) -> None:
        self._closing = code, shortened(reason)
        self._due.set()

    def pause_reading(self) -> None:
        self.readable.clear()

    def resume_reading(self) -> None:
        self.readable.set()

    async def run(self) -> None:
        """Send what is written, until the connection is closed."""
        # OSError: the client has gone, which `receive` tells as well (ASGI 2.4).
        with suppress(OSError, TimeoutError):
            while self._closing is None:
                await self._due.wait()
                self._due.clear()
                await self._send_frames()
            code, reason = self._closing
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def _send_frames(self) -> None:
        while self._frames and self._closing is None:
            frame = self._frames.popleft()
            await self._send({"type": "websocket.send", "bytes": payload_of(frame)})
            self._bytes -= len(frame)
            if self._full and self._bytes <= HIGH_WATER_BYTES // 4:
                self._full = False
                self.attendant.drained()


async def turn_away(error: CollabError, send: Send) -> None:
    """Close a socket with nothing said or read: after an HTTP status a browser would not know why."""
    with suppress(OSError):
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": error.close_code, "reason": shortened(str(error))})


async def refuse(error: CollabError, scope: Scope, send: Send) -> None:
    """Answer the handshake with an HTTP error; a server that can't do that closes, which is a 403."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": error.close_code, "reason": shortened(str(error))})
        return
    body = json.dumps(error.problem()).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in error.headers().items()]
    await send({"type": "websocket.http.response.start", "status": error.http_status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
