"""The editor page: built files, and the one HTML file that every address of it gets, also those where nothing is.

The page may be anywhere below the addresses of a site, and a proxy in front may hide where. So it is
told the way back to its own root from the address at which it was asked for, and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Match
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from collab.auth.tokens import Tokens
from collab.errors import CollabError, MethodError, UnknownAddressError
from collab.http import problems
from collab.http.routes import Route
from collab.http.signing_in import signed_in
from collab.names import document_id

FOLDER: Final = Path(__file__).parent.parent / "static"

_ROOT: Final = '<base href="/" />'
"""Where the built page takes its root to be; all its other addresses are relative to it."""

# Mantine sets its styles from script; scripts only ever come from files.
_POLICY: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self' ws: wss:; base-uri 'self'; form-action 'self'; frame-ancestors "
)

NOBODY: Final = "'none'"

_HEADERS: Final = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    # The names of the built files change with their content; the page that names them must not be kept.
    "cache-control": "no-cache",
}


def router(tokens: Tokens | None = None, frame_ancestors: str = NOBODY) -> APIRouter:
    """Return the routes of the page and of its files. With `tokens`, those in its addresses sign people in.

    Pages of `frame_ancestors`, sources as a policy has them, may show it in a frame.
    """
    routes = APIRouter(include_in_schema=False, route_class=Route)

    @routes.get("/")
    async def start(request: Request) -> Response:
        return await signed_in(request, tokens) or built("index.html", request, "", ancestors=frame_ancestors)

    @routes.get("/d")
    async def almost(request: Request) -> Response:
        return built("index.html", request, "d", ancestors=frame_ancestors)

    @routes.get("/d/{document:path}")
    async def editor(request: Request, document: str) -> Response:
        place = f"d/{document}"
        try:
            if document:
                document_id(document)
        except CollabError as error:
            return refused(error, request, place)
        return await signed_in(request, tokens) or built("index.html", request, place, ancestors=frame_ancestors)

    routes.mount("/assets", Assets(directory=FOLDER / "assets", check_dir=False))
    routes.add_api_route("/{place:path}", unknown, route_class_override=UnknownRoute)
    return routes


async def unknown(request: Request, place: str) -> Response:
    """Answer a request for an address below the page's root at which nothing is."""
    return refused(UnknownAddressError(request.url.path), request, place)


async def unknown_in_application(request: Request, _error: Exception) -> Response:
    """Answer a request for an address of our own application at which nothing is."""
    return await unknown(request, below_root(request.scope)[1:])


def refused(error: CollabError, request: Request, place: str) -> Response:
    """Return the page, which says it to people, to a browser that wants to show something; else the problem (E4)."""
    if "text/html" in request.headers.get("accept", ""):
        response = built("index.html", request, place, error.http_status)
    else:
        response = problems.answer(error)
    response.headers["vary"] = "Accept"
    return response


def built(name: str, request: Request, place: str, status: int = 200, ancestors: str = NOBODY) -> Response:
    """Return a built HTML file as the answer to a request for `place`, an address below the page's root."""
    file = FOLDER / name
    if not file.is_file():
        return PlainTextResponse("The editor page is not built. Run: make page\n", 501)
    html = file.read_text(encoding="utf-8")
    headers = {**_HEADERS, "content-security-policy": _POLICY + ancestors}
    return HTMLResponse(html.replace(_ROOT, f'<base href="{way_back(request, place)}" />'), status, headers)


def way_back(request: Request, place: str) -> str:
    """Return the relative address of the page's root, as seen by who asked for `place` below it."""
    # In a browser's eyes an escaped slash is no slash.
    escaped = (request.scope.get("raw_path") or b"").upper().count(b"%2F")
    return "../" * (place.count("/") - escaped) or "./"


def below_root(scope: Scope) -> str:
    """Return the path of a request, below where the application is."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


class UnknownRoute(Route):
    """All that is below our prefix and no other route of the application takes, whatever it is asked for (E4).

    Without a prefix nothing: the application's unknown addresses are not ours then.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, matched = super().matches({**scope, "method": "GET"})
        if match is Match.NONE or below_root(scope) == f"/{matched['path_params']['place']}":
            return Match.NONE, {}
        # Routes that come behind ours, and those of other methods, have precedence.
        return Match.PARTIAL, matched

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().handle(scope if scope["method"] == "HEAD" else {**scope, "method": "GET"}, receive, send)


class Assets(StaticFiles):
    """The page's scripts, styles and pictures."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            return await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code == 405:
                return problems.answer(MethodError(scope["method"], ("GET", "HEAD")))
            return problems.answer(UnknownAddressError(scope["path"]))
