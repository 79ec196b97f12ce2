"""What the routes need of a request: the document that it names, who asks, and the running parts.

A document's id is one segment of the path, so a slash in it is written `%2F`. Servers hand over the
path decoded; `DocumentRoute` matches the raw one, so that the document `a/export` and the export of
`a` are two things.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Final
from urllib.parse import unquote

from fastapi import Path, Request
from starlette.routing import Match
from starlette.types import Scope

from collab.addresses import address_in
from collab.auth.base import Principal
from collab.auth.origins import Origins
from collab.budgets import Accounts, ConnectionLimits, Places
from collab.core.ports import DocumentId
from collab.http.routes import Route
from collab.hub import Hub
from collab.names import document_id
from collab.permissions import Permissions
from collab.sandbox import Sandbox
from collab.store.base import Store
from collab.store.journal import GroupCommitJournal

CREATIONS: Final = 16
"""Documents that may be created at once."""

_SLASH: Final = "\udc2f"
"""Stands for an escaped slash while routes are matched: half of a surrogate pair, which no path decodes to."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running server."""

    store: Store
    journal: GroupCommitJournal
    hub: Hub
    sandbox: Sandbox
    permissions: Permissions
    trials: Sandbox
    """For what may be hostile: whoever keeps it busy keeps nobody from exporting."""
    max_body_bytes: int
    places: Places = field(default_factory=lambda: Places(ConnectionLimits()))
    requests: Accounts | None = None
    """What each address has asked for."""
    origins: Origins = field(default_factory=Origins)
    """Whose pages may open sockets."""
    creations: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CREATIONS))
    """Each holds a body until it is on disk, which may take as long as a database is locked."""


Running = Callable[[], Services]
"""Gives the parts; raises UnavailableError while the server starts or stops."""


class DocumentRoute(Route):
    """A route whose path parameters may hold escaped slashes."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        raw = scope.get("raw_path")
        if raw is None or b"%2" not in raw:
            return super().matches(scope)
        escaped = raw.decode("ascii", "replace").replace("%2F", _SLASH).replace("%2f", _SLASH)
        return super().matches({**scope, "path": unquote(escaped)})


DocumentPath = Annotated[
    str,
    Path(alias="id", description="the document's name; a slash in it is written %2F", examples=["notes"]),
]


def spelt(parameter: str) -> str:
    """Return a path parameter of a `DocumentRoute` as it was meant, with its slashes."""
    return parameter.replace(_SLASH, "/")


def named(id: str) -> DocumentId:
    """Return the document that a path parameter of a `DocumentRoute` names.

    Raises:
        DocumentNameError, TooLargeError: no document can be called so.
    """
    return document_id(spelt(id))


def counted(running: Running) -> Callable[[Request], None]:
    """Return a dependency of routes that one address may ask only so often (Q4)."""

    def count(request: Request) -> None:
        requests = running().requests
        if requests is not None:
            requests.charge(address_in(request.scope))

    return count


def asking(running: Running) -> Callable[[Request, DocumentId], Awaitable[Principal]]:
    """Return a function that tells who asks for a document."""

    async def principal(request: Request, document: DocumentId) -> Principal:
        return await running().permissions.authenticate(request, document)

    return principal
