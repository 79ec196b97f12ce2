"""How much anybody may have at a time, and ask for in a time (Q)."""

from __future__ import annotations

import pytest

from collab import budgets
from collab.budgets import Account, Accounts, ConnectionLimits, Places, Rate
from collab.errors import TooFastError


def test_what_was_used_is_made_good_with_time() -> None:
    """Q3."""
    rate, account = Rate(10, 100), Account(0.0)

    assert 60 == account.charge(60, rate, 0.0)
    assert 110 == account.charge(60, rate, 1.0)
    assert 80 == account.charge(0, rate, 4.0)
    assert not account.is_even(rate, 11.9)
    assert account.is_even(rate, 12.0)
    assert 1 == account.charge(1, rate, 1_000.0)


def test_who_asks_too_often_is_told_by_how_much_and_may_ask_again() -> None:
    """Q4: a refused request is not counted; and nobody else is concerned."""
    now = 0.0
    accounts = Accounts("requests of one address", Rate(2, 3), "requests", lambda: now)
    for _ in range(3):
        accounts.charge("ann")

    for _ in range(10):
        with pytest.raises(TooFastError, match=r"^requests of one address: 4 requests, the limit is 3$"):
            accounts.charge("ann")
    accounts.charge("bob")
    now = 0.5
    accounts.charge("ann")


def test_addresses_are_forgotten_but_for_those_that_still_owe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Q4, G8: however many there are."""
    monkeypatch.setattr(budgets, "MOST_KEYS", 10)
    now = 0.0
    accounts = Accounts("requests", Rate(1, 5), "requests", lambda: now)
    for _ in range(5):
        accounts.charge("greedy")
    for number in range(9):
        accounts.charge(str(number))
    now = 1.0
    accounts.charge("another")

    assert {"greedy", "another"} == set(accounts._accounts)
    with pytest.raises(TooFastError):
        accounts.charge("greedy", 2)


def test_places_are_counted_by_kind_and_freed() -> None:
    """Q1."""
    places = Places(ConnectionLimits(address=2, principal=1, document=1))
    with places.taken("address", "a"), places.taken("address", "a"):
        with pytest.raises(TooFastError, match=r"^connections of one address: 3 connections, the limit is 2$"):
            places.take("address", "a")
        places.take("address", "b")
        places.take("document", "a")
        places.take("principal", "a")

    places.take("address", "a")
    places.give_back("document", "a")
    places.take("document", "a")
    assert {"a": 1, "b": 1} == places._taken["address"]
