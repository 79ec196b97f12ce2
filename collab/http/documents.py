"""`/api/documents/{id}`: how a document is created, and what is read from it as a whole.

Not for: how a format looks (`content`).
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response

from collab.auth.base import Principal
from collab.content import FORMATS, render
from collab.core.inspection import Inspection
from collab.core.ports import DocumentId, Entry
from collab.core.wire import EMPTY_UPDATE
from collab.errors import (
    DamagedError,
    DiskFailedError,
    ExistsError,
    ForbiddenError,
    MalformedError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
)
from collab.http import problems
from collab.http.bodies import BODIES, body_of, update_in
from collab.http.dependencies import CREATIONS, DocumentPath, DocumentRoute, Running, Services, counted, named
from collab.http.schemas import DocumentAccess, DocumentInfo
from collab.loading import readable_of
from collab.names import document_id
from collab.sandbox import WorkerCrashError
from collab.seed import examined
from collab.store.base import LogRow

FLUSH_SECONDS: Final = 10.0
"""How long a request waits for what is not on disk yet."""

ExportFormat = Enum("ExportFormat", {name: name for name in FORMATS}, type=str)  # type: ignore[misc]
"""The formats that there are, as a query parameter."""

PROBLEMS: dict[int | str, dict[str, object]] = {
    status: problems.described(description)
    for status, description in {
        400: "the document's name cannot be",
        401: "nobody is known behind the request",
        403: "whoever asks may not do this",
        404: "there is no such document",
        413: "the document, or its name, is too large",
        429: "this address asks too often",
        422: "a parameter is missing or unknown",
        500: "what is stored of it cannot be read",
        503: "the database does not answer",
    }.items()
}


def router(running: Running) -> APIRouter:
    """Return the routes of documents."""
    routes = APIRouter(
        prefix="/api/documents",
        tags=["documents"],
        route_class=DocumentRoute,
        responses=PROBLEMS,
        dependencies=[Depends(counted(running))],
    )

    @routes.get("/{id}", summary="What is known of a document")
    async def describe(id: DocumentPath, request: Request) -> DocumentInfo:
        document = named(id)
        services = running()
        await services.permissions.authenticate(request, document)
        return await _describe(services, document)

    @routes.get("/{id}/access", summary="What whoever asks may do")
    async def access(id: DocumentPath, request: Request) -> DocumentAccess:
        document = named(id)
        services = running()
        principal = await services.permissions.authenticate(request, document)
        return DocumentAccess(access=principal.access, lineage=await services.hub.lineage(document))

    @routes.put(
        "/{id}",
        status_code=201,
        summary="Create a document",
        responses={
            409: problems.described("it is there already"),
            415: problems.described("a body of this type is not taken"),
        },
        openapi_extra={"requestBody": {"content": {kind: {} for kind in BODIES}, "description": "what it begins with"}},
    )
    async def create(
        id: DocumentPath,
        request: Request,
        template: Annotated[str | None, Query(description="begin as this document is now; without a body")] = None,
    ) -> DocumentInfo:
        document = named(id)
        services = running()
        principal = await services.permissions.authenticate(request, document)
        _insist_on_writing(principal, document)
        update = await _first_update(services, request, template)
        # Whoever it is may have sent the rest long after.
        principal = await services.permissions.authenticate(request, document)
        _insist_on_writing(principal, document)
        await _create(services, document, Entry(update, principal.id))
        return await _describe(services, document)

    @routes.get(
        "/{id}/export",
        summary="A document's content",
        response_class=Response,
        responses={
            200: {"content": {f.media_type: {} for f in FORMATS.values()}, "description": "the content"},
            304: {"description": "it is what `If-None-Match` says"},
        },
    )
    async def export(
        id: DocumentPath,
        request: Request,
        format: Annotated[ExportFormat, Query(description="how it shall look")],
    ) -> Response:
        document = named(id)
        services = running()
        await services.permissions.authenticate(request, document)
        state, digest = await _state(services, document)
        etag = f'"{digest}-{format.value}"'
        headers = {"etag": etag, "cache-control": "no-cache", "x-content-type-options": "nosniff"}
        if _matches(request.headers.get("if-none-match"), etag):
            return Response(status_code=304, headers=headers)
        chosen = FORMATS[format.value]
        content = await _render(services, document, format.value, state)
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(document, safe='')}.{chosen.extension}"
        return Response(content, media_type=chosen.media_type, headers=headers)

    return routes


def _insist_on_writing(principal: Principal, document: DocumentId) -> None:
    if not principal.access.writes:
        raise ForbiddenError(f"whoever asks may not write the document {document!r}")


async def _first_update(services: Services, request: Request, template: str | None) -> bytes:
    """Return what a request wants a document to begin with."""
    body = await body_of(request, services.max_body_bytes)
    if template is None:
        update, most = update_in(request, body), services.hub.limits.room.document_bytes
        if len(update) > most:
            raise TooLargeError("the document", len(update), most)
        return update
    if body:
        raise MalformedError("a document begins with a body or as a template, not as both")
    origin = document_id(template)
    await services.permissions.authenticate(request, origin)
    state, _ = await _state(services, origin)
    return state


async def _create(services: Services, document: DocumentId, first: Entry) -> None:
    """Create a document with its first row, and tell the room that waits for somebody to begin it (N1, N4, N7).

    Raises:
        UnavailableError: the database has not taken it in time; it is not called back, and may be there later.
    """
    if services.creations.locked():
        raise UnavailableError(f"{CREATIONS} documents are being created already")
    outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as turn:
        await turn.enter_async_context(services.creations)
        inspection = await examined(first.data, services.trials)
        # A task of its own: whatever takes no writes now, a lock or a network, ends a statement when it likes.
        services.hub.start(_write(services, document, first, inspection, outcome, turn.pop_all()))
    try:
        async with asyncio.timeout(FLUSH_SECONDS):
            await outcome
    except TimeoutError as error:
        reason = services.journal.problem or "the database has not answered"
        raise UnavailableError(f"not on disk after {FLUSH_SECONDS:g} seconds: {reason}") from error


async def _write(
    services: Services,
    document: DocumentId,
    first: Entry,
    inspection: Inspection,
    outcome: asyncio.Future[None],
    turn: AsyncExitStack,
) -> None:
    """Write a document's first row; end the turn when the database has let go of it, however late."""
    async with turn:
        try:
            # What the people in a room have written makes the document exist.
            await services.journal.flush(document, timeout_seconds=FLUSH_SECONDS)
            if not await services.store.create(document, first):
                raise ExistsError(f"there is a document {document!r} already")
            await services.hub.bring(document, first.data, inspection)
        except Exception as error:
            if not outcome.done():
                outcome.set_exception(error)
            if isinstance(error, DiskFailedError):
                raise
            return
    if not outcome.done():
        outcome.set_result(None)


