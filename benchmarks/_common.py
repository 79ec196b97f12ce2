"""What the benchmarks share: a core for each side, a server on one of them, the disk, and the machine's name.

Not for: what is typed (`benchmarks.load`), nor for what a benchmark makes of its figures.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load.generator import LoadError, Measurement, Scenario, compiled, run
from tests.support.server import Server

# As SQLite appends to its WAL: a page a time.
_PAGE_BYTES = 4096


def machine() -> str:
    """Return what figures depend on, in one line."""
    cores = len(os.sched_getaffinity(0))
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{platform.machine()}, {cores} {'core' if cores == 1 else 'cores'}, {versions}"


def measured(scenario: Scenario, *options: str, seconds: float, saved_every: int = 0) -> Measurement:
    """Start a server with these options on one core, load it from another one, and return what that measured.

    The database is in the folder for temporary files (TMPDIR): it should be on the disk that is meant.

    Raises:
        LoadError: a character was lost, or there is no second core.
    """
    program = compiled()
    with tempfile.TemporaryDirectory() as folder, on_two_cores(Server(Path(folder) / "data", *options)) as running:
        return run(program, scenario, running.port, seconds=seconds, saved_every=saved_every, pids=[running.pid])


@contextmanager
def on_two_cores(server: Server) -> Iterator[Server]:
    """Start a server on one core and keep this process on another one; the server is gone at the end.

    Raises:
        LoadError: there is no second core.
    """
    server_core, load_core = _two_cores()
    try:
        with _only_on(server_core):
            server.start()
        with _only_on(load_core):
            yield server
    finally:
        server.kill()


def fsync_ms(times: int = 50) -> list[float]:
    """Return how long the disk took each time to keep a page that was appended to a file."""
    with tempfile.TemporaryFile() as file:
        taken = []
        for _ in range(times):
            os.write(file.fileno(), bytes(_PAGE_BYTES))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - started) * 1000)
    return taken


def summary_ms(taken: list[float]) -> dict[str, float]:
    """Return median and 95th percentile."""
    return {
        "median": round(statistics.median(taken), 2),
        "p95": round(statistics.quantiles(taken, n=20)[-1], 2),
    }


def _two_cores() -> tuple[int, int]:
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise LoadError("the server and its load need a core each, and there is only one here")
    return allowed[0], allowed[1]


@contextmanager
def _only_on(core: int) -> Iterator[None]:
    """Keep this process, and those that it starts meanwhile, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
