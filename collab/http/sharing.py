"""`/api/documents`: which there are; their grants and share links; and `/api/revocations`.

Not for: what rights let somebody do (`permissions`). Every answer is given when whoever is here has been told.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from collab.auth.base import Principal
from collab.auth.links import hash_of, id_of_link, new_key
from collab.auth.tokens import MAX_CHARACTERS, is_sound
from collab.core.connection import Access
from collab.core.ports import DocumentId
from collab.errors import ForbiddenError, InvalidRequestError, NotFoundError
from collab.http import problems
from collab.http.bodies import described, wanted_in
from collab.http.dependencies import DocumentPath, DocumentRoute, Running, Services, counted, named, spelt
from collab.http.documents import PROBLEMS
from collab.http.schemas import (
    DocumentList,
    GrantInfo,
    GrantWanted,
    LinkInfo,
    LinkMade,
    LinkWanted,
    ListedDocument,
    RevocationInfo,
)
from collab.store.rights import Grant, Link, NewLink, Revoked, View

PAGE: Final = 100
MAX_PAGE: Final = 1_000

_OF_BODIES: Final[dict[int | str, dict[str, object]]] = {
    415: problems.described("a body of this type is not taken"),
}

PrincipalPath = Annotated[
    str,
    Path(alias="principal", description="who: a token's `sub`", examples=["ann"]),
]
RevokedPath = Annotated[str, Path(alias="value", description="a token's `jti` or `sub`")]
LinkPath = Annotated[int, Path(alias="link", ge=1, le=2**63 - 1, description="the link's number")]


def router(running: Running) -> APIRouter:
    """Return the routes of rights."""
    routes = APIRouter(
        prefix="/api",
        tags=["rights"],
        route_class=DocumentRoute,
        responses=PROBLEMS,
        dependencies=[Depends(counted(running))],
    )

    @routes.get("/documents", summary="The documents that whoever asks may see")
    async def visible(
        request: Request,
        after: Annotated[str, Query(description="the last name of the page before", max_length=1_024)] = "",
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="how many at most")] = PAGE,
    ) -> DocumentList:
        services = running()
        principal = await services.permissions.identify(request)
        found = await services.permissions.rights.visible(_view_of(principal), after, limit)
        listed = [
            ListedDocument(id=each.document, owner=each.owner, created_at=_moment(each.created_at)) for each in found
        ]
        return DocumentList(documents=listed, next=listed[-1].id if len(listed) == limit else None)

    @routes.get("/documents/{id}/grants", summary="Who was given a role")
    async def grants(id: DocumentPath, request: Request) -> list[GrantInfo]:
        document, services = named(id), running()
        await _admin(services, request, document)
        return [_grant(each) for each in await services.permissions.rights.grants(document)]

    @routes.put(
        "/documents/{id}/grants/{principal}",
        summary="Give somebody a role, instead of what they have",
        responses=_OF_BODIES,
        openapi_extra=described(GrantWanted),
    )
    async def grant(id: DocumentPath, principal: PrincipalPath, request: Request) -> GrantInfo:
        document, services = named(id), running()
        await _admin(services, request, document)
        wanted = await wanted_in(request, GrantWanted)
        # Whoever it is may have sent the rest long after.
        admin = await _admin(services, request, document)
        who, permissions = _sound(principal), services.permissions
        if wanted.role is Access.NONE:
            raise InvalidRequestError("role: a grant of nothing is none; delete it instead")
        made = await permissions.rights.grant(document, who, wanted.role, admin.id)
        if made is None:
            raise _missing(document)
        await permissions.changed(document, who)
        return _grant(made)

    @routes.delete("/documents/{id}/grants/{principal}", status_code=204, summary="Take a role back")
    async def withdraw(id: DocumentPath, principal: PrincipalPath, request: Request) -> Response:
        document, services = named(id), running()
        await _admin(services, request, document)
        who = _sound(principal)
        if not await services.permissions.rights.withdraw(document, who):
            raise NotFoundError(f"nothing was granted to {who!r}")
        await services.permissions.changed(document, who)
        return Response(status_code=204)

    @routes.get("/documents/{id}/links", summary="Its share links; their keys are not known any more")
    async def links(id: DocumentPath, request: Request) -> list[LinkInfo]:
        document, services = named(id), running()
        await _admin(services, request, document)
        return [_link(each) for each in await services.permissions.rights.links(document)]

    @routes.post(
        "/documents/{id}/links",
        status_code=201,
        summary="Make a share link; its key is told only here",
        responses=_OF_BODIES,
        openapi_extra=described(LinkWanted),
    )
    async def share(id: DocumentPath, request: Request) -> LinkMade:
        document, services = named(id), running()
        await _admin(services, request, document)
        wanted = await wanted_in(request, LinkWanted)
        admin = await _admin(services, request, document)
        if wanted.role in (Access.NONE, Access.ADMIN):
            raise InvalidRequestError("role: a link lets people view, comment or edit")
        ends = None if wanted.seconds is None else time.time() + wanted.seconds
        key = new_key()
        made = await services.permissions.rights.add_link(
            document, NewLink(hash_of(key), wanted.role, wanted.label, admin.id, ends)
        )
        if made is None:
            raise _missing(document)
        return LinkMade(**_link(made).model_dump(), key=key)

    @routes.delete("/documents/{id}/links/{link}", status_code=204, summary="Take a share link back, for good")
    async def revoke_link(id: DocumentPath, link: LinkPath, request: Request) -> Response:
        document, services = named(id), running()
        await _admin(services, request, document)
        if not await services.permissions.rights.revoke_link(document, link):
            raise NotFoundError(f"the document has no link {link}")
        await services.permissions.changed(document, id_of_link(link))
        return Response(status_code=204)

    @routes.get("/revocations", summary="Which tokens and people were revoked")
    async def revoked(request: Request) -> list[RevocationInfo]:
        services = running()
        await _operator(services, request)
        return [RevocationInfo(kind=kind, value=value) for kind, value in await services.permissions.rights.revoked()]

    @routes.put("/revocations/{kind}/{value}", status_code=204, summary="Revoke a token, or whatever somebody may do")
    async def revoke(kind: Revoked, value: RevokedPath, request: Request) -> Response:
        services = running()
        await _operator(services, request)
        await services.permissions.revoke(kind, _sound(value))
        return Response(status_code=204)

    @routes.delete("/revocations/{kind}/{value}", status_code=204, summary="Undo that")
    async def reinstate(kind: Revoked, value: RevokedPath, request: Request) -> Response:
        services = running()
        await _operator(services, request)
        if not await services.permissions.reinstate(kind, _sound(value)):
            raise NotFoundError(f"the {kind.value} {spelt(value)!r} was not revoked")
        return Response(status_code=204)

    return routes


async def _admin(services: Services, request: Request, document: DocumentId) -> Principal:
    """Return who asks, if they may say who may do what with a document."""
    principal = await services.permissions.authenticate(request, document)
    if principal.access is not Access.ADMIN:
        raise ForbiddenError(f"only who administers the document {document!r} may do this")
    return principal


async def _operator(services: Services, request: Request) -> Principal:
    principal = await services.permissions.identify(request)
    if not principal.operator:
        raise ForbiddenError("only who administers all documents may do this: with a token for '*' of the role admin")
    return principal


def _missing(document: DocumentId) -> NotFoundError:
    return NotFoundError(f"there is no document {document!r}; nothing was written to it yet")


def _sound(text: str) -> str:
    """Return a part of an address that a database takes."""
    text = spelt(text)
    if not is_sound(text):
        raise InvalidRequestError(f"an id is a text of 1 to {MAX_CHARACTERS} characters, none of them a control one")
    return text


def _view_of(principal: Principal) -> View:
    whole = tuple(name for name in principal.documents if not name.endswith("*"))
    if principal.document is not None:
        whole = (principal.document,)
    beginnings = tuple(name[:-1] for name in principal.documents if name.endswith("*"))
    known = not principal.anonymous and principal.link is None
    return View(principal.id if known else None, whole, beginnings)


def _moment(unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC)


def _grant(grant: Grant) -> GrantInfo:
    return GrantInfo(
        principal=grant.principal,
        role=grant.access,
        granted_at=_moment(grant.granted_at),
        granted_by=grant.granted_by,
    )


def _link(link: Link) -> LinkInfo:
    return LinkInfo(
        id=link.id,
        role=link.access,
        label=link.label,
        created_at=_moment(link.created_at),
        created_by=link.created_by,
        expires_at=None if link.expires_at is None else _moment(link.expires_at),
        revoked_at=None if link.revoked_at is None else _moment(link.revoked_at),
    )
