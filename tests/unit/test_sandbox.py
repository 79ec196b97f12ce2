"""Work in another process, and its limits (R14)."""

from __future__ import annotations

import pytest

from collab.errors import MalformedError, TooLargeError
from collab.sandbox import Sandbox, WorkerCrashError, limit_cpu
from collab.trial import INTEGRATION_SECONDS, meaning_of


def work_for_ever(seconds: float) -> None:
    limit_cpu(seconds)
    while True:
        pass


def work_a_little(seconds: float) -> int:
    limit_cpu(seconds)
    return sum(range(1000))


async def test_the_kernel_ends_work_that_takes_too_much_of_a_core() -> None:
    """R14: and says for how long it had worked."""
    with pytest.raises(WorkerCrashError) as crash:
        await Sandbox(seconds=60).run(work_for_ever, 0.05)

    assert crash.value.seconds >= 0.05


async def test_a_limit_is_over_with_the_call() -> None:
    sandbox = Sandbox()
    await sandbox.run(work_a_little, 0.2)

    assert await sandbox.run(sum, range(20_000_000)) > 0, "ended by the limit of the call before"


def test_outside_of_a_sandbox_there_is_no_limit() -> None:
    """R14: the tests, and whoever calls it in a process that is needed."""
    limit_cpu(0.001)

    assert sum(range(1_000_000)) > 0


def test_a_process_that_died_early_died_of_its_input() -> None:
    early, late = WorkerCrashError("gone"), WorkerCrashError("gone")
    late.seconds = INTEGRATION_SECONDS

    assert isinstance(meaning_of(early, 150), MalformedError)
    assert isinstance(meaning_of(late, 150), TooLargeError)
