"""The page's session: a token in a cookie, which only the server's own page can use.

Browsers send cookies with whatever any page makes them ask for. So one counts only where that does no
harm, or where the browser says that our own page asks.
"""

from __future__ import annotations

import re
import time
from typing import Final

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from collab.errors import ForbiddenError, UnauthenticatedError

COOKIE: Final = "collab_token"

_TOKEN: Final = re.compile(r"[\w.~+/=-]+", re.ASCII)
"""What a token is made of (RFC 6750, 2.1), and a cookie can hold."""


class SessionError(UnauthenticatedError):
    """The token in a cookie is not right, or not any more. The browser is told to forget it."""

    def headers(self) -> dict[str, str]:
        return {**super().headers(), "set-cookie": f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"}


def in_cookie(request: HTTPConnection) -> str | None:
    """Return the token of the page's session.

    Raises:
        ForbiddenError: there is one, and it is not the server's own page that asks.
    """
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    if request.scope["type"] == "websocket" or request.scope["method"] not in ("GET", "HEAD"):
        origin, host = request.headers.get("origin", ""), request.headers.get("host", "")
        if not host or origin.partition("://")[2].lower() != host.lower():
            shown = f"a page of {origin}" if origin else "something that is no page"
            raise ForbiddenError(f"only this server's own page may use its cookie, and {shown} asks")
    return token


def remember(token: str, expires: float | None, request: Request, response: Response) -> None:
    """Have the browser send `token` from now on, until this Unix time or until it is closed."""
    response.set_cookie(
        COOKIE,
        token if _TOKEN.fullmatch(token) else "unreadable",
        max_age=None if expires is None else max(0, int(expires - time.time())),
        # A proxy may show us anywhere below its root, and does not say where.
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
