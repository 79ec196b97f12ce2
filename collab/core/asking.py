"""What a room asks its clients for (SyncStep1), and which of their answers count.

A client that counts its updates (`Dialect.counts`) expects one status for the answer to each SyncStep1 that
came back for one of its own. What it was asked for besides, it does not count: a status for that would be one
for an update that is not on disk yet.
"""

from __future__ import annotations

from collab.core.connection import Connection
from collab.core.replica import Replica
from collab.core.wire import Kind


def ask(connection: Connection, replica: Replica) -> None:
    """Ask a client for what it has, unless an answer of it is due already."""
    if not connection.asked and not connection.asked_back:
        ask_anew(connection, replica)


def ask_anew(connection: Connection, replica: Replica) -> None:
    """Ask a client for what it has, whatever it was asked before."""
    connection.asked += 1
    connection.sink.write(connection.dialect.sync_step_1(replica.state_vector()))


def ask_back(connection: Connection, replica: Replica) -> None:
    """Ask a client that asks, if it counts."""
    if connection.dialect.counts:
        connection.asked_back += 1
        connection.sink.write(connection.dialect.sync_step_1(replica.state_vector()))


def note_arrival(connection: Connection, kind: Kind) -> bool:
    """Take note that an update or an answer came; return whether its sender, if it counts, expects word of it."""
    if kind is not Kind.SYNC_STEP_2:
        return True
    if connection.asked:
        connection.asked -= 1
        return not connection.dialect.counts
    connection.asked_back = max(0, connection.asked_back - 1)
    return True
