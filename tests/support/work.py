"""How much work something is, in calls of functions: the same on every machine, however busy it is.

Not for: what happens inside of one call of pycrdt; there is no other way to see that than a clock.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType


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
