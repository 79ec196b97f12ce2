"""What all clients together may take of the loop (T8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, cast

from collab.transport.rota import STRETCH_SECONDS, Rota


class Loop:
    """An event loop that turns when it is told to."""

    def __init__(self) -> None:
        self._soon: deque[Callable[[], None]] = deque()

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._soon.append(callback)

    def turn(self) -> None:
        for _ in range(len(self._soon)):
            self._soon.popleft()()


def rota() -> tuple[Rota, Loop]:
    loop = Loop()
    return Rota(cast("Any", loop)), loop


def test_what_many_take_in_one_turn_adds_up() -> None:
    """T8: fifty clients with a share of 10 ms each held the loop for half a second."""
    shared, loop = rota()

    taken = 0
    while not shared.exhausted:
        shared.spend(0.009)
        taken += 1
    loop.turn()

    assert taken <= STRETCH_SECONDS / 0.009 + 1
    assert not shared.exhausted


def test_what_is_spread_over_many_turns_does_not() -> None:
    shared, loop = rota()
    for _ in range(100):
        shared.spend(0.006)
        assert not shared.exhausted
        loop.turn()


def test_who_waits_has_a_turn_in_order_and_nobody_before() -> None:
    """T8: however many they are, each turn of the loop is short."""
    shared, loop = rota()
    order: list[int] = []

    def take(who: int) -> None:
        order.append(who)
        shared.spend(0.02)

    for who in range(10):
        shared.wait(lambda who=who: take(who))  # type: ignore[misc]
    turns = 0
    while len(order) < 10:
        before = len(order)
        loop.turn()
        turns += 1
        assert len(order) - before <= 3
        assert shared.exhausted == (len(order) < 10) or len(order) == 10

    assert order == list(range(10))
    assert turns >= 4


def test_who_comes_again_waits_behind_all_others() -> None:
    shared, loop = rota()
    order: list[str] = []

    def greedy() -> None:
        order.append("greedy")
        shared.spend(0.06)
        if len(order) < 5:
            shared.wait(greedy)

    shared.wait(greedy)
    shared.wait(lambda: order.append("patient"))
    for _ in range(5):
        loop.turn()

    assert order[:3] == ["greedy", "patient", "greedy"]
