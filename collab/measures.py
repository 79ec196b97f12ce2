"""How often something took how long: counted on the hot path, read when somebody asks for the metrics.

prometheus_client's own histogram takes a lock and 1.5 us for each value; a log sees thousands a second.
Not for: how metrics are written (`http.metrics`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for what takes from a millisecond to some seconds."""


class Distribution:
    """Counts of values by upper bound, and their sum. Owned by whoever measures; not for several threads."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        """Count values up to each of these ascending bounds, and those beyond."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        return sum(self.counts)

    def cumulative(self) -> list[tuple[str, float]]:
        """Return each bound with the number of values up to it, as Prometheus wants them; the last is +Inf."""
        total = 0
        buckets = []
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return buckets
