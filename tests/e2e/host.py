"""`python -m tests.e2e.host serve --port N [--root-path PATH]`: an application of somebody else, with collab below it.

Everything of it that has a counterpart in collab answers otherwise, so that a test sees who answered.
"""

from __future__ import annotations

import argparse
from typing import Any, Final

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from collab import Anonymous, Collab, CollabError, Settings

PREFIX: Final = "/team/collab"


def application() -> FastAPI:
    collab = Collab(Settings(database="memory://", anonymous=Anonymous.EDIT))
    app = FastAPI(lifespan=collab.lifespan)

    @app.exception_handler(CollabError)
    @app.exception_handler(HTTPException)
    @app.exception_handler(RequestValidationError)
    async def host_answers(_request: Request, error: Any) -> JSONResponse:
        return JSONResponse({"host": type(error).__name__}, getattr(error, "status_code", 418))

    @app.get("/healthz")
    async def healthz() -> str:
        return "the host is well"

    @app.get(f"{PREFIX}/before")
    async def before() -> str:
        return "the host's"

    app.include_router(collab.router, prefix=PREFIX)

    @app.get(f"{PREFIX}/after")
    async def after(number: int) -> str:
        return f"the host's {number}"

    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--root-path", default="")
    options, _ = parser.parse_known_args()
    uvicorn.run(application(), port=options.port, root_path=options.root_path, log_level="warning")


if __name__ == "__main__":
    main()
