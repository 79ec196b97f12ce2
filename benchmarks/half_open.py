"""How soon honest people join while ten thousand connections of strangers hang about, and what these cost.

A third of them has sent nothing, a third half of a request, a third an upgrade to Hocuspocus' protocol, in
which nobody has said who it is. The server is told to wait for all of them (by itself it waits 10 s), and
the server and the crowd have a core each. Measured against no peer. Prints one JSON object; the exit
status is 1 if a join takes a second or longer, or a stranger more than 32 KiB.

    python benchmarks/half_open.py [--connections 10000] [--joins 20]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from asyncio import StreamWriter
from pathlib import Path
from typing import Final

import psutil

from benchmarks._common import machine, on_two_cores
from tests.fuzz.cases import asks
from tests.fuzz.raw import RawSocket
from tests.support.server import Server

BOUND_MS: Final = 1_000.0
BOUND_KIB: Final = 32.0
AT_ONCE: Final = 200
HONEST: Final = "127.0.0.2"
PATIENT: Final = {"sign_in_seconds": 3_600, "request_head_seconds": 3_600}

UPGRADE: Final = (
    b"GET /hocuspocus HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
BEGINNINGS: Final = (b"", b"GET /ws/notes HTTP/1.1\r\nHost: 127", UPGRADE)


async def stranger(port: int, beginning: bytes) -> StreamWriter:
    """Return a connection on which no more is ever said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if beginning:
        writer.write(beginning)
    if beginning is UPGRADE:
        await reader.readuntil(b"\r\n\r\n")
    return writer


async def join_ms(port: int) -> float:
    """Return how many milliseconds it takes to have a document open and to hear all of it."""
    started = time.perf_counter()
    async with RawSocket.connected(port, "notes", address=HONEST) as honest:
        honest.send(asks(b"\x00"))
        await honest.is_heard()
        return (time.perf_counter() - started) * 1000


async def measured(port: int, pid: int, connections: int, joins: int) -> dict[str, float]:
    """Return what joining took without the crowd and with it, and what the crowd takes of memory."""
    process = psutil.Process(pid)
    alone = [await join_ms(port) for _ in range(joins)]
    before = process.memory_info().rss
    crowd: list[StreamWriter] = []
    for first in range(0, connections, AT_ONCE):
        more = (stranger(port, BEGINNINGS[at % 3]) for at in range(first, min(first + AT_ONCE, connections)))
        crowd += await asyncio.gather(*more)
    beside = [await join_ms(port) for _ in range(joins)]
    grown = process.memory_info().rss - before
    for writer in crowd:
        writer.transport.abort()
    return {
        "connections": len(crowd),
        "join_alone_ms": round(statistics.median(alone), 1),
        "join_ms": round(statistics.median(beside), 1),
        "join_max_ms": round(max(beside), 1),
        "kib_per_connection": round(grown / 1024 / len(crowd), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000, help="of strangers")
    parser.add_argument("--joins", type=int, default=20, help="of honest people")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data", **PATIENT)
        with on_two_cores(server):
            figures = asyncio.run(measured(server.port, server.pid, options.connections, options.joins))
    holds = figures["join_max_ms"] < BOUND_MS and figures["kib_per_connection"] < BOUND_KIB
    bounds = {"bound_ms": BOUND_MS, "bound_kib": BOUND_KIB}
    print(json.dumps({"benchmark": "half_open", **figures, **bounds, "holds": holds, "machine": machine()}))
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
