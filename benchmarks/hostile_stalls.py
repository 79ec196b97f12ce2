"""How long hostile messages stop a server for everybody else.

Each message of the hostile tests is sent three times by connections of its own, and so is each update
that takes pycrdt long in a document of its kind (`tests/support/dear.py`); and fifty sockets send what
is cheap by itself, thousands of it. Meanwhile `/healthz` is
asked every 10 ms. What counts for a message is the shortest of its longest answers: what others do to a
machine comes once, what the message does comes each time. Measured against no peer. Prints one JSON
object; the exit status is 1 if a message stops the server for 250 ms or longer.

    python benchmarks/hostile_stalls.py [--times 3] [-k NAME]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

from benchmarks._common import machine, on_two_cores
from tests.fuzz.cases import CASES, asks, says, shows
from tests.fuzz.pulse import Pulse
from tests.fuzz.raw import RawSocket, framed
from tests.support.dear import DEAR
from tests.support.hostile import garbage, typed, update
from tests.support.server import Server

BOUND_MS: Final = 250.0
SHOWN: Final = 5
SOCKETS: Final = 50
PULSES_SECONDS: Final = 0.03
"""So that each message meets a question, and not only the pauses between them."""


def hostile() -> Iterator[tuple[str, bytes | None, list[bytes]]]:
    """Yield name, what is in the document before, and frames."""
    for name, case in CASES.items():
        yield name, None, case.frames
    for name, (base, one) in DEAR.items():
        yield f"in a large document: {name.partition(':')[0]}", base, [framed(says(one))]


async def stall_ms(port: int, room: str, base: bytes | None, frames: list[bytes]) -> float:
    """Return the longest that the server took to answer while it was sent these frames, in milliseconds."""
    async with RawSocket.connected(port, room) as honest, RawSocket.connected(port, room) as eve:
        honest.send(asks(b"\x00"))
        if base is not None:
            honest.send(says(base))
        await honest.is_heard()
        with Pulse(port) as pulse:
            await asyncio.sleep(PULSES_SECONDS)
            for frame in frames:
                eve.send_bytes(frame)
                await eve.sent()
            with suppress(AssertionError):
                await eve.is_heard()
            await honest.is_heard()
            await asyncio.sleep(PULSES_SECONDS)
            return pulse.longest_seconds() * 1000


def crowds() -> Iterator[tuple[str, Callable[[int], bytes]]]:
    """Yield name, and what each of many sockets sends at once."""
    yield "many sockets: letters", lambda client: b"".join(framed(says(typed(client, at, "a"))) for at in range(3000))
    yield "many sockets: presence", lambda client: b"".join(framed(shows((client, at, b"{}"))) for at in range(3000))
    yield "many sockets: questions", lambda _: framed(asks(b"\x00")) * 3000
    yield "many sockets: garbage", lambda client: framed(says(update({client: (0, [garbage(1)] * 20_000)})))


async def crowd_ms(port: int, room: str, sends: Callable[[int], bytes]) -> float:
    """Return the longest that the server took to answer while many sockets sent to it, in milliseconds."""
    async with AsyncExitStack() as stack:
        eves = [await stack.enter_async_context(RawSocket.connected(port, room)) for _ in range(SOCKETS)]
        with Pulse(port) as pulse:
            await asyncio.sleep(PULSES_SECONDS)
            for client, eve in enumerate(eves, 1000):
                eve.send_bytes(sends(client))
            for eve in eves:
                with suppress(AssertionError):
                    await eve.is_heard()
            return pulse.longest_seconds() * 1000


async def idle_ms(port: int) -> float:
    """Return the longest that the server took to answer in a second in which nobody did anything."""
    with Pulse(port) as pulse:
        await asyncio.sleep(1)
        return pulse.longest_seconds() * 1000


async def measure(port: int, times: int, wanted: str, on: str) -> dict[str, object]:
    stalls: dict[str, float] = {}
    for number, (name, base, frames) in enumerate(hostile()):
        if wanted in name:
            rooms = [f"{number} {time}" for time in range(times)]
            stalls[name] = min([await stall_ms(port, room, base, frames) for room in rooms])
            print(f"{stalls[name]:7.1f} ms  {name}", file=sys.stderr, flush=True)
    for name, sends in crowds():
        if wanted in name:
            stalls[name] = min([await crowd_ms(port, f"{name} {time}", sends) for time in range(times)])
            print(f"{stalls[name]:7.1f} ms  {name}", file=sys.stderr, flush=True)
    worst = sorted(stalls, key=stalls.__getitem__, reverse=True)
    return {
        "benchmark": "hostile_stalls",
        "peer": None,
        "messages": len(stalls),
        "stall_ms": {
            "median": round(statistics.median(stalls.values()), 1),
            "longest": {name: round(stalls[name], 1) for name in worst[:SHOWN]},
        },
        "idle_ms": round(await idle_ms(port), 1),
        "times": times,
        "machine": on,
        "bound_ms": BOUND_MS,
        "holds": stalls[worst[0]] < BOUND_MS,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--times", type=int, default=3, help="how often each message is sent (default: 3)")
    arguments.add_argument(
        "-k", dest="wanted", default="", metavar="NAME", help="only messages with this in their name"
    )
    chosen = arguments.parse_args()
    on = machine()
    with tempfile.TemporaryDirectory() as folder, on_two_cores(Server(Path(folder) / "data")) as server:
        result = asyncio.run(measure(server.port, chosen.times, chosen.wanted, on))
    print(json.dumps(result))
    sys.exit(0 if result["holds"] else 1)


if __name__ == "__main__":
    main()
