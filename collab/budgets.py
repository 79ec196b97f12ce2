"""How much anybody may have at a time, or ask for in a time: connections, work on documents, requests.

Not for: how large one thing may be (`settings`, `core`), or what the operating system allows (`limits`). The clock
is anybody's that only goes forward, in seconds. The rules are Q of docs/spec.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from collab.errors import TooFastError

MOST_KEYS: Final = 10_000
"""Of how many addresses it is remembered what they asked for, beyond those that asked for too much just now."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What somebody may use in each second, and how much of it at once after a pause."""

    per_second: float
    at_once: float


@dataclass(frozen=True, slots=True)
class WorkLimits:
    """What one connection may have the server do."""

    bytes: Rate = Rate(4 << 20, 64 << 20)
    """Of messages."""
    structs: Rate = Rate(200_000, 4_000_000)
    """Of updates."""


class Account:
    """What somebody has used of one rate, by and by made good again (a token bucket)."""

    __slots__ = ("_at", "_used")

    def __init__(self, now: float) -> None:
        self._used = 0.0
        self._at = now

    def charge(self, amount: float, rate: Rate, now: float) -> float:
        """Use so much more; return how much that makes, which may be beyond `rate.at_once`."""
        self._used = max(0.0, self._used - (now - self._at) * rate.per_second) + amount
        self._at = now
        return self._used

    def is_even(self, rate: Rate, now: float) -> bool:
        """Whether all of it is made good."""
        return self._used <= (now - self._at) * rate.per_second


class Accounts:
    """One account for each of many, such as addresses. What is made good is forgotten."""

    def __init__(self, what: str, rate: Rate, unit: str, clock: Callable[[], float]) -> None:
        """`what` and `unit` are what it is called when somebody uses too much."""
        self._what = what
        self._rate = rate
        self._unit = unit
        self._clock = clock
        self._accounts: dict[str, Account] = {}

    def charge(self, key: str, amount: float = 1.0) -> None:
        """Let somebody use so much.

        Raises:
            TooFastError: it is too much now; then it is not counted.
        """
        now = self._clock()
        account = self._accounts.get(key)
        if account is None:
            if len(self._accounts) >= MOST_KEYS:
                self._forget(now)
            account = self._accounts[key] = Account(now)
        if (used := account.charge(amount, self._rate, now)) > self._rate.at_once:
            account.charge(-amount, self._rate, now)
            raise TooFastError(self._what, round(used), self._rate.at_once, self._unit)

    def _forget(self, now: float) -> None:
        self._accounts = {k: each for k, each in self._accounts.items() if not each.is_even(self._rate, now)}


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections there may be at a time."""

    address: int = 10_000
    principal: int = 1_000
    """Of somebody who is known, on all their devices."""
    document: int = 10_000


class Places:
    """The connections that are here, by address, principal and document. Owned by the running server."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = {"address": limits.address, "principal": limits.principal, "document": limits.document}
        self._taken: dict[str, Counter[str]] = {kind: Counter() for kind in self._limits}

    def take(self, kind: str, key: str) -> None:
        """Take one more place; `kind` is "address", "principal" or "document".

        Raises:
            TooFastError: there is none; the message says of what, and both figures.
        """
        taken, limit = self._taken[kind], self._limits[kind]
        if taken[key] >= limit:
            raise TooFastError(f"connections of one {kind}", taken[key] + 1, limit, "connections")
        taken[key] += 1

    def give_back(self, kind: str, key: str) -> None:
        """Free a place that was taken."""
        taken = self._taken[kind]
        taken[key] -= 1
        if not taken[key]:
            del taken[key]

    @contextmanager
    def taken(self, kind: str, key: str) -> Iterator[None]:
        """Have a place for a while.

        Raises:
            TooFastError: as `take` does.
        """
        self.take(kind, key)
        try:
            yield
        finally:
            self.give_back(kind, key)
