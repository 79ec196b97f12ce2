"""Compactors at a document that people write, killed anywhere (G7).

All in one process, thousands of times: a kill is an exception at a place, or a cancellation at any
await. Not for: processes that die of SIGKILL (`compacting`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeVar, TypeVarTuple

from collab import faults
from collab.core.ports import DocumentId, Entry
from collab.faults import Point
from collab.loading import readable_of
from collab.sandbox import Sandbox
from collab.store.base import Compaction, Description, LogRow, Segment
from collab.store.compaction import CompactedStore, Compactor
from collab.store.rights import Rights
from tests.durability.evidence import contents_of
from tests.durability.ledger import Findings, compare
from tests.durability.manuscript import Manuscript

COMPACTORS: Final = 4
PLACES: Final = (Point.BEFORE_COMPACTION, Point.IN_COMPACTION, Point.AFTER_COMPACTION)

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class KilledError(BaseException):
    """What a compactor dies of; nothing may catch it."""


@dataclass
class Figures:
    """What came of some runs."""

    runs: int = 0
    killed: int = 0
    """Compactors that were ended before they had."""
    compacted: int = 0
    findings: Findings = field(default_factory=Findings)

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.runs + other.runs,
            self.killed + other.killed,
            self.compacted + other.compacted,
            self.findings + other.findings,
        )


class Here(Sandbox):
    """Work in this process, some turns of the loop later."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    async def run(self, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        await _idle(self._random)
        return function(*arguments)


class Unhurried(CompactedStore):
    """A store that takes some turns of the loop before and after everything."""

    def __init__(self, store: CompactedStore, random: Random) -> None:
        self._store = store
        self._random = random

    @property
    def rights(self) -> Rights:
        return self._store.rights

    async def append(self, batch: Sequence[tuple[DocumentId, Entry]]) -> None:
        await _idle(self._random)
        await self._store.append(batch)
        await _idle(self._random)

    async def create(self, document: DocumentId, entry: Entry) -> bool:
        return await self._store.create(document, entry)

    async def load(self, document: DocumentId, most_updates: int | None = None) -> Sequence[LogRow]:
        await _idle(self._random)
        rows = await self._store.load(document, most_updates)
        await _idle(self._random)
        return rows

    async def compact(self, compaction: Compaction) -> bool:
        await _idle(self._random)
        done = await self._store.compact(compaction)
        await _idle(self._random)
        return done

    async def describe(self, document: DocumentId) -> Description | None:
        return await self._store.describe(document)

    async def clients(self, document: DocumentId) -> Mapping[int, str]:
        return await self._store.clients(document)

    async def segments(self, document: DocumentId) -> Sequence[Segment]:
        return await self._store.segments(document)

    async def prune(self, before: float) -> int:
        return await self._store.prune(before)

    async def check(self) -> None:
        await self._store.check()

    async def close(self) -> None:
        await self._store.close()


async def _idle(random: Random) -> None:
    for _ in range(random.randint(0, 3)):
        await asyncio.sleep(0)


async def run(store: CompactedStore, seed: int, *, updates: int = 25) -> Figures:
    """Write a document while compactors are at it and die of it; compare it again and again."""
    random = Random(seed)
    name = DocumentId(f"paper {seed}")
    manuscript = Manuscript(random)
    figures = Figures(runs=1)
    slow = Unhurried(store, random)

    async def compact() -> None:
        compactor = Compactor(slow, Here(random), lambda: 0.0)
        while True:
            figures.compacted += await compactor.compact(name)
            await asyncio.sleep(0)

    async def look() -> None:
        due = [ledger.acknowledged for ledger in manuscript.ledgers]
        contents = contents_of(readable_of(name, await slow.load(name)).full_state())
        figures.findings += compare(contents, manuscript.ledgers, due)

    with _dying(random):
        compactors = [asyncio.ensure_future(compact()) for _ in range(COMPACTORS)]
        for ledger, update in manuscript.updates(updates):
            await slow.append([(name, Entry(update, "ann"))])
            ledger.acknowledged += 1
            if random.random() < 0.1:
                random.choice(compactors).cancel()
            if random.random() < 0.1:
                await look()
            for at, compactor in enumerate(compactors):
                if compactor.done():
                    figures.killed += 1
                    await _end(compactor)
                    compactors[at] = asyncio.ensure_future(compact())
    for compactor in compactors:
        compactor.cancel()
        await _end(compactor)
    await look()
    await Compactor(store, Here(random), lambda: 0.0).compact(name)
    await look()
    return figures


async def _end(compactor: asyncio.Future[None]) -> None:
    with suppress(asyncio.CancelledError, KilledError):
        await compactor


@contextmanager
def _dying(random: Random) -> Iterator[None]:
    """Let compactors die now and then at the places of a compaction."""

    def reach(point: Point) -> None:
        if point in PLACES and random.random() < 0.05:
            raise KilledError(point.value)

    faults.reach = reach
    try:
        yield
    finally:
        faults.reach = None
