"""What a connection may bring into a document.

Not for: finding out who somebody is (`auth`), or telling them that they may not (`room`).
"""

from __future__ import annotations

from typing import Final

from collab.core.connection import Access, Connection
from collab.core.inspection import Inspection
from collab.core.replica import Replica
from collab.errors import ForbiddenError

COMMENTS: Final = "comments"
"""The root in which the threads of a document are, and that a commenter may change."""


def may_bring(connection: Connection, replica: Replica, inspection: Inspection) -> bool:
    """Whether a connection may make the changes of an update (R7, R30)."""
    if connection.access is Access.COMMENT:
        return replica.stays_in(COMMENTS, inspection)
    return connection.access.writes


def refusal_for(connection: Connection) -> str:
    """Return what is said to a connection about a change that it may not make."""
    what = "read and comment" if connection.access is Access.COMMENT else "read"
    return str(ForbiddenError(f"this connection may only {what}"))
