"""A proxy that shows a server below a path of its own, and doesn't tell the server.

It does what `location /behind/ { proxy_pass http://server/; }` does in nginx, for one request a connection.
"""

from __future__ import annotations

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def proxy(port: int, prefix: str) -> AsyncIterator[str]:
    """Run a proxy in front of a port of this machine; where it shows what is there."""
    writers: set[StreamWriter] = set()
    passing: set[asyncio.Task[None] | None] = set()

    async def pass_on(from_client: StreamReader, to_client: StreamWriter) -> None:
        writers.add(to_client)
        passing.add(asyncio.current_task())
        # The browser opens connections in advance, too, and may leave at any time.
        with suppress(asyncio.IncompleteReadError, OSError):
            head = (await from_client.readuntil(b"\r\n\r\n")).decode("latin-1")
            from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
            writers.add(to_server)
            to_server.write(without(prefix, head).encode("latin-1"))
            await asyncio.gather(pump(from_client, to_server), pump(from_server, to_client))
        to_client.close()

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{prefix}"
    finally:
        server.close()
        # A connection is accepted in several steps of the loop, and one that nobody closes fails some later test.
        for _ in range(10):
            await asyncio.sleep(0)
        for writer in writers:
            writer.close()
        await asyncio.gather(*filter(None, passing), return_exceptions=True)
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


def without(prefix: str, head: str) -> str:
    """Return the head of a request with `prefix` taken from its path; an HTTP connection ends with its answer."""
    method, target, rest = head.split(" ", 2)
    assert target.startswith(f"{prefix}/"), f"asked for {target}, which is not behind this proxy"
    if "upgrade: websocket" not in rest.lower():
        rest = re.sub(r"(?i)\r\nconnection: [^\r]*", "", rest).replace("\r\n", "\r\nconnection: close\r\n", 1)
    return f"{method} {target.removeprefix(prefix)} {rest}"


async def pump(source: StreamReader, target: StreamWriter) -> None:
    try:
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    finally:
        target.close()
