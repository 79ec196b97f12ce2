"""A disk or a database that is not well acknowledges nothing, says so, and heals (G11)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.durability import tracing
from tests.durability.ailments import Ailment, FullDisk, Lock, Moved, failed_checkpoint, failed_sync, slow_disk
from tests.durability.ledger import Findings
from tests.durability.outages import ENOUGH, MUST_NOT, Figures, Outage
from tests.support.server import Server

ROUNDS = [pytest.param(1, id="once"), pytest.param(20, id="often", marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
HOLD_SECONDS = {1: 0.0, 20: 8.0}


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize(
    "ailment",
    [lambda _: Lock(), lambda _: FullDisk(), slow_disk, lambda _: Moved()],
    ids=["locked", "full", "slow", "moved"],
)
async def test_nothing_is_acknowledged_meanwhile_and_all_goes_on_by_itself(
    tmp_path: Path, seed: int, ailment: Callable[[Random], Ailment], rounds: int
) -> None:
    """G11, S26: and /readyz says why, people type and read on, and nobody is sent away."""
    figures = Figures()
    for number in range(rounds):
        outage = Outage(tmp_path / str(number), seed + number, ailment(Random(seed + number)))
        figures += await outage.live_through(HOLD_SECONDS[rounds])

    assert Findings() == figures.findings
    assert figures.acknowledged > ENOUGH * rounds


@pytest.mark.parametrize("ailment", [Lock, FullDisk], ids=["locked", "full"])
async def test_so_it_is_for_five_servers_at_once_that_are_unwell_for_long(
    tmp_path: Path, seed: int, ailment: Callable[[], Ailment]
) -> None:
    """G11: a lock is held for four times as long as a server waits for one."""
    outages = [Outage(tmp_path / str(number), seed + number, ailment()) for number in range(5)]

    lived = await asyncio.gather(*(outage.live_through(8.0) for outage in outages))

    assert [Findings()] * 5 == [figures.findings for figures in lived]
    assert all(figures.acknowledged > ENOUGH for figures in lived)


@pytest.mark.parametrize("ailment", [lambda _: Lock(), lambda _: FullDisk(), slow_disk], ids=["locked", "full", "slow"])
async def test_the_check_finds_a_server_that_says_saved_too_early(
    tmp_path: Path, seed: int, ailment: Callable[[Random], Ailment]
) -> None:
    """G11: a check that can't fail proves nothing."""
    outage = Outage(tmp_path / "data", seed, ailment(Random(seed)), module="tests.durability.spoiled")

    with pytest.raises(AssertionError, match=MUST_NOT):
        await outage.live_through()


async def test_the_check_finds_a_server_that_loses_with_a_failed_sync_what_it_said_was_saved(
    tmp_path: Path, seed: int
) -> None:
    """G11, S19."""
    outage = Outage(tmp_path / "data", seed, failed_sync(Random(seed)), module="tests.durability.spoiled")

    figures = await outage.end_and_start_again()

    assert figures.findings.lost


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_edits_are_refused_before_memory_runs_out(tmp_path: Path, seed: int, rounds: int) -> None:
    """G11, R15: with 1013, and whoever was refused has lost nothing."""
    figures = Figures()
    for number in range(rounds):
        outage = Outage(tmp_path / str(number), seed + number, Lock(), journal_max_bytes=20_000)
        figures += await outage.be_refused()

    assert Findings() == figures.findings


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_after_a_failed_sync_the_next_process_has_all_that_was_acknowledged(
    tmp_path: Path, seed: int, rounds: int
) -> None:
    """G11, S19."""
    figures = Figures()
    for number in range(rounds):
        outage = Outage(tmp_path / str(number), seed + number, failed_sync(Random(seed + number)))
        figures += await outage.end_and_start_again()

    assert Findings() == figures.findings


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_so_it_is_after_a_checkpoint_whose_sync_failed(tmp_path: Path, seed: int, rounds: int) -> None:
    """G11, S19: SQLite's own checkpoints tell nobody, and succeed when they are tried again."""
    figures = Figures()
    for number in range(rounds):
        ailment = failed_checkpoint(Random(seed + number))
        outage = Outage(tmp_path / str(number), seed + number, ailment, module="tests.durability.hurried")
        figures += await outage.end_and_start_again()

    assert Findings() == figures.findings


def test_a_failed_sync_is_never_forgotten(tmp_path: Path) -> None:
    """S19, S5 of the hazards: the next sync may succeed, and proves nothing."""
    server = Server(tmp_path / "data")
    server.wrapper = tracing.fail_sync(server.database.with_name("collab.db-wal"), 10)
    try:
        server.start()
        with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
            # Each answer is a commit of its own.
            answers = [client.get("/readyz") for _ in range(20)]
    finally:
        server.kill()

    codes = [answer.status_code for answer in answers]
    assert httpx.codes.OK == codes[0]
    assert {httpx.codes.SERVICE_UNAVAILABLE} == set(codes[codes.index(httpx.codes.SERVICE_UNAVAILABLE) :])
    assert "the disk did not keep" in answers[-1].text
