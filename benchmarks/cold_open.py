"""How long a large document takes to open: from SQLite to the first SyncStep2 of a late joiner.

A document of 260,000 edits, made by one seeded author who types and deletes in bursts of up to 50
keystrokes, every second one at another place. It is appended a row for each burst, compacted, and
then opened again and again by a store and a hub of its own. Measured against no peer. Prints one
JSON object.

    python benchmarks/cold_open.py [--edits 260000] [--rounds 9]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog
from pycrdt import Doc, Text

from benchmarks._common import machine
from collab.core.connection import Connection
from collab.core.dialects import Y_WEBSOCKET
from collab.core.ports import DocumentId, Entry
from collab.hub import Hub
from collab.relay.null import NullRelay
from collab.sandbox import Sandbox
from collab.store.compaction import Compactor
from collab.store.journal import GroupCommitJournal
from collab.store.sql import SqlStore

PAPER = DocumentId("paper")
LONGEST_BURST = 50


class Late:
    """A late joiner's socket: it only counts what it gets."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, frame: bytes) -> None:
        self.bytes += len(frame)

    def close(self, code: int, reason: str) -> None:
        raise AssertionError(reason)


def write_paper(edits: int, seed: int = 260) -> list[bytes]:
    """Return the updates of an author, one for each burst of typing or deleting."""
    choose = random.Random(seed)
    doc: Doc[Any] = Doc(client_id=7)
    text = doc.get("content", type=Text)
    rows: list[bytes] = []
    subscription = doc.observe(lambda event: rows.append(event.update))
    length = place = done = 0
    while done < edits:
        burst = choose.randint(1, LONGEST_BURST)
        if choose.random() < 0.3:
            burst = min(burst, place)
            del text[place - burst : place]
            place -= burst
            length -= burst
        else:
            # One insertion of many characters leaves what as many insertions of one leave.
            text.insert(place, "".join(choose.choices("etaoin shrdlu", k=burst)))
            place += burst
            length += burst
        if choose.random() < 0.5:
            place = choose.randint(0, length)
        done += burst
    doc.unobserve(subscription)
    return rows


def hub_on(store: SqlStore) -> Hub:
    sandbox = Sandbox()
    compactor = Compactor(store, sandbox, time.monotonic)
    return Hub(store, GroupCommitJournal(store), NullRelay(), compactor, sandbox)


async def prepare(url: str, rows: list[bytes]) -> float:
    """Write and compact the document; return how long the compaction took, in seconds."""
    store = await SqlStore.open(url)
    try:
        await store.append([(PAPER, Entry(row, "author")) for row in rows])
        started = time.perf_counter()
        assert await Compactor(store, Sandbox(seconds=60), time.monotonic).compact(PAPER)
        return time.perf_counter() - started
    finally:
        await store.close()


async def open_once(url: str) -> tuple[float, int]:
    """Return how many milliseconds it took to open the document and to answer, and in how many bytes."""
    store = await SqlStore.open(url)
    hub = hub_on(store)
    try:
        async with hub.running():
            joiner = Late()
            connection = Connection(joiner, Y_WEBSOCKET, "late")
            started = time.perf_counter()
            room = await hub.open(PAPER)
            room.admit(connection)
            room.receive(connection, b"\x00\x00\x01\x00")
            return (time.perf_counter() - started) * 1000, joiner.bytes
    finally:
        await store.close()


async def measure(edits: int, rounds: int) -> dict[str, object]:
    rows = write_paper(edits)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'collab.db'}"
        compaction_seconds = await prepare(url, rows)
        opened = [await open_once(url) for _ in range(rounds)]
    milliseconds = [ms for ms, _ in opened]
    return {
        "benchmark": "cold_open",
        "peer": None,
        "edits": edits,
        "compaction_s": round(compaction_seconds, 3),
        "state_bytes": opened[0][1],
        "open_ms_median": round(statistics.median(milliseconds), 2),
        "open_ms_max": round(max(milliseconds), 2),
        "rounds": rounds,
        "machine": machine(),
        "bound_ms": 60,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--edits", type=int, default=260_000)
    arguments.add_argument("--rounds", type=int, default=9)
    chosen = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(json.dumps(asyncio.run(measure(chosen.edits, chosen.rounds))))


if __name__ == "__main__":
    main()
