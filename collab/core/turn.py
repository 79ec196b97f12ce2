"""What one turn of the event loop brought to a room, until it is settled.

Not for: sending it anywhere (`room`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from collab.core.connection import Connection
from collab.core.merging import BrokenReplicaError, merge
from collab.core.ports import Entry

NOBODY: Final = ""
"""The author of rows that were made of other rows, as snapshots are."""


class Turn:
    """Updates by author, those that wait, and the connections that sent them. Owned by a room."""

    __slots__ = ("_clients", "_sources", "_updates", "_waiting")

    def __init__(self) -> None:
        self._updates: dict[str, list[bytes]] = {}
        self._waiting: list[Entry] = []
        self._clients: dict[str, list[int]] = {}
        self._sources: set[Connection] = set()

    def __bool__(self) -> bool:
        return bool(self._sources)

    def integrated(self, connection: Connection, update: bytes) -> None:
        """Take note of an update that is in the document now."""
        updates = self._updates.get(connection.principal)
        if updates is None:
            self._updates[connection.principal] = [update]
        else:
            updates.append(update)
        self._sources.add(connection)

    def waits(self, connection: Connection, update: bytes) -> None:
        """Take note of an update of which something waits."""
        self._waiting.append(Entry(update, connection.principal))
        self._sources.add(connection)

    def met(self, connection: Connection, client: int) -> None:
        """Take note of a client id that the room has not met before."""
        self._clients.setdefault(connection.principal, []).append(client)

    def rows(self, integrated: Sequence[bytes]) -> list[Entry]:
        """Return what the log shall keep of a turn in which all this was integrated.

        One row for each author, and one for each update that waits (C1). What was integrated of one that
        waits, or had waited, gets a row of nobody's beside: what is left of it may turn out to be bad, and then its
        own row is left out when the document is read (R6, R22).
        """
        rows: list[Entry] = []
        for author, updates in self._updates.items():
            clients = tuple(self._clients.get(author, ()))
            for update in merged(updates):
                rows.append(Entry(update, author, clients))
                clients = ()
        if not self.plain(integrated):
            whole = {update for updates in self._updates.values() for update in updates}
            parts = [update for update in integrated if update not in whole]
            rows += [Entry(update, NOBODY) for update in merged(parts)]
        return rows + self._waiting

    def plain(self, integrated: Sequence[bytes]) -> bool:
        """Whether the rows say just what was integrated: nothing waits, and nothing was released."""
        return not self._waiting and len(integrated) == sum(map(len, self._updates.values()))

    @property
    def sole_author(self) -> Connection | None:
        """The one connection that everything came from, if it is one."""
        return next(iter(self._sources)) if len(self._sources) == 1 else None


def merged(updates: list[bytes]) -> list[bytes]:
    """Return one update that says what all of them say; all of them, should pycrdt fail to merge them."""
    if len(updates) < 2:
        return updates
    try:
        return [merge(updates)]
    except BrokenReplicaError:
        return updates
