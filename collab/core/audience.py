"""Frames for many peers at once, made once for each protocol; and who gets a room's updates as they come.

A peer whose socket is full falls behind, and gets one diff when it reads again. Not for: deciding who
gets updates at all, or what else there is to say (`room`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from collab.core.asking import ask_back
from collab.core.connection import Behind, Connection
from collab.core.dialects import Dialect
from collab.core.replica import Replica
from collab.core.rights import refusal_for

MOST_OWED: Final = 1_000
"""Refusals that somebody is owed who does not read: they are paid in one go, 3.6 us each (2026-11-28)."""


class Audience:
    """The connections of one room that are live, or behind. Owned by it."""

    __slots__ = ("_full", "_peers")

    def __init__(self) -> None:
        # The bound method is kept beside each connection: a frame to a peer touches no other object of ours,
        # and at the pace of people none of them would be in a cache of the processor.
        self._peers: dict[Dialect, dict[Connection, Callable[[bytes], None]]] = {}
        self._full: list[Connection] = []

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._peers.get(connection.dialect, ())

    def add(self, connection: Connection) -> None:
        self._peers.setdefault(connection.dialect, {})[connection] = connection.sink.write

    def discard(self, connection: Connection) -> None:
        peers = self._peers.get(connection.dialect)
        if peers is not None:
            peers.pop(connection, None)

    def note_full(self, connection: Connection) -> None:
        """Take note that a sink is full; may come in the middle of a `send`."""
        self._full.append(connection)

    def fall_behind(self, replica: Replica, now: float) -> None:
        """Stop sending to whoever is full (R9), at `now` seconds of the room's clock.

        What this turn brought was written even so: the state vector below must include it.
        """
        full, self._full = self._full, []
        for connection in full:
            if connection.behind is None and not connection.closed:
                connection.behind = Behind(replica.state_vector(), replica.version, now, connection in self)
                self.discard(connection)

    def reads_again(self, connection: Connection) -> bool:
        """Take note that a sink has room again; return whether its connection has something to catch up with."""
        with suppress(ValueError):
            self._full.remove(connection)
        return connection.behind is not None and not connection.closed

    def catch_up(self, connection: Connection, replica: Replica) -> None:
        """Bring a connection up to date that was behind: one diff (R10), and what fell due meanwhile (R23).

        Raises:
            BrokenReplicaError: the diff cannot be made.
        """
        behind, connection.behind = connection.behind, None
        if behind is None:
            return
        if behind.was_live or behind.owed_step_2:
            self.add(connection)
        if behind.owed_step_2:
            ask_back(connection, replica)
            diff = replica.diff(behind.state_vector)
            connection.sink.write(connection.dialect.sync_step_2(diff))
        elif behind.was_live and behind.version != replica.version:
            diff = replica.diff(behind.state_vector)
            connection.sink.write(connection.dialect.update(diff))
        # Who counts its edits is owed a word for each, others one.
        for _ in range(behind.owed_refusals if connection.dialect.counts else min(behind.owed_refusals, 1)):
            self.refuse(connection)
        if behind.owed_status is not None:
            connection.tell_saved(behind.owed_status)

    @staticmethod
    def refuse(connection: Connection, *, at_once: bool = True) -> None:
        """Tell somebody that an edit was not taken, or when they read again."""
        if at_once:
            connection.sink.write(connection.dialect.refusal(refusal_for(connection)))
        elif connection.behind is not None:
            connection.behind.owed_refusals = min(connection.behind.owed_refusals + 1, MOST_OWED)

    def send(self, update: bytes, author: Connection | None) -> None:
        """Send an update to everybody but its author."""
        for dialect, peers in self._peers.items():
            if not peers:
                continue
            frame = dialect.update(update)
            for connection, write in peers.items():
                if connection is not author:
                    write(frame)


def tell(connections: Iterable[Connection], say: Callable[[Dialect], bytes | None]) -> None:
    """Send each of these connections what `say` makes of it in its protocol, if anything."""
    frames: dict[Dialect, bytes | None] = {}
    for connection in connections:
        frame = frames.get(connection.dialect)
        if frame is None:
            frame = frames[connection.dialect] = say(connection.dialect)
        if frame is not None:
            connection.sink.write(frame)
