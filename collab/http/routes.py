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
from starlette.types import Receive, Scope, Send

from collab.errors import CollabError, MethodError
from collab.http import problems

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
"""What an address may be asked to do, in the order in which they are named to people."""


class Route(APIRoute):
    """A route that answers errors as problem documents (E1)."""

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

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in (self.methods or ()):
            await super().handle(scope, receive, send)
        else:
            refusal = problems.answer(MethodError(scope["method"], allowed_at(scope)))
            await refusal(scope, receive, send)


def allowed_at(scope: Scope) -> tuple[str, ...]:
    """Return the methods that the application has a route for at the address of a request.

    Several routes may share it, so each method is tried on all of them.
    """
    tried = {method: {**scope, "method": method} for method in METHODS}
    routes = scope["app"].routes
    return tuple(method for method in tried if any(route.matches(tried[method])[0] is Match.FULL for route in routes))
