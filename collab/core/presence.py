"""Who is in one room, told to everybody in it.

Not for: what counts of what clients say of themselves (`awareness`). Rules: A of docs/spec.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from operator import attrgetter

from collab.core.audience import tell
from collab.core.awareness import EMPTY, KEEPALIVE_SECONDS, Awareness, AwarenessLimits
from collab.core.challenge import TakenError
from collab.core.connection import Access, Connection, may_speak_for, may_take_over
from collab.core.inspection import Inspection
from collab.core.wire import StateVector


class Presence:
    """The awareness of one room, and when everybody heard something last. Owned by the room."""

    __slots__ = ("_authors", "_awareness", "_connections", "_everybody_heard_at", "_now", "_reads")

    def __init__(
        self,
        connections: Set[Connection],
        reads: Callable[[Connection], bool],
        limits: AwarenessLimits,
        authors: Mapping[int, str],
    ) -> None:
        """Tell these connections, which are the room's own set, those that a message may be written to.

        `authors` is the room's own as well, and grows: who wrote with each client id first.
        """
        self._connections = connections
        self._authors = authors
        self._reads = reads
        self._awareness: Awareness[Connection] = Awareness(
            may_take_over, may_speak_for, limits, self._is_kept_from, attrgetter("principal")
        )
        self._everybody_heard_at: float | None = None
        self._now = 0.0

    def receive(self, connection: Connection, update: bytes) -> bool:
        """Take what a client says of itself; return whether any of it is news.

        Raises:
            MalformedError, TooLargeError: nothing of it was taken.
        """
        return bool(self._awareness.receive(update, connection, self._now, connection.stamp))

    def leave(self, connection: Connection) -> bool:
        """Say of all clients of a connection that they are gone (A4); return whether there were any."""
        return bool(self._awareness.leave(connection))

    def check_owners(self, connection: Connection, inspection: Inspection, state: StateVector) -> None:
        """Raise TakenError if somebody else is here with a client id that an update brings something new of (R16)."""
        for client, _, end in inspection.runs:
            if end > state.get(client, 0) and self._awareness.is_foreign(client, connection):
                owner = self._awareness.owner_of(client)
                assert owner is not None
                raise TakenError(client, owner)

    def _is_kept_from(self, client: int, connection: Connection) -> bool:
        """Whether nobody shall be seen by a client id: who may not write all, by that of somebody who has written."""
        return not connection.access.writes and self._authors.get(client, connection.principal) != connection.principal

    def is_anothers(self, client: int, connection: Connection, written: bool) -> bool:
        """Whether a client id is that of somebody else who wrote, or was that of one who might have, and left (R30).

        With one that was `written` with nobody goes on of whom it is not known that it was they. Of somebody who is
        here without having written it is found out whether they are (R16).
        """
        if written or client in self._authors:
            return self._authors.get(client) != connection.principal
        gone = self._awareness.gone_owner_of(client)
        return gone is not None and gone.principal != connection.principal and gone.access is not Access.VIEW

    def tell(self, connection: Connection) -> None:
        """Tell one connection who is here, if anybody is and it reads."""
        everyone = self._awareness.everyone()
        if everyone is not None and self._reads(connection):
            connection.sink.write(connection.dialect.awareness(everyone))

    def settle(self) -> None:
        """Tell everybody what this turn brought (A3)."""
        changes = self._awareness.take_changes()
        if changes is not None:
            self._broadcast(changes)

    def everybody_heard(self) -> None:
        """Take note that everybody was sent something else."""
        self._everybody_heard_at = self._now

    def tick(self, now: float) -> bool:
        """Let time pass, to `now` seconds of a steady clock; return whether somebody was forgotten (A6)."""
        self._now = now
        if self._everybody_heard_at is None:
            self._everybody_heard_at = now
        elif now - self._everybody_heard_at >= KEEPALIVE_SECONDS:
            self._broadcast(EMPTY)
        return bool(self._awareness.expire(now))

    def _broadcast(self, update: bytes) -> None:
        """To its senders too: y-websocket 3 takes a link for dead on which it hears nothing (A5)."""
        tell((each for each in self._connections if each.behind is None), lambda dialect: dialect.awareness(update))
        self._everybody_heard_at = self._now
