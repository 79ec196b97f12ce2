"""What was acknowledged survives the death of the server, wherever it dies (G1, G9)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import mkdtemp

import pytest

from collab.faults import Point
from tests.durability.kills import PLACES, Figures, Session, run_session
from tests.durability.ledger import Findings
from tests.support.node import Oracle

AT_ONCE = 2


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [30, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(7200)])])
async def test_nothing_acknowledged_is_lost_wherever_the_server_dies(
    tmp_path: Path, seed: int, oracle: Oracle, kills: int
) -> None:
    """G1, G9: at every named place and at any time, and nothing comes twice or comes back."""

    async def judge(update: bytes) -> str:
        return "".join(insert for insert, _ in oracle.judge([update]).view["text"]["text"])

    each = kills // AT_ONCE
    folders = [Path(mkdtemp(dir=tmp_path)) for _ in range(AT_ONCE)]
    sessions = [run_session(folder, seed + at, each, judge=judge) for at, folder in enumerate(folders)]
    figures = sum(await asyncio.gather(*sessions), Figures())

    assert Findings() == figures.findings
    assert kills == figures.kills.total()
    assert figures.kills.keys() == set(PLACES)
    assert figures.acknowledged == figures.sent > 10 * kills


async def test_the_check_finds_what_a_server_loses_that_says_saved_too_early(tmp_path: Path, seed: int) -> None:
    """G1: a check that can't fail proves nothing."""
    session = Session(tmp_path / "data", seed, module="tests.durability.spoiled")

    figures = await session.run([Point.AFTER_COMMIT.value, *[Point.IN_TRANSACTION.value] * 4])

    # A deletion that was lost shows as text that is back.
    assert figures.findings.lost or figures.findings.resurrected
