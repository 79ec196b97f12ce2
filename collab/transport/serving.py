"""What the routes of sockets need of a running server."""

from __future__ import annotations

from typing import Protocol

from starlette.types import Scope

from collab.auth.base import Principal
from collab.auth.origins import Origins
from collab.budgets import Places
from collab.core.ports import DocumentId
from collab.hub import Hub
from collab.permissions import Permissions


def address_in(scope: Scope) -> str:
    """Return from where somebody comes, as far as the proxies say so whose word counts."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


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
