"""Places where a test may end this process, as a crash would: `COLLAB_KILL_AT=in-transaction:3`.

Not for: faults of the disk or of the network, which tests make outside of the process. Nothing is
armed unless that variable is set, and then a place costs one comparison with None. Used so:

    if faults.reach is not None:
        faults.reach(Point.IN_TRANSACTION)
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from enum import Enum
from typing import Final

VARIABLE: Final = "COLLAB_KILL_AT"


class Point(Enum):
    """A place on the way of an update, in the order of that way, or of a compaction."""

    BEFORE_APPLY = "before-apply"
    """A message has come and nothing of it was read."""
    AFTER_APPLY = "after-apply"
    """It is in the document, and the log has not heard of it."""
    IN_TRANSACTION = "in-transaction"
    """Its row is inserted and not committed."""
    AFTER_COMMIT = "after-commit"
    """It is on disk and nobody was told."""
    BEFORE_COMPACTION = "before-compaction"
    """A snapshot is made and proved, and its transaction has not begun."""
    IN_COMPACTION = "in-compaction"
    """Rows are deleted, the snapshot is inserted, and nothing is committed."""
    AFTER_COMPACTION = "after-compaction"
    """The snapshot has replaced its rows, and the compactor does not know."""


reach: Callable[[Point], None] | None = None
"""Called with each place that the process passes, from whatever thread; None, always, but in tests."""


def arm(wanted: str) -> None:
    """End the process at a place: `wanted` is its name, or `name:n` for the n-th time that it is passed.

    Raises:
        ValueError: there is no such place, or n is not a whole number above zero.
    """
    global reach  # noqa: PLW0603 - the hot path cannot afford more than one global
    name, _, count = wanted.partition(":")
    if name not in {point.value for point in Point}:
        places = ", ".join(point.value for point in Point)
        raise ValueError(f"{VARIABLE}: there is no place {name!r}; there are {places}")
    if count and not (count.isdecimal() and int(count) > 0):
        raise ValueError(f"{VARIABLE}: {count!r} is not a whole number above zero")
    reach = _killer(Point(name), int(count or 1))


def _killer(wanted: Point, passings: int) -> Callable[[Point], None]:
    left = passings

    def reached(point: Point) -> None:
        nonlocal left
        if point is wanted:
            left -= 1
            if left == 0:
                # Not a signal that could be handled: nothing may be flushed, closed or said.
                os.kill(os.getpid(), signal.SIGKILL)

    return reached
