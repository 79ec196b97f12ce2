"""Turns at something that only one can have at a time, so that nobody who wants many keeps others waiting.

Not for: what the turn is spent on, or how long one may be.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairQueue:
    """Grants one turn at a time, to owners in rotation, and among the turns of one owner to topics in rotation.

    Who asks first is first among the turns of one owner on one topic (round robin; RFC 970 has the argument).
    """

    def __init__(self) -> None:
        self._taken = False
        self._waiting: dict[str, dict[str, deque[asyncio.Future[None]]]] = {}
        """By owner and topic; neither is there without somebody who waits, and the next is the first."""

    @asynccontextmanager
    async def turn(self, owner: str, topic: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it until the block ends."""
        if self._taken:
            await self._wait(owner, topic)
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, owner: str, topic: str) -> None:
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, {}).setdefault(topic, deque()).append(granted)
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.cancelled():
                self._pass_on()  # it was granted to somebody who has gone
            raise

    def _pass_on(self) -> None:
        """Grant the next turn; whoever has been given up meanwhile has none."""
        while self._waiting:
            granted = self._next()
            if not granted.done():
                granted.set_result(None)
                return
        self._taken = False

    def _next(self) -> asyncio.Future[None]:
        """Take out whose turn it is, and put the owner and the topic behind all others."""
        owner = next(iter(self._waiting))
        topics = self._waiting.pop(owner)
        topic = next(iter(topics))
        line = topics.pop(topic)
        granted = line.popleft()
        if line:
            topics[topic] = line
        if topics:
            self._waiting[owner] = topics
        return granted
