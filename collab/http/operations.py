"""What whoever runs the server asks: is it alive, can it do its work?"""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Response

from collab.errors import CollabError
from collab.http.dependencies import Running
from collab.http.routes import Route
from collab.http.schemas import Health

CHECK_SECONDS: Final = 3.0
"""How long the database may take to answer: longer than it waits for a lock, so that the lock is named."""


def router(running: Running) -> APIRouter:
    """Return the routes of operations."""
    routes = APIRouter(tags=["operations"], route_class=Route)

    @routes.get("/healthz", summary="Does the event loop turn?")
    async def healthz() -> Health:
        return Health(status="ok")

    @routes.get("/readyz", summary="Can documents be read and written?", responses={503: {"model": Health}})
    async def readyz(response: Response) -> Health:
        problems = await _problems(running)
        if problems:
            response.status_code = 503
        return Health(status="degraded" if problems else "ok", problems=problems)

    return routes


async def _problems(running: Running) -> dict[str, str]:
    problems: dict[str, str] = {}
    try:
        services = running()
        problems |= services.hub.problems
        if services.journal.problem is not None:
            # Not checked as well: that would wait behind what the journal waits for.
            return {**problems, "journal": services.journal.problem}
        async with asyncio.timeout(CHECK_SECONDS):
            await services.store.check()
    except TimeoutError:
        problems["store"] = f"the database has not answered within {CHECK_SECONDS:g} seconds"
    except CollabError as error:
        problems["store"] = str(error)
    return problems
