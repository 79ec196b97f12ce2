"""What comes while a document is being read again, kept until it is there.

Not for: reading it again (`room`, `hub`).
"""

from __future__ import annotations

from collab.core.connection import Connection
from collab.errors import UnavailableError


class Deferred:
    """Messages and drained sinks, in their order. Owned by a room."""

    __slots__ = ("_bytes", "_drained", "_messages", "_most")

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._messages: list[tuple[Connection, bytes]] = []
        self._drained: list[Connection] = []

    def message(self, connection: Connection, data: bytes) -> None:
        """Keep a message.

        Raises:
            UnavailableError: too much is kept already.
        """
        self._bytes += len(data)
        if self._bytes > self._most:
            raise UnavailableError("the document is being read again, and too much waits for it already")
        self._messages.append((connection, data))

    def drained(self, connection: Connection) -> None:
        self._drained.append(connection)

    def take(self) -> tuple[list[Connection], list[tuple[Connection, bytes]]]:
        """Return the connections that drained, and the messages; nothing of it is kept."""
        drained, self._drained = self._drained, []
        messages, self._messages, self._bytes = self._messages, [], 0
        return drained, messages
