"""What the log on disk costs: how many updates a second one core takes with it, and how many without.

`collab serve` with its SQLite log against `--database memory://`, in turns, each on one core with the
load on another. Measured against no peer. Prints one JSON object; the exit status is 1 if the log
leaves less than four fifths of the rate.

    python benchmarks/durability_cost.py [--rounds 5] [--seconds 3] [--scenario busy-room]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from typing import Final

from benchmarks._common import fsync_ms, machine, measured, summary_ms
from benchmarks.load.generator import SCENARIOS, LoadError, Measurement

BOUND: Final = 0.8
COMPARED: Final = ("busy-room", "many-rooms")
STORES: Final = {"sqlite": (), "memory": ("--database", "memory://")}


def compare(scenario: str, rounds: int, seconds: float) -> tuple[dict[str, list[Measurement]], list[float]]:
    """Return what each store did in each round, and how long the disk took meanwhile."""
    runs: dict[str, list[Measurement]] = {store: [] for store in STORES}
    disk: list[float] = []
    for number in range(rounds):
        disk += fsync_ms()
        # Each is first every other time, so that a machine that slows down favours neither.
        for store in list(STORES)[:: -1 if number % 2 else 1]:
            print(f"{scenario}, round {number + 1} of {rounds}: {store}", file=sys.stderr, flush=True)
            runs[store].append(measured(SCENARIOS[scenario], *STORES[store], seconds=seconds))
    return runs, disk


def figures(runs: dict[str, list[Measurement]]) -> dict[str, object]:
    rates = {store: [run.updates_s for run in each] for store, each in runs.items()}
    medians = {store: statistics.median(each) for store, each in rates.items()}
    ratio = medians["sqlite"] / medians["memory"]
    figures: dict[str, object] = {"ratio": round(ratio, 3), "holds": ratio >= BOUND}
    for store, each in runs.items():
        figures[store] = {
            "updates_s_median": round(medians[store]),
            "updates_s": [round(rate) for rate in rates[store]],
            "cpu_us_per_update": round(
                statistics.median(1e6 * r.server_cpu_s / r.seconds / r.updates_s for r in each), 1
            ),
            "cores": round(statistics.median(run.server_cpu_s / run.seconds for run in each), 2),
            "rss_mib": round(statistics.median(run.server_rss_mib for run in each)),
        }
    return figures


def measure(scenarios: list[str], rounds: int, seconds: float) -> dict[str, object]:
    disk: list[float] = []
    found = {}
    for scenario in scenarios:
        runs, taken = compare(scenario, rounds, seconds)
        found[scenario] = figures(runs)
        disk += taken
    return {
        "benchmark": "durability_cost",
        "peer": None,
        "scenarios": found,
        "fsync_ms": summary_ms(disk),
        "rounds": rounds,
        "seconds": seconds,
        "machine": machine(),
        "bound_ratio": BOUND,
        "holds": all(each["holds"] for each in found.values()),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=3)
    arguments.add_argument("--scenario", action="append", choices=COMPARED, help="only this one (default: both)")
    chosen = arguments.parse_args()
    try:
        result = measure(chosen.scenario or list(COMPARED), chosen.rounds, chosen.seconds)
    except LoadError as error:
        sys.exit(f"durability_cost: {error}")
    print(json.dumps(result))
    sys.exit(0 if result["holds"] else 1)


if __name__ == "__main__":
    main()
