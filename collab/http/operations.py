"""What whoever runs the server asks: is it alive, can it do its work?"""

from __future__ import annotations

from fastapi import APIRouter, Response

from collab.errors import CollabError
from collab.http.dependencies import Running
from collab.http.schemas import Health


def router(running: Running) -> APIRouter:
    """Return the routes of operations."""
    routes = APIRouter(tags=["operations"])

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
    try:
        services = running()
        problems = dict(services.hub.problems)
        if services.journal.problem is not None:
            problems["journal"] = services.journal.problem
        await services.store.check()
    except CollabError as error:
        return {"store": str(error)}
    return problems
