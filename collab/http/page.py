"""The editor page: built files, and the one HTML file that every address of it gets."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles

FOLDER: Final = Path(__file__).parent.parent / "static"

_HEADERS: Final = {
    # Mantine sets its styles from script; scripts only ever come from files.
    "content-security-policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    # The names of the built files change with their content; the page that names them must not be kept.
    "cache-control": "no-cache",
}


def router() -> APIRouter:
    """Return the routes of the page."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    @routes.get("/d/{document:path}")
    async def page() -> Response:
        index = FOLDER / "index.html"
        if not index.is_file():
            return PlainTextResponse("The editor page is not built. Run: make page\n", 501)
        return FileResponse(index, headers=_HEADERS)

    return routes


def assets() -> StaticFiles:
    """Return the application that serves the page's scripts and styles."""
    return StaticFiles(directory=FOLDER / "assets", check_dir=False)
