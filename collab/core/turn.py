"""What one turn of the event loop brought to a room, until it is settled.

Not for: sending it anywhere (`room`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from collab.core.connection import Connection
from collab.core.inspection import Inspection, Run
from collab.core.merging import BrokenReplicaError, merge
from collab.core.ports import Entry
from collab.core.replica import Integrated

NOBODY: Final = ""
"""The author of rows that were made of other rows, as snapshots are, or of updates of several authors."""


class Turn:
    """Updates by author, and the connections that sent them. Owned by a room."""

    __slots__ = ("_claims", "_sources", "_updates", "received_at")

    def __init__(self, claims: dict[str, list[int]] | None = None) -> None:
        self._updates: dict[str, list[bytes]] = {}
        self._claims = {} if claims is None else claims
        self._sources: set[Connection] = set()
        self.received_at: float | None = None
        """When the first of what it integrated came."""

    def __bool__(self) -> bool:
        return bool(self._sources)

    def integrated(self, connection: Connection, update: bytes) -> None:
        """Take note of an update that is in the document now."""
        updates = self._updates.get(connection.principal)
        if updates is None:
            self._updates[connection.principal] = [update]
        else:
            updates.append(update)
        self._note(connection)

    def waits(self, connection: Connection) -> None:
        """Take note that something waits of an update; what of it does not is integrated."""
        self._note(connection)

    def _note(self, connection: Connection) -> None:
        self._sources.add(connection)
        came = connection.received_at
        if came is not None:
            self.received_at = came if self.received_at is None else min(came, self.received_at)

    def meet(self, connection: Connection, inspection: Inspection, authors: dict[int, str]) -> None:
        """Note in `authors`, and for the log, whose the client ids are that the room has not met before."""
        connection.structs += inspection.structs
        for client, _, _ in inspection.runs:
            if client not in authors:
                authors[client] = connection.principal
                self._claims.setdefault(connection.principal, []).append(client)

    def next(self) -> Turn:
        """Return the turn that follows; what nobody has had a row for yet goes over into it."""
        return Turn(self._claims)

    def rows(self, integrated: Sequence[Integrated], authors: Mapping[int, str]) -> list[Entry]:
        """Return what the log shall keep of a turn in which all this was integrated: one row for each author (R4).

        Of what came in parts, or had waited, the authors are those who brought its client ids first.
        """
        by_author = self._updates
        if not self.plain(integrated):
            whole = {update for updates in self._updates.values() for update in updates}
            for update, runs in integrated:
                if update not in whole:
                    by_author.setdefault(_author_of(runs, authors), []).append(update)
        rows: list[Entry] = []
        for author, updates in by_author.items():
            clients = tuple(self._claims.pop(author, ()))
            for update in merged(updates):
                rows.append(Entry(update, author, clients))
                clients = ()
        return rows

    def plain(self, integrated: Sequence[Integrated]) -> bool:
        """Whether what was integrated is what came, as it came: nothing in parts, and nothing that had waited."""
        return len(integrated) == sum(map(len, self._updates.values()))

    @property
    def sole_author(self) -> Connection | None:
        """The one connection that everything came from, if it is one."""
        return next(iter(self._sources)) if len(self._sources) == 1 else None


def _author_of(runs: Iterable[Run], authors: Mapping[int, str]) -> str:
    found = {authors.get(client, NOBODY) for client, _, _ in runs}
    return found.pop() if len(found) == 1 else NOBODY


def merged(updates: list[bytes]) -> list[bytes]:
    """Return one update that says what all of them say; all of them, should pycrdt fail to merge them."""
    if len(updates) < 2:
        return updates
    try:
        return [merge(updates)]
    except BrokenReplicaError:
        return updates
