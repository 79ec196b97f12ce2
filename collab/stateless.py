"""What clients say to the application rather than to a document ("stateless" messages of Hocuspocus' protocol).

The application decides what of it is allowed, and what comes of it. Not for: how such words look on the wire
(`core.hocuspocus`). Rule R28 of docs/spec.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Final

import structlog

from collab.core.connection import Access, Connection
from collab.core.ports import DocumentId
from collab.core.room import Room
from collab.errors import CollabError, TooFastError

log = structlog.get_logger(__name__)

MAX_WAITING: Final = 100
"""Messages of one connection for which the application has had no time yet; each may have 64 KiB."""


@dataclass(frozen=True, slots=True)
class Stateless:
    """One message of one client."""

    document: DocumentId
    principal: str
    """Whose it is: `Principal.id`."""
    access: Access
    payload: str
    reply: Callable[[str], None]
    """Say something to this client alone."""
    broadcast: Callable[[str], None]
    """Say something to every client of the document whose protocol has words for it, this one included."""


StatelessHandler = Callable[[Stateless], Awaitable[None]]
"""Takes one message. A CollabError that it raises, such as ForbiddenError, closes the client for that reason."""


class StatelessMessages:
    """The messages that wait for the application: those of one connection in their order. Owned by the hub."""

    def __init__(
        self, handler: StatelessHandler | None, start: Callable[[Coroutine[object, object, None]], None]
    ) -> None:
        """Without a handler messages are dropped, as Hocuspocus does. `start` runs a piece of work in a task."""
        self._handler = handler
        self._start = start
        self._waiting: dict[Connection, deque[str]] = {}

    def hear(self, room: Room, connection: Connection, payload: str) -> None:
        """Take a message of a connection.

        Raises:
            TooFastError: too many of it wait already.
        """
        if self._handler is None:
            return
        waiting = self._waiting.get(connection)
        if waiting is None:
            self._waiting[connection] = deque([payload])
            self._start(self._work(self._handler, room, connection))
        elif len(waiting) < MAX_WAITING:
            waiting.append(payload)
        else:
            raise TooFastError("stateless messages that wait for the application", len(waiting) + 1, MAX_WAITING)

    async def _work(self, handler: StatelessHandler, room: Room, connection: Connection) -> None:
        waiting = self._waiting[connection]
        try:
            while waiting and not connection.closed:
                await self._hand_over(handler, room, connection, waiting.popleft())
        finally:
            del self._waiting[connection]

    async def _hand_over(self, handler: StatelessHandler, room: Room, connection: Connection, payload: str) -> None:
        message = Stateless(
            room.document,
            connection.principal,
            connection.access,
            payload,
            lambda words: room.say(words, [connection]),
            lambda words: room.say(words, room.connections),
        )
        try:
            await handler(message)
        except CollabError as error:
            room.close(connection, error)
        except Exception:
            log.exception("the application failed on a stateless message", document=room.document)
