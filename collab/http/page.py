"""The editor page: built files, and the one HTML file that every address of it gets.

The page may be anywhere below the addresses of a site, and a proxy in front may hide where. So it is
told the way back to its own root from the address at which it was asked for, and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from collab.errors import MethodError, UnknownAddressError
from collab.http import problems
from collab.http.routes import Route

FOLDER: Final = Path(__file__).parent.parent / "static"

_ROOT: Final = '<base href="/" />'
"""Where the built page takes its root to be; all its other addresses are relative to it."""

_HEADERS: Final = {
    # Mantine sets its styles from script; scripts only ever come from files.
    "content-security-policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    # The names of the built files change with their content; the page that names them must not be kept.
    "cache-control": "no-cache",
}


def router() -> APIRouter:
    """Return the routes of the page and of its files."""
    routes = APIRouter(include_in_schema=False, route_class=Route)

    @routes.get("/")
    async def start(request: Request) -> Response:
        return built("index.html", request, "")

    @routes.get("/d")
    async def almost(request: Request) -> Response:
        return built("index.html", request, "d")

    @routes.get("/d/{document:path}")
    async def editor(request: Request, document: str) -> Response:
        return built("index.html", request, f"d/{document}")

    routes.mount("/assets", Assets(directory=FOLDER / "assets", check_dir=False))
    return routes


def built(name: str, request: Request, place: str) -> Response:
    """Return a built HTML file as the answer to a request for `place`, an address below the page's root."""
    file = FOLDER / name
    if not file.is_file():
        return PlainTextResponse("The editor page is not built. Run: make page\n", 501)
    html = file.read_text(encoding="utf-8")
    return HTMLResponse(html.replace(_ROOT, f'<base href="{way_back(request, place)}" />'), headers=_HEADERS)


def way_back(request: Request, place: str) -> str:
    """Return the relative address of the page's root, as seen by who asked for `place` below it."""
    # In a browser's eyes an escaped slash is no slash.
    escaped = (request.scope.get("raw_path") or b"").upper().count(b"%2F")
    return "../" * (place.count("/") - escaped) or "./"


class Assets(StaticFiles):
    """The page's scripts, styles and pictures."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            return await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code == 405:
                return problems.answer(MethodError(scope["method"], ("GET", "HEAD")))
            return problems.answer(UnknownAddressError(scope["path"]))
