"""`make proof ARGS="--minutes 20 --seed 1"`: everything here at length, and a report of it.

The minutes are shared out between the kinds of proof; each goes on until its share is spent. Ends with
1 if anything was lost.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random, SystemRandom
from tempfile import TemporaryDirectory, mkdtemp
from typing import Final

import structlog

from collab.store.compaction import CompactedStore
from collab.store.memory import MemoryStore
from collab.store.sql import SqlStore
from tests.durability import compacting, compactions, kills, load, machine, power_cuts, report, yardstick
from tests.durability.ailments import FullDisk, Lock, failed_sync, slow_disk
from tests.durability.outages import Figures, Outage
from tests.durability.report import Proof
from tests.support.node import Node, Oracle

REPORT: Final = Path(__file__).resolve().parents[2] / "docs" / "proof.md"

SHARES: Final = {
    "load": 0.05,
    "yardstick": 0.05,
    "kills": 0.42,
    "power cuts": 0.24,
    "compactions": 0.10,
    "processes": 0.04,
    "outages": 0.10,
}
"""Of the minutes. Kills take the longest each, and there have to be hundreds."""

SESSIONS_AT_ONCE: Final = 2
KILLS_A_SESSION: Final = 2 * len(kills.PLACES)
UPDATES_A_RECORD: Final = 300
IMAGES_A_RECORD: Final = 1500
RUNS_A_STORE: Final = 200
HELD_SECONDS: Final = 8.0
"""How long a lock is held: four times as long as a server waits for one."""
LOAD_SECONDS: Final = (10.0, 60.0)


class Clock:
    """What is left of one share, and the line that says so."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name = name
        self._end = time.monotonic() + seconds
        self._said = 0.0

    def goes_on(self) -> bool:
        return time.monotonic() < self._end

    def say(self, what: str) -> None:
        """Show progress: on a terminal in one line, else now and then."""
        now = time.monotonic()
        if sys.stdout.isatty():
            print(f"\r\x1b[K{self._name}: {what}, {max(0.0, self._end - now):.0f} s left", end="", flush=True)
        elif now - self._said > 10:
            print(f"{self._name}: {what}, {max(0.0, self._end - now):.0f} s left", flush=True)
            self._said = now


class Prover:
    """Owns the proof while it is made."""

    def __init__(self, proof: Proof, folder: Path, oracle: Oracle) -> None:
        self._proof = proof
        self._folder = folder
        self._oracle = oracle
        self._seeds = Random(proof.seed)

    async def run(self, seconds: float) -> None:
        for name, prove in (
            ("load", self._load),
            ("yardstick", self._yardstick),
            ("kills", self._kills),
            ("power cuts", self._power_cuts),
            ("compactions", self._compactions),
            ("processes", self._processes),
            ("outages", self._outages),
        ):
            share = seconds * SHARES[name]
            await prove(Clock(name, share), share)
            print(flush=True)

    async def _load(self, clock: Clock, seconds: float) -> None:
        self._proof.sync_seconds = load.time_syncs(self._folder)
        least, most = LOAD_SECONDS
        self._proof.saved_seconds = await load.run(self._new(), min(most, max(least, seconds)), clock.say)

    async def _yardstick(self, clock: Clock, seconds: float) -> None:
        program = yardstick.source()
        if program is not None:
            clock.say("the yardstick types")
            least, most = LOAD_SECONDS
            self._proof.yardstick = await yardstick.run(self._new(), program, min(most, max(least, seconds)))

    async def _kills(self, clock: Clock, seconds: float) -> None:
        done = 0

        def progress(place: str) -> None:
            nonlocal done
            done += 1
            clock.say(f"{done} servers killed")

        while clock.goes_on():
            sessions = [
                kills.run_session(self._new(), self._seed(), KILLS_A_SESSION, judge=self._judge, progress=progress,
                                  goes_on=clock.goes_on)
                for _ in range(SESSIONS_AT_ONCE)
            ]  # fmt: skip
            for figures in await asyncio.gather(*sessions):
                self._proof.kills += figures

    async def _power_cuts(self, clock: Clock, seconds: float) -> None:
        while clock.goes_on():
            seed = self._seed()
            record = await power_cuts.record(self._new(), seed, updates=UPDATES_A_RECORD)
            self._proof.records += 1
            self._proof.recorded += record.acknowledged
            before = self._proof.images.images

            def progress(done: int, before: int = before) -> bool:
                clock.say(f"{before + done} disks")
                return clock.goes_on()

            moments = power_cuts.moments(record, IMAGES_A_RECORD, seed)
            self._proof.images += await power_cuts.cut(record, seed, moments, progress)

    async def _compactions(self, clock: Clock, seconds: float) -> None:
        while clock.goes_on():
            for opened in (_memory, _sqlite):
                async with opened() as store:
                    for _ in range(RUNS_A_STORE):
                        self._proof.runs += await compactions.run(store, self._seed())
                        clock.say(f"{self._proof.runs.runs} documents")
                        if not clock.goes_on():
                            break

    async def _processes(self, clock: Clock, seconds: float) -> None:
        def progress(killed: int) -> bool:
            clock.say(f"{self._proof.processes.killed + killed} compactors killed")
            return clock.goes_on()

        while clock.goes_on():
            self._proof.processes += await compacting.run_processes(self._new(), self._seed(), 100, progress)

    async def _outages(self, clock: Clock, seconds: float) -> None:
        while clock.goes_on():
            for name, live in _OUTAGES.items():
                figures = await live(self._new() / "data", self._seed())
                self._proof.outages[name] = self._proof.outages.get(name, Figures()) + figures
                clock.say(f"{sum(each.outages for each in self._proof.outages.values())} outages")
                if not clock.goes_on() and len(self._proof.outages) == len(_OUTAGES):
                    break

    async def _judge(self, update: bytes) -> str:
        return "".join(insert for insert, _ in self._oracle.judge([update]).view["text"]["text"])

    def _seed(self) -> int:
        return self._seeds.randrange(1 << 31)

    def _new(self) -> Path:
        return Path(mkdtemp(dir=self._folder))


