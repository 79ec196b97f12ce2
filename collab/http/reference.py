"""`/api/docs`: the HTTP API as OpenAPI describes it, for people and for programs.

FastAPI has such a page, too, but it loads its scripts from elsewhere and runs one from within itself.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse, Response

from collab.http import problems
from collab.http.page import built
from collab.http.routes import Route


def router(described: APIRouter) -> APIRouter:
    """Return the routes that show what `described` can be asked."""
    routes = APIRouter(prefix="/api", include_in_schema=False, route_class=Route)

    @cache
    def description() -> dict[str, Any]:
        found = get_openapi(
            title="collab",
            version=version("collab-server"),
            summary="Documents that people edit together",
            routes=described.routes,
            # Relative to the description's own address, so right wherever the router is (E2).
            servers=[{"url": "..", "description": "this server"}],
        )
        _share_problems(found)
        return found

    @routes.get("/docs")
    async def docs(request: Request) -> Response:
        return built("api.html", request, "api/docs")

    @routes.get("/openapi.json")
    async def openapi() -> Response:
        return JSONResponse(description())

    return routes


def _share_problems(found: dict[str, Any]) -> None:
    """Describe what problems look like once, and not with each answer."""
    found["components"]["schemas"]["Problem"] = problems.SCHEMA
    for path in found["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                if problem := response.get("content", {}).get(problems.MEDIA_TYPE):
                    problem["schema"] = {"$ref": "#/components/schemas/Problem"}
