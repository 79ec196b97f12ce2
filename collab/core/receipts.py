"""Who asked whether all that they sent is on disk, and may be told so (R23).

Not for: writing it (`store.journal`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from collab.core.asking import note_arrival
from collab.core.connection import HELD, Connection, Token
from collab.core.inspection import Inspection
from collab.core.ports import DocumentId, Journal
from collab.core.replica import Replica
from collab.core.wire import Kind
from collab.errors import TooLargeError


class Receipts:
    """The sync statuses of a room that are not answered yet. Owned by it."""

    __slots__ = ("_counting", "_document", "_journal", "_open", "_reads", "_replica", "_rouse")

    def __init__(
        self,
        document: DocumentId,
        journal: Journal,
        replica: Callable[[], Replica],
        reads: Callable[[Connection], bool],
        rouse: Callable[[], None],
    ) -> None:
        """`replica` gives the one that the room has, `reads` tells to whom may be written, `rouse` has it settled."""
        self._document = document
        self._journal = journal
        self._replica = replica
        self._reads = reads
        self._rouse = rouse
        self._counting: set[Connection] = set()
        self._open: set[Connection] = set()
        """Those who asked for what could not be asked of the log then."""

    def hold(self, connection: Connection, inspection: Inspection) -> bool:
        """Take note that something of an update waits for a predecessor, and is in no log; return whether that is news.

        A client may itself wait for what its update lacks, and then brings the same whenever it is asked.
        """
        state, before = self._replica().state, len(connection.held_deletes)
        longer = {c: end for c, _, end in inspection.runs if end > max(state.get(c, 0), connection.held.get(c, 0))}
        connection.held.update(longer)
        connection.held_deletes.update(self._replica().new_deletions(inspection))
        news = bool(longer) or len(connection.held_deletes) > before
        if len(connection.held) + len(connection.held_deletes) > connection.held_most:
            self._forget_known(connection)
        return news

    def holds(self, connection: Connection) -> bool:
        """Whether something that a connection sent still waits."""
        if not connection.held and not connection.held_deletes:
            return False
        state = self._replica().state
        if any(end > state.get(client, 0) for client, end in connection.held.items()):
            return True
        if not self._replica().knows(Inspection((), deletes=tuple(connection.held_deletes))):
            return True
        connection.held.clear()
        connection.held_deletes.clear()
        return False

    def _forget_known(self, connection: Connection) -> None:
        """Forget what has been let in since, each time when there is twice as much: something may wait for ever."""
        replica = self._replica()
        state, deletes = replica.state, Inspection((), deletes=tuple(connection.held_deletes))
        connection.held = {client: end for client, end in connection.held.items() if end > state.get(client, 0)}
        connection.held_deletes = set(replica.new_deletions(deletes))
        connection.held_most = max(HELD, 2 * (len(connection.held) + len(connection.held_deletes)))

    def count(self, connection: Connection, kind: Kind) -> None:
        """Take note that an update or an answer was taken: who counts is told when the turn has been settled (R27)."""
        if note_arrival(connection, kind) and connection.dialect.counts:
            connection.taken += 1
            self._counting.add(connection)
            self._rouse()

    def settle(self) -> None:
        """Have those told who may be of what this turn took, all of which has gone to the log."""
        counting, self._counting = self._counting, set()
        for connection in counting:
            self._ask(connection, connection.taken)
        still_open, self._open = self._open, set()
        for connection in still_open:
            self.go_on(connection)

    def leave(self, connection: Connection) -> None:
        """Forget a connection that has gone."""
        self._counting.discard(connection)
        self._open.discard(connection)

    def ask(self, connection: Connection, token: bytes, most_bytes: int) -> None:
        """Return `token` when all that the connection has sent is on disk; all of it has been settled.

        Raises:
            TooLargeError: the token has more bytes than that.
        """
        if len(token) > most_bytes:
            raise TooLargeError("the token of a sync status", len(token), most_bytes)
        if not connection.refused:  # else something that it sent never will be on any disk
            self._ask(connection, token)

    def _ask(self, connection: Connection, token: Token) -> None:
        connection.token = token
        self.go_on(connection)

    def go_on(self, connection: Connection) -> None:
        """Have what a connection asked last answered by the log, unless something of it is not in there yet.

        All that is in the document has to be in the log: what waited is in both only when the turn has been settled.
        While the log takes no more it takes one question of each: whoever keeps asking costs no memory.
        """
        if connection.token is None or connection.closed:
            return
        if (connection.promised and self._journal.full) or self.holds(connection):
            self._open.add(connection)
            return
        token, connection.token = connection.token, None
        connection.promised += 1
        self._journal.append(self._document, (), (partial(self._saved, connection, token),))

    def _saved(self, connection: Connection, token: Token) -> None:
        connection.promised -= 1
        if connection.closed:
            return
        if self._reads(connection):
            connection.tell_saved(token)
        elif connection.behind is not None:
            connection.behind.owed_status = token
        if connection.token is not None:
            # Not now, in the middle of a turn.
            self._open.add(connection)
            self._rouse()
