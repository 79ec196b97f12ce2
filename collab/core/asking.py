"""What a room asks its clients for (SyncStep1), and which of their answers count.

A client that counts its updates (`Dialect.counts`) expects one status for the answer to each SyncStep1 that
came back for one of its own. What it was asked for besides, it does not count: a status for that would be one
for an update that is not on disk yet.
"""

from __future__ import annotations

from collab.core.connection import Connection
from collab.core.replica import Replica


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


def note_answer(connection: Connection) -> bool:
    """Take note of a SyncStep2; return whether a client that counts expects a status for it."""
    if connection.asked:
        connection.asked -= 1
        return False
    connection.asked_back = max(0, connection.asked_back - 1)
    return True
