"""What the routes of sockets need of a running server."""

from __future__ import annotations

from typing import Protocol

from collab.auth.base import Principal
from collab.auth.origins import Origins
from collab.budgets import Places
from collab.core.connection import Access
from collab.core.ports import DocumentId
from collab.core.room import Room
from collab.hub import Hub
from collab.permissions import Permissions


def places_of(principal: Principal, document: DocumentId) -> list[tuple[str, str]]:
    """Return what somebody who comes into a document takes places of, beside their address (Q1)."""
    known = [] if principal.anonymous or principal.link is not None else [("principal", principal.id)]
    return [("document", document), *known]


class Serving(Protocol):
    """Its parts."""

    @property
    def hub(self) -> Hub: ...

    @property
    def permissions(self) -> Permissions: ...

    @property
    def places(self) -> Places: ...

    @property
    def origins(self) -> Origins: ...


async def ready_for(serving: Serving, room: Room, principal: Principal) -> Principal:
    """Return somebody as they are now, for whom all is known that the room has to know; they come in this very turn.

    Raises:
        CollabError: what they may do was taken back while the document was opened (K5), or cannot be found out.
    """
    acquainted = False
    while True:
        principal = await serving.permissions.renewed(principal, room.document)
        if acquainted or principal.access is not Access.COMMENT:
            return principal
        await serving.hub.look_up_authors(room)
        acquainted = True