async def _describe(services: Services, document: DocumentId) -> DocumentInfo:
    stored = await services.store.describe(document)
    room = services.hub.rooms.get(document)
    if stored is None and room is None:
        raise NotFoundError(f"there is no document {document!r}")
    return DocumentInfo(
        id=document,
        lineage=stored.lineage if stored else None,
        created_at=datetime.fromtimestamp(stored.created_at, UTC) if stored else None,
        changed_at=datetime.fromtimestamp(stored.changed_at, UTC) if stored else None,
        rows=stored.rows if stored else 0,
        update_rows=stored.update_rows if stored else 0,
        update_bytes=stored.update_bytes if stored else 0,
        snapshot_bytes=stored.snapshot_bytes if stored else 0,
        open=room is not None,
        connections=len(room.connections) if room else 0,
    )


async def _state(services: Services, document: DocumentId) -> tuple[bytes, str]:
    """Return a document's full state and its digest: the room's, or the log's without opening one (X19)."""
    room = services.hub.rooms.get(document)
    if room is not None and not room.broken:
        return room.state()
    await services.journal.flush(document, timeout_seconds=FLUSH_SECONDS)
    rows = await services.store.load(document)
    if not rows and room is None:
        raise NotFoundError(f"there is no document {document!r}")
    try:
        return await services.sandbox.run(state_of, document, tuple(rows))
    except WorkerCrashError as error:
        raise DamagedError(document, str(error)) from error


def state_of(document: DocumentId, rows: tuple[LogRow, ...]) -> tuple[bytes, str]:
    """Return the full state and the digest of the document that these rows are."""
    if not rows:
        return EMPTY_UPDATE, ""
    replica = readable_of(document, rows)
    return replica.full_state(), replica.digest()


async def _render(services: Services, document: DocumentId, name: str, state: bytes) -> bytes:
    if name == "yjs":
        return state
    try:
        return await services.sandbox.run(render, name, state)
    except WorkerCrashError as error:
        raise DamagedError(document, str(error)) from error


def _matches(if_none_match: str | None, etag: str) -> bool:
    """Whether a conditional request names this state (RFC 9110 section 13.1.2)."""
    if if_none_match is None:
        return False
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in (etag, "*") for tag in tags)
