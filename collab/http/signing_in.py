"""Links with a token: it becomes the page's session at once, and leaves the address, which people copy (I8)."""

from __future__ import annotations

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collab.auth.cookie import remember
from collab.auth.links import is_key
from collab.auth.tokens import Tokens
from collab.errors import UnauthenticatedError, UnavailableError


async def signed_in(request: Request, tokens: Tokens | None) -> Response | None:
    """Return the way to the same address without a token, None if it has none.

    One that is not right is remembered, too, until the browser is closed: the page is told then what is
    wrong with it, as soon as it asks for anything, and the browser to forget it.
    """
    token = request.query_params.get("token")
    if token is None or (tokens is None and not is_key(token)):
        return None
    response = RedirectResponse(_without_token(request), 303)
    response.headers.update({"referrer-policy": "no-referrer", "cache-control": "no-store"})
    if token:
        remember(token[: Tokens.MAX_BYTES], await _end_of(token, tokens), request, response)
    return response


async def _end_of(token: str, tokens: Tokens | None) -> float | None:
    if tokens is None or is_key(token):
        return None
    try:
        return (await tokens.read(token)).expires
    except (UnauthenticatedError, UnavailableError):
        return None


def _without_token(request: Request) -> str:
    """Return a relative address: a proxy may show us below a path that we don't know."""
    last = (request.scope.get("raw_path") or b"").rpartition(b"/")[2].decode("ascii", "replace")
    rest = QueryParams([(name, value) for name, value in request.query_params.multi_items() if name != "token"])
    return f"./{last}?{rest}" if rest else f"./{last}"
