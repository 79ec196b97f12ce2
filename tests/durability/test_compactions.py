"""Compaction loses nothing and brings nothing back, however many are at it and wherever they die (G7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from collab.store.base import Compaction
from collab.store.compaction import CompactedStore
from collab.store.memory import MemoryStore
from collab.store.sql import SqlStore
from tests.durability import compacting, compactions
from tests.durability.compactions import Figures
from tests.durability.ledger import Findings
from tests.durability.power_cuts import MEMORY

LONG = [pytest.mark.long, pytest.mark.timeout(7200)]


@asynccontextmanager
async def opened(kind: str) -> AsyncIterator[CompactedStore]:
    if kind == "memory":
        yield MemoryStore()
        return
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        store = await SqlStore.open(f"sqlite:///{folder}/collab.db")
        yield store
        await store.close()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("runs", [100, pytest.param(10_000, marks=LONG)])
async def test_compactors_that_die_lose_nothing_and_bring_nothing_back(kind: str, seed: int, runs: int) -> None:
    """G7: four of them, at a document that three people write."""
    figures = Figures()
    async with opened(kind) as store:
        for number in range(runs):
            figures += await compactions.run(store, seed + number)

    assert Findings() == figures.findings
    assert figures.killed > runs
    assert figures.compacted > runs


@pytest.mark.parametrize("kills", [8, pytest.param(1000, marks=LONG)])
async def test_processes_that_compact_one_document_and_are_killed(tmp_path: Path, seed: int, kills: int) -> None:
    """G7: with SIGKILL, in their transactions or anywhere."""
    figures = await compacting.run_processes(tmp_path, seed, kills)

    assert Findings() == figures.findings
    assert figures.killed >= kills


class Spoiled(MemoryStore):
    """Deletes all rows there are, not those that were read."""

    async def compact(self, compaction: Compaction) -> bool:
        rows = await self.load(compaction.document)
        return await super().compact(replace(compaction, replaced=tuple(row.id for row in rows)))


async def test_the_check_finds_what_is_lost_by_deleting_more_than_was_read() -> None:
    """G7: a check that can't fail proves nothing. Seeds of its own: in one set of ten no deletion was lost."""
    store, figures = Spoiled(), Figures()
    for number in range(20):
        figures += await compactions.run(store, number)

    assert figures.findings.lost
    assert figures.findings.resurrected
