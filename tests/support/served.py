"""A server in the test's own process, with a WebSocket implementation of its choice.

Not for: servers that have to be killed, or whose process matters (`server`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from websockets.asyncio.client import connect

from collab.app import Collab, create_app
from collab.auth.base import Authenticator
from collab.settings import Anonymous, Settings
from collab.stateless import StatelessHandler


@dataclass
class Served:
    """A server in this process, and the way into its documents."""

    port: int
    collab: Collab

    def connect(self, document: str = "notes", **options: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}/ws/{document}", max_size=None, compression=None, **options)


@asynccontextmanager
async def serving(
    ws: Any, authenticator: Authenticator | None = None, stateless: StatelessHandler | None = None, **settings: Any
) -> AsyncIterator[Served]:
    """Serve with this WebSocket protocol of uvicorn."""
    chosen: dict[str, Any] = {"database": "memory://", "anonymous": Anonymous.EDIT, "linger_seconds": 30, **settings}
    app = create_app(Settings(**chosen), authenticator, stateless)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, ws=ws, log_config=None, ws_max_size=1 << 20, ws_per_message_deflate=False)
        server = uvicorn.Server(config)
        serving_task = asyncio.ensure_future(server._serve([listening]))
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.001)
        try:
            yield Served(listening.getsockname()[1], app.state.collab)
        finally:
            # A connection is accepted in several steps of the loop; one that nobody closes fails some later test.
            for _ in range(10):
                await asyncio.sleep(0)
            server.should_exit = True
            await serving_task
            for _ in range(10):
                await asyncio.sleep(0)
