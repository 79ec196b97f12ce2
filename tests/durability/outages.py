"""Servers whose disk or database is not well, while people type (G11)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx
import psutil

from collab.core.wire import var_bytes
from collab.server import DISK_FAILED
from collab.store.leftovers import wal_of
from tests.durability.ailments import Ailment
from tests.durability.evidence import contents_of, joined_late, stored
from tests.durability.ledger import Findings, compare
from tests.durability.load import masked
from tests.durability.typist import DEADLINE_SECONDS, SYNC_STATUS, Typist, company, wait_until
from tests.support.server import Server

PAUSE_SECONDS: Final = 0.03
MEMORY_BYTES: Final = 64 << 20
"""What a server may grow by while it can't write."""
REFUSED_BYTES: Final = 16 << 20
"""What it may grow by once its journal, of 20 kB, is full. What is kept of each of QUESTIONS would be more."""
QUESTIONS: Final = 100_000
GOODBYE: Final = bytes((0x88, 0x80, 0, 0, 0, 0))
"""A close frame without a code, as a client sends it."""
UNAVAILABLE: Final = 1013
ENOUGH: Final = 100
"""Updates that are acknowledged at least where nobody is sent away, so that the check has something to look at."""
MUST_NOT: Final = "acknowledged what cannot be on disk"


@dataclass
class Figures:
    """What came of some outages."""

    outages: int = 0
    acknowledged: int = 0
    findings: Findings = field(default_factory=Findings)

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.outages + other.outages, self.acknowledged + other.acknowledged, self.findings + other.findings
        )


