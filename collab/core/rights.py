"""What a connection may bring into a document.

Not for: finding out who somebody is (`auth`), or telling them that they may not (`room`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from collab.core.connection import Access, Connection
from collab.core.inspection import Inspection, read
from collab.core.replica import Replica
from collab.errors import ForbiddenError

MOST_DELETIONS_BYTES: Final = 256 << 10
"""Of an update that only deletes: some 70,000 ranges, which take 130 ms to read and to look up (2026-11-28)."""

_NO_STRUCTS: Final = b"\x00"

COMMENTS: Final = "comments"
"""The root in which the threads of a document are, and that a commenter may change."""


def may_bring(
    connection: Connection,
    replica: Replica,
    inspection: Inspection,
    is_anothers: Callable[[int, Connection, bool], bool],
    *,
    begun: bool,
) -> bool:
    """Whether a connection may make the changes of an update (R7, R30) to a document that somebody has `begun` or not.

    `is_anothers` tells whether a client id is somebody else's, of one with which something was written already or not.
    """
    if connection.access is not Access.COMMENT:
        return connection.access.writes
    if not begun and not replica.state:
        return False  # whoever writes first creates the document, and it is theirs (K6)
    for client, _, end in inspection.runs:
        known = replica.state.get(client, 0)
        # Whoever goes on where somebody else was has all vanish that the other one writes there offline.
        if end > known and is_anothers(client, connection, known > 0):
            return False
    return replica.stays_in(COMMENTS, inspection)


def says_nothing_new(connection: Connection, update: bytes, replica: Replica, most_bytes: int) -> bool:
    """Whether all that a reader's update says is known; one of more bytes is not read (R7).

    But for what providers say when they come back: no struct, and each deletion that they know of, of which a document
    that lived long has many. Reading that counts as work.
    """
    if len(update) > (MOST_DELETIONS_BYTES if update.startswith(_NO_STRUCTS) else most_bytes):
        return False
    inspection = read(update)
    connection.structs += inspection.structs + len(inspection.deletes)
    return replica.knows(inspection)


def refusal_for(connection: Connection) -> str:
    """Return what is said to a connection about a change that it may not make."""
    what = "read and comment" if connection.access is Access.COMMENT else "read"
    return str(ForbiddenError(f"this connection may only {what}"))
