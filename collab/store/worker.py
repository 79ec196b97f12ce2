"""Threads that do one piece of work after another for an event loop.

As `ThreadPoolExecutor` with `run_in_executor` does, for half of the CPU at the pace of a log that is
committed a hundred times a second: a result takes one hop to the loop, not three, and no locks. Not
for work that may be called back: what was begun ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

_Task = tuple[Callable[[], Any], asyncio.Future[Any]]


class Worker:
    """Owns its threads, which end with `stop`."""

    def __init__(self, name: str, threads: int = 1) -> None:
        """Start at once; with one thread, work is done in the order in which it came."""
        self._queue: SimpleQueue[_Task | None] = SimpleQueue()
        self._threads = [Thread(target=self._run, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def do(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Do `work` when its turn comes; the future has its result, or what it raised.

        A future that was cancelled meanwhile gets neither, and the work is done all the same.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put((work, future))
        return future

    async def stop(self) -> None:
        """End when everything is done that came before."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _run(self) -> None:
        while (task := self._queue.get()) is not None:
            work, future = task
            result, error = None, None
            try:
                result = work()
            except BaseException as raised:  # noqa: BLE001 - it is the caller's, whatever it is
                error = raised
            # The loop is closed: nobody waits any more.
            with suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_hand_over, future, result, error)
            # Not kept until the next piece of work comes.
            del task, work, future, result, error


def _hand_over(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
