"""The WebSocket route of y-websocket: one document a socket.

It decides who may come in before the upgrade, because y-websocket's clients ignore close codes and
start their back-off again at every open; then it hands the socket to a session. Not for: what is said over
the socket, or how its frames come and go (`asgi`, `direct`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from collab.addresses import address_in
from collab.auth.base import Principal
from collab.core.connection import Connection
from collab.core.dialects import Y_WEBSOCKET
from collab.core.ports import DocumentId
from collab.core.room import Room
from collab.errors import AccessChangedError, CollabError, LineageError
from collab.hub import Hub
from collab.names import document_id
from collab.permissions import CHANGED
from collab.transport.asgi import Socket, refuse, serve, turn_away
from collab.transport.rota import Rota
from collab.transport.serving import Serving, places_of, ready_for
from collab.transport.session import Session


class YWebsocketRoute:
    """`/ws/{document}`: an ASGI application for WebSocket scopes whose path parameter names the document."""

    def __init__(self, running: Callable[[], Serving], rota: Callable[[], Rota]) -> None:
        """Use the parts that `running` gives; it raises UnavailableError while the server starts or stops."""
        self._running = running
        self._rota = rota

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        try:
            document = document_id(scope["path_params"]["document"])
            serving = self._running()
            request = HTTPConnection(scope)
            serving.origins.check(request)
            principal = await serving.permissions.authenticate(request, document)
            async with AsyncExitStack() as stack:
                for kind, key in (("address", address_in(scope)), *places_of(principal, document)):
                    stack.enter_context(serving.places.taken(kind, key))
                room = await stack.enter_async_context(serving.hub.kept_open(document, principal.id))
                if await _is_stray(serving.hub, document, scope):
                    await turn_away(LineageError(), send)
                    return
                principal = await ready_for(serving, room, principal)
                visit: Visit | None = None

                def attend(socket: Socket) -> Session:
                    nonlocal visit
                    connection = Connection(socket, Y_WEBSOCKET, principal.id, principal.access, stamp=principal.stamp)
                    if not principal.anonymous:
                        visit = Visit(room, connection, principal)
                        if serving.permissions.enter(document, visit):
                            visit.access_changed(principal)  # while the upgrade was answered
                    return Session(serving.hub, self._rota(), room, connection, socket, principal.expires)

                try:
                    await serve(scope, receive, send, attend)
                finally:
                    if visit is not None:
                        serving.permissions.leave(document, visit)
        except CollabError as error:
            await refuse(error, scope, send)


@dataclass(slots=True, eq=False)
class Visit:
    """Somebody known on a socket of their own. This protocol can't say that a role has changed, so they come again."""

    room: Room
    connection: Connection
    principal: Principal

    def access_changed(self, principal: Principal) -> None:
        self.room.close(self.connection, AccessChangedError(CHANGED))

    def turned_out(self, error: CollabError) -> None:
        # Whatever it is, coming again tells them before the upgrade.
        self.room.close(self.connection, AccessChangedError(str(error)))


async def _is_stray(hub: Hub, document: DocumentId, scope: Scope) -> bool:
    """Whether a client says that its copy is of another document than the one that is here (L2)."""
    lineage = HTTPConnection(scope).query_params.get("lineage", "")
    return lineage != "" and lineage != await hub.lineage(document)
