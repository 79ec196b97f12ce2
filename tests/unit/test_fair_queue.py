"""Whose turn it is (R14)."""

from __future__ import annotations

import asyncio

from collab.fair_queue import FairQueue


class Line:
    """People who want turns at one queue, and the order in which they had them."""

    def __init__(self) -> None:
        self.queue = FairQueue()
        self.order: list[str] = []
        self._ends = asyncio.Event()

    def asks(self, name: str, owner: str, topic: str = "a") -> asyncio.Task[None]:
        return asyncio.create_task(self._turn(name, owner, topic))

    async def _turn(self, name: str, owner: str, topic: str) -> None:
        async with self.queue.turn(owner, topic):
            self.order.append(name)
            await self._ends.wait()

    def ends(self) -> None:
        self._ends.set()


async def all_ask(*tasks: asyncio.Task[None]) -> None:
    """Let all of them ask, in this order; the first has its turn meanwhile."""
    for _ in tasks:
        await asyncio.sleep(0)


async def test_who_asks_for_many_turns_keeps_nobody_else_waiting() -> None:
    """R14: an honest paste waited for eight trials of a stranger."""
    line = Line()
    tasks = [line.asks(f"eve {at}", "eve") for at in range(8)]
    tasks.append(line.asks("ann", "ann"))
    await all_ask(*tasks)

    line.ends()
    await asyncio.gather(*tasks)

    assert line.order[:4] == ["eve 0", "eve 1", "ann", "eve 2"]
    assert len(line.order) == 9


async def test_turns_of_one_owner_go_round_among_topics() -> None:
    """R14: who shares an address with a stranger is not kept waiting in another document."""
    line = Line()
    tasks = [line.asks(f"mine {at}", "us", "mine") for at in range(4)]
    tasks.append(line.asks("yours", "us", "yours"))
    await all_ask(*tasks)

    line.ends()
    await asyncio.gather(*tasks)

    assert line.order == ["mine 0", "mine 1", "yours", "mine 2", "mine 3"]


async def test_a_turn_of_somebody_who_has_gone_is_the_next_ones() -> None:
    line = Line()
    first, gone, last = line.asks("first", "a"), line.asks("gone", "b"), line.asks("last", "c")
    await all_ask(first, gone, last)

    gone.cancel()
    line.ends()
    await asyncio.gather(first, gone, last, return_exceptions=True)

    assert line.order == ["first", "last"]


async def test_who_goes_at_the_moment_of_its_turn_passes_it_on() -> None:
    queue = FairQueue()
    had: list[str] = []

    async def wait(name: str) -> None:
        async with queue.turn(name, ""):
            had.append(name)

    async with queue.turn("first", ""):
        gone, last = asyncio.create_task(wait("gone")), asyncio.create_task(wait("last"))
        await asyncio.sleep(0)
    gone.cancel()  # its turn has come, and it has not heard of it
    await asyncio.gather(gone, last, return_exceptions=True)

    assert had == ["last"]


async def test_a_turn_that_failed_is_over() -> None:
    queue = FairQueue()
    for _ in range(2):
        try:
            async with queue.turn("ann", "a"):
                raise RuntimeError
        except RuntimeError:
            pass
    async with asyncio.timeout(1), queue.turn("bob", "a"):
        pass
