"""What waits for its predecessors, and how much of it may (R3, R6, R12)."""

from __future__ import annotations

from random import Random

import pytest

from collab.core.inspection import read
from collab.core.merging import merge
from collab.core.replica import Replica, Verdict
from collab.core.values import DELETED
from collab.core.waiting import MAX_RELEASED, CrowdedError, WaitingLimits
from tests.support.hostile import EXAMPLES, item, replica_with, text, typed, update
from tests.support.view import view_of
from tests.support.work import counted
from tests.support.yjs import Peer

ANN = update({8: (0, [text("a", root="text"), text("c", left=(7, 0)), text("e", left=(7, 1))])})
BEN = update({7: (0, [text("b", left=(8, 0)), text("d", left=(8, 1))])})
"""What two people wrote in turns, each in one update."""

LATE = typed(9, 1, "x")
"""It waits for something that never comes."""


@pytest.mark.parametrize("rows", [[ANN, BEN], [ANN, BEN, LATE], [BEN, LATE, ANN]])
def test_two_who_wrote_in_turns_wait_for_each_other_only_until_both_are_here(rows: list[bytes]) -> None:
    """R3, R6: each was taken to wait for the last word of the other, so both waited for ever."""
    assert {8: 3, 7: 2} == replica_with(rows).state == Replica.load([], rows).state


@EXAMPLES
def test_everything_is_let_in_however_it_was_merged_and_shuffled(examples: int) -> None:
    """R6: what each of three people wrote, in one to three updates, comes in any order."""
    random = Random(43)
    for _ in range(examples // 2):
        written = _by_author(random)
        pieces = [merge(some) for updates in written for some in _cut_up(updates, random)]

        replica = replica_with(random.sample(pieces, len(pieces)))

        assert 0 == len(replica.waiting)
        assert view_of(merge([one for updates in written for one in updates])) == view_of(replica.full_state())


def _by_author(random: Random) -> list[list[bytes]]:
    """Return what three people wrote who hear of each other now and then, each in their own updates."""
    peers = [Peer(client) for client in random.sample(range(2, 1 << 32), 3)]
    written: list[list[bytes]] = [[], [], []]
    for _ in range(random.randint(5, 25)):
        author = random.randrange(3)
        written[author] += peers[author].edit(random)
        if random.random() < 0.5:
            random.choice(peers).receive(merge(one for updates in written for one in updates))
    for peer in peers:
        peer.close()
    return written


def _cut_up(updates: list[bytes], random: Random) -> list[list[bytes]]:
    at = sorted(random.randint(0, len(updates)) for _ in range(2))
    return [some for some in (updates[: at[0]], updates[at[0] : at[1]], updates[at[1] :]) if some]


def test_a_long_conversation_is_let_in_without_reading_it_over_and_over() -> None:
    """R6, G5: two updates of 16 KB, each word of which waits for the other's last, took 20 s."""
    words = MAX_RELEASED // 2
    ann = [_beside(8, at, (9, 0) if at == 0 else (7, at - 1)) for at in range(words)]
    ben = [_beside(7, at, (8, at)) for at in range(words)]
    replica = replica_with([update({8: (0, ann)}), update({7: (0, ben)})])
    assert {} == replica.state
    first = typed(9, 0, "a")

    with counted() as work:
        replica.admit(first, read(first))

    assert {9: 1, 8: words, 7: words} == replica.state
    assert work.calls < 200 * MAX_RELEASED


def _beside(client: int, clock: int, other: tuple[int, int]) -> bytes:
    if clock == 0:
        return item(DELETED, b"\x01", left=other)
    return item(DELETED, b"\x01", left=(client, clock - 1), right=other)


def test_more_structs_than_may_wait_are_refused() -> None:
    """R12: each is read again when it is let in."""
    replica = Replica(WaitingLimits(structs=3))
    for client in (5, 6, 7):
        one = typed(client, 1, "x")
        replica.admit(one, read(one))

    with pytest.raises(CrowdedError, match="4 structs, limit 3"):
        replica.admit(LATE, read(LATE))


def test_a_large_update_of_which_a_little_waits_is_taken() -> None:
    """R3, R12: what can be integrated of it does not wait."""
    limits = WaitingLimits(bytes=100, structs=5)
    backwards = [text("x", right=(5, at - 1)) if at else text("x", root="text") for at in range(1000)]
    large = update({5: (0, [*backwards, text("y", left=(4, 0))])})
    replica = Replica(limits)

    assert Verdict.WAITING is replica.admit(large, read(large))
    assert {5: 1000} == replica.state
