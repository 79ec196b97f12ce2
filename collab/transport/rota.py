"""What all clients together may take of the loop at a stretch, and whose turn it is once they have had that.

Not for: what one client may take (`session`), or what work on a message costs. Measured before: 50
sockets that sent at once held the loop for 1.1 s, each with no more than its own share.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

STRETCH_SECONDS: Final = 0.05
"""What messages may take in one turn of the loop. As much again goes into settling what they brought."""

NOTICED_SECONDS: Final = 0.005
"""From here on it is noticed where a turn ends: a callback for every turn would cost as much as a keystroke."""


class Rota:
    """Owned by whatever serves the sockets of one loop."""

    __slots__ = ("_due", "_loop", "_spent", "_waiting", "exhausted")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.exhausted = False
        """Whether whoever has something to do must `wait`."""
        self._loop = loop
        self._spent = 0.0
        self._due = False
        self._waiting: deque[Callable[[], None]] = deque()

    def spend(self, seconds: float) -> None:
        """Take note that a message took so long."""
        self._spent += seconds
        if self._spent > NOTICED_SECONDS:
            self._come_back()
            self.exhausted = self.exhausted or self._spent > STRETCH_SECONDS

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Take note of how long something took, without what of it was noted already."""
        started, before = perf_counter(), self._spent
        yield
        self.spend(perf_counter() - started - (self._spent - before))

    def wait(self, go_on: Callable[[], None]) -> None:
        """Have `go_on` called in a later turn, behind those that wait already."""
        self._waiting.append(go_on)
        self._come_back()

    def _come_back(self) -> None:
        if not self._due:
            self._due = True
            self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._due = False
        self._spent = 0.0
        self.exhausted = False
        # Who comes to wait meanwhile has had a turn.
        for _ in range(len(self._waiting)):
            if self.exhausted:
                break
            self._waiting.popleft()()
        if self._waiting:
            # Who comes now waits behind them.
            self.exhausted = True
            self._come_back()
