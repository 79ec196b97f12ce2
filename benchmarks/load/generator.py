"""The load generator, compiled when it is needed, and the scenarios that it types.

Not for: starting servers (`benchmarks._common`), or what arrives where (`load.c` counts it).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

SOURCE: Final = Path(__file__).with_name("load.c")

OPENING_SECONDS: Final = 60.0
"""How long the generator tries to open its connections (`OPENING_TIME` in load.c)."""


class LoadError(Exception):
    """The generator cannot be had, or its run lost something; each reason is one sentence."""


@dataclass(frozen=True)
class Scenario:
    """Who types where. Either each writer keeps `window` characters under way, or types `rate` a second."""

    rooms: int
    peers: int
    """In each room, writers among them."""
    writers: int
    """In each room."""
    window: int | None = None
    rate: float | None = None

    def options(self) -> list[str]:
        pace = ("--window", self.window) if self.window else ("--rate", self.rate)
        given = ("--rooms", self.rooms, "--peers", self.peers, "--writers", self.writers, *pace)
        return [str(each) for each in given]


SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {
        # As much as one core takes.
        "busy-room": Scenario(rooms=1, peers=20, writers=5, window=20),
        "many-rooms": Scenario(rooms=50, peers=4, writers=2, window=10),
        # At the pace of people.
        "typing": Scenario(rooms=100, peers=10, writers=2, rate=10),
        "meeting": Scenario(rooms=1, peers=200, writers=20, rate=5),
        "lecture": Scenario(rooms=1, peers=1000, writers=5, rate=4),
    }
)


@dataclass(frozen=True)
class Milliseconds:
    """How long something took at the median, and what 95 and 99 of 100 stayed below."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Measurement:
    """What one run measured, between its warm-up and the moment when its writers stopped."""

    connections: int
    seconds: float
    typed: int
    """Characters of the whole run, warm-up included."""
    updates_s: float
    """Characters a second that everybody in their room got."""
    deliveries_s: float
    latency_ms: Milliseconds | None
    """From typing to each delivery; None if there was none."""
    saved_ms: Milliseconds | None
    """From typing until the server said that it is saved; None if nobody asked."""
    server_cpu_s: float
    server_rss_mib: float
    """At the end of the run."""
    load_cpu_s: float
    """Of the generator itself: close to `seconds`, it is what held the run up."""

    @property
    def cpu_us_per_update(self) -> float:
        """The server's CPU, in microseconds, for a character that everybody in its room got."""
        return 1e6 * self.server_cpu_s / (self.seconds * self.updates_s)

    @classmethod
    def read(cls, report: Mapping[str, Any]) -> Self:
        """Make one of what the generator prints."""
        times = {name: report[name] and Milliseconds(**report[name]) for name in ("latency_ms", "saved_ms")}
        return cls(**{name: value for name, value in report.items() if name != "errors"} | times)


def compiled(folder: Path | None = None, *, compiler: str = "cc") -> Path:
    """Return the generator's program; compile it if `folder` (default: the user's cache) does not have it.

    Raises:
        LoadError: there is no C compiler, or it fails.
    """
    source = SOURCE.read_bytes()
    folder = folder or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "collab-benchmarks"
    program = folder / f"load-{hashlib.sha256(source).hexdigest()[:16]}"
    if program.exists():
        return program
    found = shutil.which(compiler)
    if found is None:
        raise LoadError(f"there is no C compiler {compiler!r} to compile the load generator: install gcc and libc6-dev")
    folder.mkdir(parents=True, exist_ok=True)
    # Renamed when it is whole: two benchmarks may compile at once, and one may be stopped.
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        made = Path(unfinished) / "load"
        command = [found, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", str(made), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LoadError(f"{compiler} cannot compile the load generator: {done.stderr.strip()}")
        made.rename(program)
    return program


def run(
    program: Path,
    scenario: Scenario,
    port: int,
    *,
    seconds: float,
    warmup_seconds: float = 0.5,
    drain_seconds: float = 10.0,
    saved_every: int = 0,
    path: str = "/ws/load",
    pids: Sequence[int] = (),
) -> Measurement:
    """Type into the documents `path`-0, `path`-1 and so on of the server at `port`, and return what was measured.

    `saved_every` characters each writer asks whether they are saved. `drain_seconds` is how long what was
    typed may take to arrive at the end; `pids` are the processes whose CPU and memory are counted. The
    documents must be new ones.

    Raises:
        LoadError: a character was lost, a connection ended, or the server said something unreadable.
    """
    command = [str(program), "--port", str(port), "--path", path, *scenario.options()]
    command += ["--seconds", str(seconds), "--warmup", str(warmup_seconds), "--drain", str(drain_seconds)]
    command += ["--saved", str(saved_every)]
    for pid in pids:
        command += ["--pid", str(pid)]
    # Twice: on a machine that is busy with other things everything takes longer.
    limit = 2 * (OPENING_SECONDS + warmup_seconds + seconds + drain_seconds)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"the load generator did not end within {limit:g} s") from error
    # A run that lost something (1) reports it; whatever else there is left no report.
    if done.returncode not in (0, 1):
        raise LoadError(f"the load generator failed ({done.returncode}): {done.stderr.strip()}")
    report = json.loads(done.stdout)
    if report["errors"]:
        raise LoadError("; ".join(report["errors"]))
    return Measurement.read(report)
