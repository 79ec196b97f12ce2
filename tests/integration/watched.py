"""`python -m tests.integration.watched serve ...`: a server that tells what it has in memory, at `/memory`.

Not for: what an operator sees (`/metrics`). Rooms close sooner than with `python -m collab`, so that how many are
open at the same time, and with it the size of the process, does not depend on how fast the machine is.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from functools import partial
from typing import Final

import psutil
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from collab import app, server
from collab.cli import main
from collab.hub import HubLimits
from collab.settings import Settings

TICK_SECONDS: Final = 0.2

_create_app = vars(server)["create_app"]


async def memory(_request: Request) -> JSONResponse:
    """Answer with the bytes that the process has, the blocks that Python has, and how many objects of each type."""
    resident = psutil.Process().memory_info().rss
    gc.collect()
    objects = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    return JSONResponse({"resident": resident, "blocks": sys.getallocatedblocks(), "objects": objects})


def create_app(settings: Settings) -> FastAPI:
    served: FastAPI = _create_app(settings)
    served.router.routes.insert(0, Route("/memory", memory))
    return served


def watch() -> None:
    """Serve as always, and answer at `/memory`."""
    vars(server)["create_app"] = create_app
    vars(app)["HubLimits"] = partial(HubLimits, tick_seconds=TICK_SECONDS)
    main()


if __name__ == "__main__":
    watch()
