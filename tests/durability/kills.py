"""Servers that are killed while people type, at named places and at any time (G1, G9).

One session is one folder and eight typists in three documents, through many deaths of their server.
After each death the database is read as it lies there; after each start, before anybody has come back,
so is what a late joiner gets; and in the end everybody must have the same.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from collab import faults
from collab.faults import Point
from tests.durability import tracing
from tests.durability.evidence import contents_of, joined_late, stored
from tests.durability.ledger import Contents, Findings, compare
from tests.durability.typist import Typist, company, wait_until
from tests.support.server import Server

ANY_TIME: Final = "any-time"
CHECKPOINT: Final = "in-checkpoint"
PLACES: Final = (*(point.value for point in Point), CHECKPOINT, ANY_TIME)

PAUSE_SECONDS: Final = 0.03
"""Between two strokes of one typist: 270 strokes a second of all eight, so that commits are always under way."""
LONGEST_SECONDS: Final = 20.0
"""A server that has not passed its place by then is killed where it is."""

PASSINGS: Final = {
    # A late joiner of each document comes first, and is a message, too.
    Point.BEFORE_APPLY: (10, 400),
    Point.AFTER_APPLY: (10, 400),
    Point.IN_TRANSACTION: (1, 60),
    Point.AFTER_COMMIT: (1, 60),
    Point.BEFORE_COMPACTION: (1, 3),
    Point.IN_COMPACTION: (1, 3),
    Point.AFTER_COMPACTION: (1, 3),
}
"""At which passing of its place a server dies, at least and at most."""

Judge = Callable[[bytes], Awaitable[str]]
"""Says what text a state has, by another library than ours."""


@dataclass
class Figures:
    """What came of some kills."""

    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    sent: int = 0
    findings: Findings = field(default_factory=Findings)
    readings: int = 0
    """How many times a document was read and compared."""
    delays: list[float] = field(default_factory=list)

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.kills + other.kills,
            self.acknowledged + other.acknowledged,
            self.sent + other.sent,
            self.findings + other.findings,
            self.readings + other.readings,
            self.delays + other.delays,
        )


def plan(seed: int, kills: int) -> list[str]:
    """Return where to kill, each place about as often as any other; the first is not in a checkpoint."""
    order = Random(seed)
    # The first server makes the database, which writes to it as a checkpoint does.
    places = [ANY_TIME, *(PLACES[number % len(PLACES)] for number in range(kills - 1))]
    rest = places[1:]
    order.shuffle(rest)
    return [places[0], *rest]


class Session:
    """One folder, its server and its typists."""

    def __init__(self, folder: Path, seed: int, *, module: str | None = None) -> None:
        """Use `module` for the server instead of `collab`."""
        self.figures = Figures()
        self._random = Random(seed)
        self._module = module
        self._typists = company(seed)
        self._documents = sorted({typist.document for typist in self._typists})
        # Compaction is always due, so that its places are passed.
        self._server = Server(folder, compact_rows=20, compact_interval_seconds=0.2)

    async def run(
        self,
        places: Sequence[str],
        progress: Callable[[str], None] = lambda place: None,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> Figures:
        """Kill at each of these places while it `goes_on`, and look at what is left after each."""
        with self._closing():
            typing = [asyncio.ensure_future(typist.type(PAUSE_SECONDS)) for typist in self._typists]
            try:
                for place in places:
                    await self._live_and_die(place)
                    progress(place)
                    if not goes_on():
                        break
            finally:
                for task in typing:
                    task.cancel()
                outcomes = await asyncio.gather(*typing, return_exceptions=True)
            for outcome in outcomes:
                if not isinstance(outcome, asyncio.CancelledError):
                    raise AssertionError("a typist failed") from outcome
        return self.figures

    async def agree(self, judge: Judge | None = None) -> None:
        """Bring everybody back to a server that lives, and compare their copies, the late joiner's and the disk's."""
        with self._closing():
            self._prepare(None)
            await asyncio.to_thread(self._server.start)
            self._everybody_comes()
            await wait_until(lambda: all(each.online and each.saved for each in self._typists), "all is saved")
            await wait_until(self._same, "everybody has the same text")
            late = {name: await joined_late(self._server.ws_url, name) for name in self._documents}
            self._server.kill()
            await self._everybody_is_gone()
            rows = stored(self._server.database, self._documents)
            for name, update in rows.items():
                texts = {each.contents.text for each in self._copies(name)}
                texts |= {late[name].text, contents_of(update).text}
                if judge is not None:
                    texts.add(await judge(update))
                assert len(texts) == 1, f"{name} differs: {sorted(texts, key=len)}"
                self._compare(name, contents_of(update))
        self.figures.acknowledged = sum(each.ledger.acknowledged for each in self._typists)
        self.figures.sent = sum(len(each.ledger.sent) for each in self._typists)
        self.figures.delays = [delay for each in self._typists for delay in each.delays]
        for typist in self._typists:
            typist.close()

    async def _live_and_die(self, place: str) -> None:
        self._prepare(place)
        if await asyncio.to_thread(self._starts, place):
            for name in self._documents:
                # Before its writers come back, who would bring what the server has lost.
                if any(each.ledger.acknowledged for each in self._copies(name)):
                    self._compare(name, await joined_late(self._server.ws_url, name))
            self._everybody_comes()
        seconds = self._random.uniform(0.05, 0.8) if place == ANY_TIME else LONGEST_SECONDS
        code = await asyncio.to_thread(self._server.wait, seconds)
        assert code in (None, -signal.SIGKILL), f"the server ended with {code}\n{self._server.log}"
        self._server.kill()
        await self._everybody_is_gone()
        self._compare_stored()
        self.figures.kills[ANY_TIME if code is None else place] += 1

    def _compare_stored(self) -> None:
        for name, update in stored(self._server.database, self._documents).items():
            self._compare(name, contents_of(update))

    def _starts(self, place: str) -> bool:
        """Start the server; False if it was killed at once, by the checkpoint of what its predecessor left."""
        try:
            self._server.start()
        except AssertionError:
            if place == CHECKPOINT and self._server.wait(0) == -signal.SIGKILL:
                return False
            raise
        return True

    def _prepare(self, place: str | None) -> None:
        self._server.settings.pop(faults.VARIABLE, None)
        self._server.wrapper = ()
        self._server.module = self._module or "collab"
        if place == CHECKPOINT:
            self._server.module = self._module or "tests.durability.hurried"
            # In WAL mode nothing but a checkpoint writes to the file itself.
            self._server.wrapper = tracing.kill_at_write(self._server.database, self._random.randint(1, 20))
        elif place is not None and place != ANY_TIME:
            self._server.settings[faults.VARIABLE] = f"{place}:{self._random.randint(*PASSINGS[Point(place)])}"

    def _everybody_comes(self) -> None:
        for typist in self._typists:
            typist.go_online(self._server.ws_url)

    async def _everybody_is_gone(self) -> None:
        for typist in self._typists:
            await typist.offline()

    def _same(self) -> bool:
        return all(len({each.contents.text for each in self._copies(name)}) == 1 for name in self._documents)

    def _copies(self, document: str) -> list[Typist]:
        return [each for each in self._typists if each.document == document]

    def _compare(self, document: str, contents: Contents) -> None:
        ledgers = [each.ledger for each in self._copies(document)]
        self.figures.findings += compare(contents, ledgers)
        self.figures.readings += 1

    @contextmanager
    def _closing(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._server.kill()


async def run_session(
    folder: Path,
    seed: int,
    kills: int,
    *,
    judge: Judge | None = None,
    progress: Callable[[str], None] = lambda place: None,
    goes_on: Callable[[], bool] = lambda: True,
) -> Figures:
    """Kill a server so many times while it `goes_on`, and compare everything; `folder` is there, and its own."""
    session = Session(folder / "data", seed)
    await session.run(plan(seed, kills), progress, goes_on)
    await session.agree(judge)
    return session.figures
