"""How long it takes until the server says "saved", at the pace of people.

The scenario `typing`: 200 writers in 100 rooms, ten characters a second each. A writer asks with every
fifth character whether everything is saved, and what counts is the time from that character to the
answer. Measured against no peer. Prints one JSON object; the exit status is 1 if the 95th percentile is
25 ms or more although the disk keeps a page in less than 10.

    python benchmarks/saved_latency.py [--rounds 3] [--seconds 5]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from typing import Final

from benchmarks._common import fsync_ms, machine, measured, summary_ms
from benchmarks.load.generator import SCENARIOS, LoadError, Measurement

BOUND_MS: Final = 25.0
FAST_DISK_MS: Final = 10.0
ASKED_EVERY: Final = 5


def measure(rounds: int, seconds: float) -> dict[str, object]:
    runs: list[Measurement] = []
    disk: list[float] = []
    for number in range(rounds):
        print(f"typing, round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        disk += fsync_ms()
        runs.append(measured(SCENARIOS["typing"], seconds=seconds, saved_every=ASKED_EVERY))
        disk += fsync_ms()
    saved = [run.saved_ms for run in runs if run.saved_ms]
    p95 = statistics.median(each.p95 for each in saved)
    fsync = summary_ms(disk)
    return {
        "benchmark": "saved_latency",
        "peer": None,
        "saved_ms": {
            "p50": statistics.median(each.p50 for each in saved),
            "p95": p95,
            "p99": statistics.median(each.p99 for each in saved),
            "p95_of_rounds": [each.p95 for each in saved],
        },
        "delivered_ms_p95": statistics.median(run.latency_ms.p95 for run in runs if run.latency_ms),
        "cores": round(statistics.median(run.server_cpu_s / run.seconds for run in runs), 2),
        "fsync_ms": fsync,
        "rounds": rounds,
        "seconds": seconds,
        "machine": machine(),
        "bound_ms": BOUND_MS,
        # On a slower disk nothing was promised.
        "holds": p95 < BOUND_MS or fsync["median"] >= FAST_DISK_MS,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=5)
    chosen = arguments.parse_args()
    try:
        result = measure(chosen.rounds, chosen.seconds)
    except LoadError as error:
        sys.exit(f"saved_latency: {error}")
    print(json.dumps(result))
    sys.exit(0 if result["holds"] else 1)


if __name__ == "__main__":
    main()
