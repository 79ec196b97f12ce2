"""Frames for many peers at once, made once for each protocol; and who gets a room's updates as they come.

Not for: deciding who that is, or what there is to say (`room`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from collab.core.connection import Connection
from collab.core.dialects import Dialect


class Audience:
    """The live connections of one room. Owned by it."""

    __slots__ = ("_peers",)

    def __init__(self) -> None:
        # The bound method is kept beside each connection: a frame to a peer touches no other object of ours,
        # and at the pace of people none of them would be in a cache of the processor.
        self._peers: dict[Dialect, dict[Connection, Callable[[bytes], None]]] = {}

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._peers.get(connection.dialect, ())

    def add(self, connection: Connection) -> None:
        self._peers.setdefault(connection.dialect, {})[connection] = connection.sink.write

    def discard(self, connection: Connection) -> None:
        peers = self._peers.get(connection.dialect)
        if peers is not None:
            peers.pop(connection, None)

    def send(self, update: bytes, author: Connection | None) -> None:
        """Send an update to everybody but its author."""
        for dialect, peers in self._peers.items():
            if not peers:
                continue
            frame = dialect.update(update)
            for connection, write in peers.items():
                if connection is not author:
                    write(frame)


def tell(connections: Iterable[Connection], say: Callable[[Dialect], bytes]) -> None:
    """Send each of these connections what `say` makes of it in its protocol."""
    frames: dict[Dialect, bytes] = {}
    for connection in connections:
        frame = frames.get(connection.dialect)
        if frame is None:
            frame = frames[connection.dialect] = say(connection.dialect)
        connection.sink.write(frame)
