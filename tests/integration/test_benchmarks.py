"""The benchmarks end as what they measured says. Not for figures: `make bench` makes those."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]


@pytest.mark.parametrize(("bound_ms", "holds"), [("0", False), ("600000", True)])
def test_a_cold_open_that_takes_too_long_is_a_failure(bound_ms: str, *, holds: bool) -> None:
    """Whoever runs it in a script sees a bound that was missed without reading its figures."""
    script = ROOT / "benchmarks" / "cold_open.py"
    command = [sys.executable, str(script), "--edits", "21000", "--rounds", "1", "--bound-ms", bound_ms]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (0 if holds else 1) == done.returncode, done.stderr
    assert holds is json.loads(done.stdout)["holds"]
