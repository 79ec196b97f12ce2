"""Who asked whether all that they sent is on disk, and may be told so (R23).

Not for: writing it (`store.journal`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from collab.core.connection import Connection
from collab.core.ports import DocumentId, Journal


class Receipts:
    """The sync statuses of a room that are not answered yet. Owned by it."""

    __slots__ = ("_awaits", "_document", "_journal", "_reads")

    def __init__(
        self,
        document: DocumentId,
        journal: Journal,
        awaits: Callable[[bytes], bool],
        reads: Callable[[Connection], bool],
    ) -> None:
        """`awaits` tells whether something of an update that came waits still, `reads` to whom may be written."""
        self._document = document
        self._journal = journal
        self._awaits = awaits
        self._reads = reads

    def ask(self, connection: Connection, token: bytes) -> None:
        """Return `token` when all that the connection has sent is on disk; all of it has been settled."""
        connection.token = token
        self.go_on(connection)

    def go_on(self, connection: Connection) -> None:
        """Have what a connection asked last answered by the log, unless something of it is not in there yet.

        While the log takes no more it takes one question of each: whoever keeps asking costs no memory.
        """
        if connection.token is None or (connection.promised and self._journal.full):
            return
        connection.held = [update for update in connection.held if self._awaits(update)]
        if not connection.held:
            token, connection.token = connection.token, None
            connection.promised += 1
            self._journal.append(self._document, (), (partial(self._saved, connection, token),))

    def _saved(self, connection: Connection, token: bytes) -> None:
        connection.promised -= 1
        if connection.closed:
            return
        if self._reads(connection):
            connection.sink.write(connection.dialect.sync_status(token))
        elif connection.behind is not None:
            connection.behind.owed_status = token
        self.go_on(connection)
