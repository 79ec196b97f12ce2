"""The yardstick's own scenario `typing` against a server, and what that says of how long saving took.

The yardstick stands beside the repository, or where COLLAB_LOAD says; a proof without it says that it was not
there. Not for: the load that is ours, of the same shape (`load`).
"""

from __future__ import annotations

import asyncio
import os
import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.server import Server

BESIDE: Final = Path(__file__).resolve().parents[3] / "shared" / "load"
TYPING: Final = ("--rooms", "100", "--peers", "10", "--writers", "2", "--rate", "10")
"""As its README and `compare.py` have it."""

_BUCKET: Final = re.compile(r'^collab_saved_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True)
class Saved:
    """How many turns were on disk within so many seconds, by the bounds of the server's histogram."""

    within: tuple[tuple[float, float], ...]
    """Upper bound, and how many up to it; ascending, the last is all of them."""

    @property
    def count(self) -> int:
        return int(self.within[-1][1])

    def quantile(self, share: float) -> float:
        """Return within how many seconds so many were, as Prometheus reckons: evenly spread between two bounds."""
        below, counted = 0.0, 0.0
        for bound, total in self.within:
            if total >= share * self.count and total > counted:
                return below + (bound - below) * (share * self.count - counted) / (total - counted)
            below, counted = bound, total
        return below


def source() -> Path | None:
    """Return where the yardstick's program is, None without one."""
    path = Path(os.environ.get("COLLAB_LOAD", BESIDE)) / "collab_load.c"
    return path if path.is_file() else None


async def run(folder: Path, program: Path, seconds: float) -> Saved:
    """Return what the server counted while the yardstick typed; raise AssertionError if that found fault."""
    built = folder / "collab_load"
    await _call("cc", "-O2", "-o", str(built), str(program), "-lm")
    with Server.running(folder / "data") as server:
        before = _buckets(server)
        where = ("--port", str(server.port), "--path", "/ws/%s", "--pid", str(server.pid))
        await _call(str(built), *where, *TYPING, "--secs", f"{seconds:.0f}")
        after = _buckets(server)
    return Saved(tuple((bound, total - before.get(bound, 0.0)) for bound, total in sorted(after.items())))


async def _call(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, f"{' '.join(command)}\n{said.decode(errors='replace')}"


def _buckets(server: Server) -> dict[float, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        metrics = answer.read().decode()
    found = {float(bound): float(total) for bound, total in _BUCKET.findall(metrics)}
    assert found, metrics
    return found
