"""The WebSocket route of y-websocket: one coroutine a socket, under any ASGI server.

It decides who may come in before the upgrade, because y-websocket's clients ignore close codes and
start their back-off again at every open; then it hands the socket to a session, directly where the
server offers it (`direct`), else through ASGI events. Not for: what is said over the socket.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from collab.auth.base import Authenticator, Principal
from collab.core.connection import Connection
from collab.core.dialects import Y_WEBSOCKET
from collab.core.framing import payload_of
from collab.core.ports import DocumentId
from collab.core.room import Room
from collab.errors import CollabError, LineageError
from collab.hub import Hub
from collab.names import document_id
from collab.transport.direct import EXTENSION, HIGH_WATER_BYTES, DirectProtocol, shortened
from collab.transport.rota import Rota
from collab.transport.session import Session


class Serving(Protocol):
    """The parts of a running server that a socket needs."""

    @property
    def hub(self) -> Hub: ...

    @property
    def authenticator(self) -> Authenticator: ...


CLOSE_SECONDS: Final = 5.0
"""How long a server may take to pass on a close to a peer that does not read."""


class YWebsocketRoute:
    """`/ws/{document}`: an ASGI application for WebSocket scopes whose path parameter names the document."""

    def __init__(self, running: Callable[[], Serving]) -> None:
        """Use the parts that `running` gives; it raises UnavailableError while the server starts or stops."""
        self._running = running
        self._rota: Rota | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        try:
            document = document_id(scope["path_params"]["document"])
            serving = self._running()
            principal = await serving.authenticator.authenticate(HTTPConnection(scope), document)
            room = await serving.hub.open(document, principal.id)
            stray = await _is_stray(serving.hub, document, scope)
        except CollabError as error:
            await _refuse(error, scope, send)
            return
        if stray:
            await _turn_away(LineageError(), send)
            return
        if self._rota is None:
            self._rota = Rota(asyncio.get_running_loop())
        direct: DirectProtocol | None = scope.get("extensions", {}).get(EXTENSION)
        if direct is not None:
            await _serve_directly(serving.hub, self._rota, room, principal, direct, send)
        else:
            await _serve_by_events(serving.hub, self._rota, room, principal, receive, send)


async def _is_stray(hub: Hub, document: DocumentId, scope: Scope) -> bool:
    """Whether a client says that its copy is of another document than the one that is here (L2)."""
    lineage = HTTPConnection(scope).query_params.get("lineage", "")
    return lineage != "" and lineage != await hub.lineage(document)


async def _turn_away(error: CollabError, send: Send) -> None:
    """Close a socket with nothing said or read: after an HTTP status a browser would not know why."""
    with suppress(OSError):
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": error.close_code, "reason": shortened(str(error))})


async def _serve_directly(
    hub: Hub, rota: Rota, room: Room, principal: Principal, socket: DirectProtocol, send: Send
) -> None:
    await send({"type": "websocket.accept"})
    if socket.disconnected:
        return
    session = Session(hub, rota, room, _connection(socket, principal), socket)
    session.enter(principal.expires)
    socket.attach(session)
    await session.ended


async def _serve_by_events(
    hub: Hub, rota: Rota, room: Room, principal: Principal, receive: Receive, send: Send
) -> None:
    await send({"type": "websocket.accept"})
    sink = EventSink(send)
    session = Session(hub, rota, room, _connection(sink, principal), sink)
    sink.session = session
    session.enter(principal.expires)
    reading = asyncio.ensure_future(_read(session, sink, receive))
    writing = asyncio.ensure_future(sink.run())
    try:
        await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        session.lost()
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)


def _connection(sink: DirectProtocol | EventSink, principal: Principal) -> Connection:
    return Connection(sink, Y_WEBSOCKET, principal.id, principal.access)


async def _read(session: Session, sink: EventSink, receive: Receive) -> None:
    while True:
        await sink.readable.wait()
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        data = event.get("bytes")
        if data is None:
            session.received_text()
        else:
            session.received(data)


class EventSink:
    """A socket behind ASGI's `send`: frames wait here for it, one after the other."""

    session: Session

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
            self.session.stalled()

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
                self.session.drained()


async def _refuse(error: CollabError, scope: Scope, send: Send) -> None:
    """Answer the handshake with an HTTP error; a server that can't do that closes, which is a 403."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": error.close_code, "reason": shortened(str(error))})
        return
    body = json.dumps(error.problem()).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in error.headers().items()]
    await send({"type": "websocket.http.response.start", "status": error.http_status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
