"""Cutting an update into what can be integrated and what waits (W8)."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from collab.core.inspection import read
from collab.core.merging import merge
from collab.core.partition import in_pieces, split
from collab.core.replica import Replica, Verdict
from collab.core.values import DELETED
from collab.core.wire import EMPTY_UPDATE
from tests.support.hostile import EXAMPLES, gap, garbage, item, replica_with, text, typed, update
from tests.support.view import view_of
from tests.support.work import counted
from tests.support.yjs import Peer

ABC = typed(5, 0, "abc")


def history(random: Random) -> list[bytes]:
    """Return what three people wrote who hear of each other now and then."""
    peers = [Peer(client) for client in random.sample(range(2, 1 << 32), 3)]
    written: list[bytes] = []
    for _ in range(random.randint(5, 25)):
        writer, reader = random.sample(peers, 2)
        written += writer.edit(random)
        if random.random() < 0.5:
            reader.receive(merge(written))
    for peer in peers:
        peer.close()
    return written


@EXAMPLES
def test_both_parts_say_what_the_whole_says(examples: int) -> None:
    """W8: the first needs nothing that is not known; with what was missing all is there."""
    random = Random(23)
    for _ in range(examples):
        written = history(random)
        known = random.randint(0, len(written))
        replica = replica_with(written[:known])
        whole = merge(random.sample(written, random.randint(1, len(written))))

        ready, rest = split(whole, replica.state)

        assert replica.admit(ready, read(ready)) in (Verdict.KNOWN, Verdict.INTEGRATED)
        assert _everything([*written, whole]) == _everything([replica.full_state(), rest, *written])
        assert _everything([*written[:known], ready]) == view_of(replica.full_state())


def _everything(updates: Sequence[bytes]) -> object:
    return view_of(merge(updates))


@EXAMPLES
def test_what_waits_can_be_cut_again_until_nothing_waits(examples: int) -> None:
    """W8, R6: each part of what waits is taken once, when its turn has come."""
    random = Random(29)
    for _ in range(examples // 2):
        written = history(random)
        replica = Replica()
        rest = EMPTY_UPDATE
        for one in random.sample(written, len(written)):
            ready, rest = split(merge([rest, one]), replica.state)
            assert replica.admit(ready, read(ready)) is not Verdict.WAITING

        assert EMPTY_UPDATE == rest
        assert _everything(written) == view_of(replica.full_state())


def test_nothing_waits_of_what_can_be_integrated() -> None:
    """W8."""
    assert (ABC, EMPTY_UPDATE) == split(ABC, {})


def test_nothing_is_ready_behind_a_gap() -> None:
    """W8."""
    late = typed(5, 3, "def")

    assert (EMPTY_UPDATE, late) == split(late, {5: 2})
    assert (late, EMPTY_UPDATE) == split(late, {5: 3})


def test_what_is_behind_a_gap_inside_of_an_update_waits() -> None:
    """W8."""
    whole = update({5: (0, [garbage(3), gap(2), garbage(4)])})

    ready, rest = split(whole, {})

    assert ((5, 0, 3),) == read(ready).runs
    assert ((5, 5, 9),) == read(rest).runs
    assert (whole, EMPTY_UPDATE) == (merge([ready, rest]), split(rest, {5: 5})[1])


def test_deletions_of_what_is_not_here_yet_wait() -> None:
    """W8, hazards P1."""
    ready, rest = split(update({}, {5: [(1, 9)]}), {5: 4})

    assert ((5, 1, 4),) == read(ready).deletes
    assert ((5, 4, 9),) == read(rest).deletes


def test_what_refers_to_something_that_waits_waits_too() -> None:
    """W8: over three clients, and whatever stands first in the update."""
    chain = update(
        {
            9: (0, [text("c", left=(8, 0))]),
            8: (0, [text("b", left=(7, 0))]),
            7: (0, [text("a", left=(6, 0)), text("z", root="text")]),
        }
    )

    assert (EMPTY_UPDATE, chain) == split(chain, {})
    ready, rest = split(chain, {6: 1})
    assert EMPTY_UPDATE == rest
    assert set(read(chain).runs) == set(read(ready).runs)


def test_a_known_struct_whose_neighbour_is_missing_is_in_neither_part() -> None:
    """W8: it was handed back as ready for ever, until the recursion had no stack left."""
    copy = typed(5, 0, "abc").replace(b"\x04\x01\x04text", b"\x84\x09\x00")

    assert (EMPTY_UPDATE, EMPTY_UPDATE) == split(copy, {5: 3})
    assert replica_with([ABC]).admit(copy, read(copy)) is not Verdict.INTEGRATED


def test_a_known_struct_whose_neighbour_is_missing_is_known() -> None:
    """R5: an empty rest was kept, and the whole logged."""
    copy = typed(5, 0, "abc").replace(b"\x04\x01\x04text", b"\x84\x09\x00")

    assert Verdict.KNOWN is replica_with([ABC]).admit(copy, read(copy))


def test_two_clients_that_wait_for_each_other_step_by_step_are_cut_in_linear_time() -> None:
    """W8, G5: everybody who waited was asked at each step, so that 56 KB took five seconds."""
    steps, waiting = 3000, 3000
    first = [item(DELETED, b"\x01", left=(3, at - 1)) if at else item(DELETED, b"\x01", root="") for at in range(steps)]
    second = [item(DELETED, b"\x01", left=(2, at)) for at in range(steps)]
    crowd = {client: (0, [item(DELETED, b"\x01", left=(2, steps - 1))]) for client in range(9 + waiting, 9, -1)}

    with counted() as work:
        inspection = read(update({**crowd, 3: (0, second), 2: (0, first)}))

    assert 2 * steps + waiting == inspection.structs
    assert work.calls < 100 * inspection.structs


@EXAMPLES
def test_a_state_in_pieces_is_the_same_state(examples: int) -> None:
    """W8: each piece can be integrated after those before it."""
    random = Random(47)
    for _ in range(examples // 2):
        state = replica_with([merge(history(random))]).full_state()
        replica = Replica()

        for piece in in_pieces(state, random.randint(1, 5)):
            assert replica.admit(piece, read(piece)) is not Verdict.WAITING

        assert state == replica.full_state() or view_of(state) == view_of(replica.full_state())
        assert replica_with([state]).digest() == replica.digest()