async def _locked(folder: Path, seed: int) -> Figures:
    return await Outage(folder, seed, Lock()).live_through(HELD_SECONDS)


async def _full(folder: Path, seed: int) -> Figures:
    return await Outage(folder, seed, FullDisk()).live_through()


async def _slow(folder: Path, seed: int) -> Figures:
    return await Outage(folder, seed, slow_disk(Random(seed))).live_through()


async def _refused(folder: Path, seed: int) -> Figures:
    return await Outage(folder, seed, Lock(), journal_max_bytes=20_000).be_refused()


async def _failed(folder: Path, seed: int) -> Figures:
    return await Outage(folder, seed, failed_sync(Random(seed))).end_and_start_again()


_OUTAGES: Final = {
    f"database locked for {HELD_SECONDS:g} s": _locked,
    "disk full": _full,
    "commit of 5 s": _slow,
    "journal full": _refused,
    "sync failed": _failed,
}


@asynccontextmanager
async def _memory() -> AsyncIterator[CompactedStore]:
    yield MemoryStore()


@asynccontextmanager
async def _sqlite() -> AsyncIterator[CompactedStore]:
    with TemporaryDirectory(dir=power_cuts.MEMORY if power_cuts.MEMORY.is_dir() else None) as folder:
        store = await SqlStore.open(f"sqlite:///{folder}/collab.db")
        yield store
        await store.close()


def main() -> int:
    parser = argparse.ArgumentParser(description="Prove at length that nothing acknowledged is lost; write a report.")
    parser.add_argument("--minutes", type=float, default=20, help="how long it may take, about [20]")
    parser.add_argument("--seed", type=int, help="repeat the random choices of another run [a new one]")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the report goes [docs/proof.md]")
    chosen = parser.parse_args()
    seed = chosen.seed if chosen.seed is not None else SystemRandom().randrange(1 << 31)
    print(f"seed {seed}", flush=True)
    # Thousands of stores are opened, and each would say so.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    command = f'make proof ARGS="--minutes {chosen.minutes:g} --seed {seed}"'
    started = time.monotonic()
    with TemporaryDirectory() as folder, Oracle(Node.find()) as oracle:
        proof = Proof(command, seed, chosen.minutes, machine=machine.description(Path(folder)))
        asyncio.run(Prover(proof, Path(folder), oracle).run(chosen.minutes * 60))
    proof.seconds = time.monotonic() - started
    report.write(proof, chosen.report)
    print(f"{report.verdict(proof)} See {chosen.report}")
    return 0 if proof.holds else 1


if __name__ == "__main__":
    sys.exit(main())
