"""How much work something is, in calls of functions or in memory: the same on every machine, however busy it is.

Not for: what happens inside of one call of pycrdt; there is no other way to see that than a clock.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from anyio import CapacityLimiter, to_process


@dataclass
class Work:
    """What was done within `counted`."""

    calls: int = 0
    """Of functions in Python or C. Reading one struct of an update takes five and more."""
    of: Counter[str] = field(default_factory=Counter)
    """How often each function of Python was called, by its name."""


@contextmanager
def counted() -> Iterator[Work]:
    """Count the calls that are made within."""
    work = Work()

    def count(frame: FrameType, event: str, argument: object) -> None:
        work.calls += event in ("call", "c_call")
        if event == "call":
            work.of[frame.f_code.co_name] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield work
    finally:
        sys.setprofile(before)


async def peak_bytes(function: Callable[..., object], *arguments: object) -> int:
    """Return by how much a call makes a process larger, at its largest. The first of a test has a new process."""
    return await to_process.run_sync(_grown_by, function, arguments, limiter=CapacityLimiter(1))


def _grown_by(function: Callable[..., object], arguments: tuple[object, ...]) -> int:
    before = high_water_bytes("self")
    function(*arguments)
    return high_water_bytes("self") - before


def high_water_bytes(process: int | str) -> int:
    """Return what a process had in memory at its largest; `getrusage` tells of who started it, too."""
    status = Path(f"/proc/{process}/status").read_text()
    (kibibytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kibibytes) * 1024
