"""How long a large document takes to open: from SQLite to the first SyncStep2 of a late joiner.

A document of 260,000 edits, made by one seeded author who types and deletes in bursts of up to 50
keystrokes, every second one at another place. Each keystroke is a row. The first who opens it has it
compacted, as after the death of a server, by a store, a hub and limits as a server has them; then it
is opened again and again. Measured against no peer. Prints one JSON object; the exit status is 1 if the
median is not below the bound.

    python benchmarks/cold_open.py [--edits 260000] [--rounds 9] [--bound-ms 60]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

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

BOUND_MS: Final = 60.0
"""What was promised of 260,000 edits."""

ROWS_A_TRANSACTION = 1_000
"""Of the log: it makes no difference to what is measured."""


class Late:
    """A late joiner's socket: it only counts what it gets."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, frame: bytes) -> None:
        self.bytes += len(frame)

    def close(self, code: int, reason: str) -> None:
        raise AssertionError(reason)


def write_paper(edits: int, seed: int = 260) -> list[bytes]:
    """Return the updates of an author, one for each character typed or deleted."""
    choose = random.Random(seed)
    doc: Doc[Any] = Doc(client_id=7)
    text = doc.get("content", type=Text)
    rows: list[bytes] = []
    subscription = doc.observe(lambda event: rows.append(event.update))
    length = place = 0
    while len(rows) < edits:
        burst = min(choose.randint(1, LONGEST_BURST), edits - len(rows))
        if choose.random() < 0.3:
            for _ in range(min(burst, place)):
                place -= 1
                length -= 1
                del text[place : place + 1]
        else:
            for character in choose.choices("etaoin shrdlu", k=burst):
                text.insert(place, character)
                place += 1
                length += 1
        if choose.random() < 0.5:
            place = choose.randint(0, length)
    doc.unobserve(subscription)
    return rows


def hub_on(store: SqlStore) -> Hub:
    sandbox = Sandbox()
    compactor = Compactor(store, sandbox, time.monotonic)
    return Hub(store, GroupCommitJournal(store), NullRelay(), compactor, sandbox)


async def write(url: str, rows: list[bytes]) -> None:
    """Put the rows into the log."""
    store = await SqlStore.open(url)
    try:
        for at in range(0, len(rows), ROWS_A_TRANSACTION):
            await store.append([(PAPER, Entry(row, "author")) for row in rows[at : at + ROWS_A_TRANSACTION]])
    finally:
        await store.close()


async def insist_on_a_snapshot(url: str) -> None:
    """Raise unless all rows were compacted into one."""
    store = await SqlStore.open(url)
    try:
        described = await store.describe(PAPER)
        if described is None or (described.rows, described.update_rows) != (1, 0):
            raise RuntimeError(f"the document was not compacted: {described}")
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


async def measure(edits: int, rounds: int, bound_ms: float) -> dict[str, object]:
    rows = write_paper(edits)
    assert edits == len(rows)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'collab.db'}"
        await write(url, rows)
        first_milliseconds, _ = await open_once(url)
        await insist_on_a_snapshot(url)
        opened = [await open_once(url) for _ in range(rounds)]
    milliseconds = [ms for ms, _ in opened]
    median = statistics.median(milliseconds)
    return {
        "benchmark": "cold_open",
        "peer": None,
        "edits": edits,
        "rows": len(rows),
        "first_open_s": round(first_milliseconds / 1000, 3),
        "state_bytes": opened[0][1],
        "open_ms_median": round(median, 2),
        "open_ms_max": round(max(milliseconds), 2),
        "rounds": rounds,
        "machine": machine(),
        "bound_ms": bound_ms,
        "holds": median < bound_ms,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--edits", type=int, default=260_000)
    arguments.add_argument("--rounds", type=int, default=9)
    arguments.add_argument("--bound-ms", type=float, default=BOUND_MS)
    chosen = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    result = asyncio.run(measure(chosen.edits, chosen.rounds, chosen.bound_ms))
    print(json.dumps(result))
    sys.exit(0 if result["holds"] else 1)


if __name__ == "__main__":
    main()
