"""A server that says what a test tells it to.

For how the page takes what the real server can't be brought to say on demand.
Whatever the real one can say is tested with the real one.
"""

import json
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Self

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

STATIC = Path(__file__).resolve().parents[2] / "collab" / "static"
POLICY = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' ws:"

# y-websocket's frames, and Yjs' updates without content.
SYNC_STEP_1 = b"\x00\x00\x01\x00"
SYNC_STEP_2 = b"\x00\x01\x02\x00\x00"
ASKS = b"\x00\x00"
TELLS = (b"\x00\x01", b"\x00\x02")
DENIED = b"\x02\x00"


@dataclass
class StandIn:
    """Serves the built page, and one empty document that it keeps nothing of."""

    url: str = ""
    #: What every request for a document is answered with, as an RFC 9457 problem; None lets it be opened.
    problem: dict[str, object] | None = None
    #: What it says that people may do, whatever it takes from them.
    access: str = "edit"
    #: Why edits are not taken; None takes and forgets them.
    read_only: str | None = None
    #: Whether something on the way lets no WebSockets through.
    blocked: bool = False
    requested: list[str] = field(default_factory=list)
    connections: set[ServerConnection] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> AsyncIterator[Self]:
        self = cls()
        async with serve(self._talk, "127.0.0.1", 0, process_request=self._answer) as server:
            (socket,) = server.sockets
            self.url = f"http://127.0.0.1:{socket.getsockname()[1]}"
            yield self

    def refuse(self, status: HTTPStatus, detail: str) -> None:
        self.problem = {"status": int(status), "title": status.phrase, "detail": detail}

    async def close_all(self, code: int, reason: str) -> None:
        for connection in list(self.connections):
            await connection.close(code, reason)

    async def _talk(self, connection: ServerConnection) -> None:
        self.connections.add(connection)
        await connection.send(SYNC_STEP_1)
        async for frame in connection:
            assert isinstance(frame, bytes)
            if frame.startswith(ASKS):
                await connection.send(SYNC_STEP_2)
            elif frame.startswith(TELLS) and frame != SYNC_STEP_2 and self.read_only is not None:
                reason = self.read_only.encode()
                await connection.send(DENIED + bytes([len(reason)]) + reason)
        self.connections.discard(connection)

    def _answer(self, _: ServerConnection, request: Request) -> Response | None:
        self.requested.append(request.path)
        if request.path.startswith(("/api/documents/", "/ws/")) and self.problem is not None:
            status = HTTPStatus(int(str(self.problem["status"])))
            return _response(status, "application/problem+json", json.dumps(self.problem).encode())
        if request.path.startswith("/ws/"):
            return _response(HTTPStatus.BAD_GATEWAY, "text/html", b"no WebSockets here") if self.blocked else None
        if request.path.startswith("/api/documents/") and request.path.endswith("/access"):
            terms = {"access": self.access, "lineage": None}
            return _response(HTTPStatus.OK, "application/json", json.dumps(terms).encode())
        if request.path.startswith("/api/documents/"):
            return _response(HTTPStatus.NOT_FOUND, "application/problem+json", b'{"title": "Not Found", "status": 404}')
        file = STATIC / (request.path[1:] if request.path.startswith("/assets/") else "index.html")
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return _response(HTTPStatus.OK, kind, file.read_bytes())


def _response(status: HTTPStatus, kind: str, body: bytes) -> Response:
    headers = Headers(
        {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": POLICY,
            "Connection": "close",
        }
    )
    return Response(int(status), status.phrase, headers, body)
