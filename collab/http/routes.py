"""What all routes do alike, in our own application and in somebody else's that has our router.

Exception handlers belong to an application, and that one's are not ours to set. Not for: what a
route is about.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

from collab.errors import CollabError, MethodError
from collab.http import problems

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
"""What an address may be asked to do, in the order in which they are named to people."""


class Route(APIRoute):
    """A route that answers errors as problem documents, and HEAD wherever it answers GET (E1, E3)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except CollabError as error:
                return problems.answer(error)
            except RequestValidationError as error:
                return problems.answer(problems.invalid(error))

        return answered

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(asking_get(scope))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = asking_get(scope)
        if asked["method"] not in (self.methods or ()):
            refusal = problems.answer(MethodError(scope["method"], allowed_at(scope)))
            await refusal(scope, receive, send)
        else:
            await super().handle(asked, receive, send if asked is scope else bodiless(send))


def asking_get(scope: Scope) -> Scope:
    """Return the scope of a request, with GET in the place of HEAD."""
    return {**scope, "method": "GET"} if scope.get("method") == "HEAD" else scope


def bodiless(send: Send) -> Send:
    """Return a `send` that leaves the body out of an answer."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head


def allowed_at(scope: Scope) -> tuple[str, ...]:
    """Return the methods that the application has a route for at the address of a request.

    Several routes may share it, so each method is tried on all of them.
    """
    tried = {method: {**scope, "method": method} for method in METHODS}
    routes = scope["app"].routes
    return tuple(method for method in tried if any(route.matches(tried[method])[0] is Match.FULL for route in routes))