class Outage:
    """One server, one ailment, and what everybody sees of it."""

    def __init__(
        self, folder: Path, seed: int, ailment: Ailment, *, module: str = "collab", **settings: object
    ) -> None:
        """Prepare it; `module` is the server's, run with `python -m`."""
        self.figures = Figures(outages=1)
        self.typists = company(seed)
        self.server = Server(folder, **settings)
        self.server.module = module
        self._ailment = ailment
        self._typing: list[asyncio.Future[None]] = []
        self._client = httpx.AsyncClient(base_url=self.server.url, trust_env=False, timeout=30)

    async def live_through(self, hold_seconds: float = 0.0) -> Figures:
        """Let it strike, last so long at least, and go; assert what must be seen at each step."""
        async with self._cared_for():
            await self._begin()
            await self._see_unready()
            told = [len(each.ledger.sent) for each in self.typists]
            await wait_until(lambda: self._typed_since(told, 3), "people type on")
            late = await joined_late(self.server.ws_url, self.typists[0].document)
            memory = self._memory() - self._memory_before
            heard = [each.ledger.acknowledged for each in self.typists]
            status, _ = await self._readiness()
            # Still unwell: so it was all the time between.
            if status == httpx.codes.SERVICE_UNAVAILABLE:
                assert all(a <= b for a, b in zip(heard, told, strict=True)), MUST_NOT
            assert late.text, "a late joiner found nothing"
            assert memory < MEMORY_BYTES, f"the server grew by {memory >> 20} MiB"
            # How long it lasts, not something that is waited for.
            await asyncio.sleep(hold_seconds)
            self._ailment.heal()
            await wait_until(lambda: all(each.online for each in self.typists), "nobody was sent away")
            await wait_until(lambda: self._acknowledged() > ENOUGH, "more is saved than before it struck")
            await self._end()
        return self.figures

    async def be_refused(self) -> Figures:
        """Let it last until the journal has no more room; everybody must be sent away with 1013."""
        async with self._cared_for():
            await self._begin()
            await wait_until(lambda: all(UNAVAILABLE in each.closed_with for each in self.typists), "1013")
            for document in self._documents:
                await self._nag(document)
            memory = self._memory() - self._memory_before
            assert memory < REFUSED_BYTES, f"the server grew by {memory >> 20} MiB"
            late = await joined_late(self.server.ws_url, self.typists[0].document)
            assert late.text, "a late joiner found nothing"
            self._ailment.heal()
            await self._see_ready()
            await self._come_back()
            await self._end()
        return self.figures

    async def end_and_start_again(self) -> Figures:
        """Wait until it has ended the server; the next one must have all that was acknowledged."""
        async with self._cared_for():
            await self._begin()
            code = await asyncio.to_thread(self.server.wait, DEADLINE_SECONDS)
            assert code == DISK_FAILED, f"the server ended with {code}\n{self.server.log}"
            assert self._ailment.reason in self.server.log.splitlines()[-1], self.server.log
            assert "Traceback" not in self.server.log, self.server.log
            # Whoever closes the database takes it away.
            assert wal_of(self.server.database).exists()
            self._look_at_disk()
            self.server.kill()
            self.server.wrapper = ()
            await asyncio.to_thread(self.server.start)
            await self._come_back()
            await self._end()
        return self.figures

    async def _begin(self) -> None:
        self._ailment.prepare(self.server)
        await asyncio.to_thread(self.server.start)
        for typist in self.typists:
            typist.go_online(self.server.ws_url)
        self._typing = [asyncio.ensure_future(each.type(PAUSE_SECONDS)) for each in self.typists]
        # Not much, or what strikes by itself has done so already.
        await wait_until(lambda: self._acknowledged() >= 20, "something is saved")
        self._memory_before = self._memory()
        self._ailment.strike()

    async def _end(self) -> None:
        """Stop typing; everything must be saved then, and be the same everywhere."""
        await self._stop_typing()
        await wait_until(lambda: all(each.saved for each in self.typists), "all is saved")
        await self._see_ready()
        for name in self._documents:
            late = await joined_late(self.server.ws_url, name)
            await wait_until(lambda late=late, name=name: self._texts(name) == {late.text}, "all have the same")  # type: ignore[misc]
        self.server.kill()
        for typist in self.typists:
            await typist.offline()
        self._look_at_disk()
        self.figures.acknowledged = self._acknowledged()

    def _acknowledged(self) -> int:
        return sum(each.ledger.acknowledged for each in self.typists)

    async def _stop_typing(self) -> None:
        for task in self._typing:
            task.cancel()
        for outcome in await asyncio.gather(*self._typing, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError), outcome

    def _look_at_disk(self) -> None:
        for name, update in stored(self._ailment.outside(self.server.database), self._documents).items():
            self.figures.findings += compare(contents_of(update), [each.ledger for each in self._people(name)])

    async def _nag(self, document: str) -> None:
        """Ask again and again whether all is saved, in a document of which something is not."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        writer.write(
            f"GET /ws/{quote(document)} HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            "".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        question = masked(bytes((SYNC_STATUS,)) + var_bytes(bytes(16)))
        for _ in range(QUESTIONS // 1000):
            writer.write(question * 1000)
            await writer.drain()
        writer.write(GOODBYE)
        await reader.read()  # it answers when it has seen all of them
        writer.close()

    async def _come_back(self) -> None:
        """Have everybody connect until they are in, as providers do: some may be refused once more."""
        for typist in self.typists:
            await typist.offline()

        def all_are_in() -> bool:
            for typist in self.typists:
                if typist.gone:
                    typist.go_online(self.server.ws_url)
            return all(each.online for each in self.typists)

        await wait_until(all_are_in, "everybody is back")

    async def _see_unready(self) -> None:
        answer = (0, "")
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                # The journal first says that it waits, then for what.
                while self._ailment.reason not in answer[1]:
                    answer = await self._readiness()
        except TimeoutError:
            raise AssertionError(f"/readyz said {answer}, not {self._ailment.reason!r}\n{self.server.log}") from None
        assert answer[0] == httpx.codes.SERVICE_UNAVAILABLE

    async def _see_ready(self) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (await self._readiness())[0] != httpx.codes.OK:
                pass

    async def _readiness(self) -> tuple[int, str]:
        answer = await self._client.get("/readyz")
        return answer.status_code, answer.text

    def _typed_since(self, told: list[int], strokes: int) -> bool:
        return all(len(each.ledger.sent) >= at + strokes for each, at in zip(self.typists, told, strict=True))

    @property
    def _documents(self) -> set[str]:
        return {each.document for each in self.typists}

    def _people(self, document: str) -> list[Typist]:
        return [each for each in self.typists if each.document == document]

    def _texts(self, document: str) -> set[str]:
        return {each.contents.text for each in self._people(document)}

    def _memory(self) -> int:
        return psutil.Process(self.server.pid).memory_info().rss

    @asynccontextmanager
    async def _cared_for(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for task in self._typing:
                task.cancel()
            await self._client.aclose()
            self.server.kill()
            self._ailment.close()
            for typist in self.typists:
                typist.close()
