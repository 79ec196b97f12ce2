"""Work in another process, and its limits (R14)."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from collab.errors import TooLargeError, UnavailableError
from collab.sandbox import OverspentError, Sandbox, WorkerGoneError, limit_cpu


def work_for_ever(seconds: float | None) -> None:
    if seconds is not None:
        limit_cpu(seconds)
    while True:
        pass


def work_a_little(seconds: float) -> int:
    limit_cpu(seconds)
    return sum(range(1000))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep_for_ever() -> None:
    time.sleep(1000)


@pytest.mark.parametrize(("seconds", "own"), [(60.0, 0.05), (1.0, None)], ids=["its own", "the sandbox's"])
async def test_the_kernel_ends_work_that_takes_too_much_of_a_core(seconds: float, own: float | None) -> None:
    """R14: by whichever limit; the clock is not asked, since others may keep the machine busy."""
    with pytest.raises(OverspentError):
        await Sandbox(seconds=seconds).run(work_for_ever, own)


async def test_a_process_that_dies_of_its_input_has_not_overspent() -> None:
    """R14: the sender is told what is wrong about its update."""
    with pytest.raises(WorkerGoneError):
        await Sandbox().run(die)


async def test_without_a_place_for_temporary_files_work_is_not_done_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """H12: nothing is wrong with what it was given."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))

    with pytest.raises(UnavailableError, match="temporary files takes none: No such file or directory"):
        await Sandbox().run(sum, [1])


async def test_work_is_done_once_more_if_its_process_dies(tmp_path: Path) -> None:
    """R14: an export is not of a damaged document because somebody killed a process."""
    assert "done" == await Sandbox().run(die_at_first, tmp_path / "died")


def die_at_first(mark: Path) -> str:
    if not mark.exists():
        mark.touch()
        die()
    return "done"


async def test_work_that_never_ends_without_a_core_ends_by_the_clock() -> None:
    with pytest.raises(TooLargeError):
        await Sandbox(seconds=0.05).run(sleep_for_ever)


async def test_a_limit_is_over_with_the_call() -> None:
    sandbox = Sandbox()
    await sandbox.run(work_a_little, 0.2)

    assert await sandbox.run(sum, range(20_000_000)) > 0, "ended by the limit of the call before"


def test_outside_of_a_sandbox_there_is_no_limit() -> None:
    """R14: the tests, and whoever calls it in a process that is needed."""
    limit_cpu(0.001)

    assert sum(range(1_000_000)) > 0
