"""The places where a test ends the server (G15)."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from collab import faults


def test_nothing_is_armed_by_default() -> None:
    """G15."""
    assert faults.reach is None


@pytest.mark.parametrize("wanted", ["somewhere", "in-transaction:0", "in-transaction:many", "in-transaction:-1", ""])
def test_what_is_no_place_or_no_number_is_refused(wanted: str) -> None:
    """G15."""
    with pytest.raises(ValueError, match="COLLAB_KILL_AT"):
        faults.arm(wanted)

    assert faults.reach is None


def test_the_process_ends_at_the_passing_that_was_named() -> None:
    """G15: as if it had been killed, without a last word."""
    program = (
        "from collab import faults\n"
        "faults.arm('after-commit:2')\n"
        "for point in (faults.Point.AFTER_COMMIT, faults.Point.IN_TRANSACTION) * 2:\n"
        "    print(point.value, flush=True)\n"
        "    faults.reach(point)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)

    assert -signal.SIGKILL == done.returncode
    assert ["after-commit", "in-transaction", "after-commit"] == done.stdout.split()


def test_a_server_with_a_place_that_does_not_exist_says_so() -> None:
    """G15."""
    command = [sys.executable, "-m", "collab", "serve", "--database", "memory://", "--port", "0"]
    environment = {"COLLAB_KILL_AT": "somewhere", "PATH": ""}

    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment)

    assert 2 == done.returncode
    assert done.stderr.startswith("collab: COLLAB_KILL_AT: there is no place 'somewhere'; there are before-apply")
