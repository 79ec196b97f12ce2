"""What a connection may bring into a document.

Not for: finding out who somebody is (`auth`), or telling them that they may not (`room`).
"""

from __future__ import annotations

from typing import Final

from collab.core.connection import Access, Connection
from collab.core.inspection import Inspection, read
from collab.core.replica import Replica
from collab.core.wire import encode_delete_set
from collab.errors import ForbiddenError

_NO_STRUCTS: Final = b"\x00"

COMMENTS: Final = "comments"
"""The root in which the threads of a document are, and that a commenter may change."""


def may_bring(connection: Connection, replica: Replica, inspection: Inspection) -> bool:
    """Whether a connection may make the changes of an update (R7, R30)."""
    if connection.access is Access.COMMENT:
        return replica.stays_in(COMMENTS, inspection)
    return connection.access.writes


def says_nothing_new(update: bytes, replica: Replica, most_bytes: int) -> bool:
    """Whether all that an update says is known; one of more bytes is not read (R7).

    But it may be what every provider says that has all there is: no struct, and each deletion, of which a document
    that lived long has many. There is one way to spell that (Yjs: `writeDeleteSet`), so no bytes have to be read.
    """
    if len(update) <= most_bytes:
        return replica.knows(read(update))
    if not update.startswith(_NO_STRUCTS):
        return False
    return update == _NO_STRUCTS + encode_delete_set(dict(replica.deletions(fresh=True).ranges()))


def refusal_for(connection: Connection) -> str:
    """Return what is said to a connection about a change that it may not make."""
    what = "read and comment" if connection.access is Access.COMMENT else "read"
    return str(ForbiddenError(f"this connection may only {what}"))
