"""Counting how long things take (J10)."""

from __future__ import annotations

from collab.measures import Distribution


def test_a_value_counts_for_the_first_bound_that_holds_it() -> None:
    """J10: as Prometheus has it, a bound holds what equals it."""
    seconds = Distribution((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.5):
        seconds.add(value)

    assert [("1.0", 2), ("2.0", 3), ("+Inf", 4)] == seconds.cumulative()
    assert (4, 5.5) == (seconds.count, seconds.sum)
