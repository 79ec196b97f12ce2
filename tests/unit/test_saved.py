"""When a client is told that its edits are on disk (R23)."""

from __future__ import annotations

import pytest

from collab.core.connection import Access
from collab.core.dialects import Y_WEBSOCKET, Dialect
from collab.core.inspection import read
from collab.core.merging import merge
from collab.core.wire import Kind
from tests.support.members import HOCUSPOCUS, Table, deleted, typed


@pytest.fixture
def table() -> Table:
    return Table()


def test_saved_is_said_after_the_commit_and_not_before(table: Table) -> None:
    """R23."""
    ann = table.join()

    ann.say(typed(7, 0, "a"))
    ann.ask_whether_saved(b"1")
    table.room.settle()
    assert [] == ann.saved

    table.log.commit()

    assert [b"1"] == ann.saved


def test_each_is_answered_with_its_own_bytes_and_in_order(table: Table) -> None:
    """R23: also those that have nothing to wait for."""
    ann, bob = table.join(), table.join("bob")
    for number in range(3):
        ann.say(typed(7, number, "a", (7, number - 1) if number else None))
        ann.ask_whether_saved(bytes((number,)))
    bob.ask_whether_saved(b"")

    table.log.commit()

    assert [b"\0", b"\1", b"\2"] == ann.saved
    assert [b""] == bob.saved


def test_an_edit_that_is_known_is_saved_when_the_row_is_that_brought_it(table: Table) -> None:
    """R23, R5: two tabs of one browser send the same edit; the second one's is not logged again."""
    ann, tab = table.join(), table.join()
    ann.say(typed(7, 0, "a"))
    tab.say(typed(7, 0, "a"))
    tab.ask_whether_saved(b"1")
    assert [] == tab.saved

    table.log.commit()

    assert [b"1"] == tab.saved


def test_an_edit_that_waits_for_its_predecessor_is_saved_when_that_has_come(table: Table) -> None:
    """R23, R6: and then the latest question is answered. Nobody else waits for it."""
    ann, bob, zoe = table.join("ann"), table.join("bob"), table.join("zoe")
    ann.say(typed(7, 0, "b", (8, 0)))
    for token in (b"1", b"2"):
        ann.ask_whether_saved(token)
    zoe.say(typed(9, 0, "z"))
    zoe.ask_whether_saved(b"3")
    table.log.commit()
    assert ([], [b"3"]) == (ann.saved, zoe.saved)

    bob.send(typed(8, 0, "a"))
    assert [] == ann.saved
    table.log.commit()

    assert [b"2"] == ann.saved
    assert {8: 1, 7: 1, 9: 1} == table.log.load().state


def test_whoever_sends_again_what_waits_already_is_not_told_that_it_is_saved(table: Table) -> None:
    """R23: it waits since an earlier connection, and is in no log; it comes as it was, or with something else."""
    early, late = typed(7, 1, "b", (7, 0)), typed(9, 0, "z")
    table.join("ann").leave()
    first = table.join("ann")
    first.send(early)
    first.leave()
    again, with_more = table.join("ann"), table.join("ann")

    again.say(early)
    with_more.say(merge([early, late]))
    for member in (again, with_more):
        member.ask_whether_saved(b"1")
    table.log.commit()
    assert [] == again.saved == with_more.saved
    table.join("ben").send(typed(7, 0, "a"))
    table.log.commit()

    assert [b"1"] == again.saved == with_more.saved


def test_a_deletion_that_waits_is_not_saved(table: Table) -> None:
    """R23."""
    ann = table.join("ann")
    ann.say(deleted(7, 0, 1))
    ann.ask_whether_saved(b"1")
    table.log.commit()
    assert [] == ann.saved

    table.join("ben").send(typed(7, 0, "a"))
    table.log.commit()

    assert [b"1"] == ann.saved


def test_what_waits_is_remembered_once_however_often_it_comes(table: Table) -> None:
    """R23, G8: a client that never asks whether anything is saved costs no memory either."""
    ann, ben = table.join("ann"), table.join("ben")
    for _ in range(100):
        ann.send(typed(7, 1, "b", (7, 0)))
        ann.send(deleted(8, 0, 1))
    assert ({7: 2}, {(8, 0, 1)}) == (ann.connection.held, ann.connection.held_deletes)

    ben.send(merge([typed(7, 0, "a"), typed(8, 0, "c")]))
    ann.ask_whether_saved(b"1")

    assert ({}, set()) == (ann.connection.held, ann.connection.held_deletes)


def test_what_waits_no_more_is_forgotten_also_if_something_waits_for_ever(table: Table) -> None:
    """R23, G8."""
    ann = table.join("ann")
    ann.send(typed(7, 1, "never", (7, 0)))
    for client in range(100, 1100):
        ann.send(typed(client, 1, "b", (client, 0)))
        ann.send(deleted(client, 0, 2))
        ann.send(typed(client, 0, "a"))

    assert 130 > len(ann.connection.held) + len(ann.connection.held_deletes)


def test_while_the_log_takes_no_more_only_the_latest_question_is_kept(table: Table) -> None:
    """R23, G11: who asks on and on while the database is locked costs no memory."""
    ann = table.join()
    ann.say(typed(7, 0, "a"))
    ann.ask_whether_saved(b"0")
    table.log.full = True
    for number in range(1000):
        ann.ask_whether_saved(b"%d" % number)
    assert 3 > len(table.log.pending)

    table.log.full = False
    table.log.commit()
    table.room.settle()
    table.log.commit()

    assert [b"0", b"999"] == ann.saved


@pytest.mark.parametrize("dialect", [Y_WEBSOCKET, HOCUSPOCUS], ids=["y-websocket", "Hocuspocus"])
def test_what_came_in_this_turn_is_not_said_to_be_saved_by_an_earlier_commit(table: Table, dialect: Dialect) -> None:
    """R23, R27, G9: the predecessor came just before it; a server that was killed then had lost what waited for it."""
    ann, bob = table.join("ann", dialect=dialect), table.join("bob")
    for clock, token in ((0, b"1"), (1, b"2")):
        ann.say(typed(7, clock, "a", (9, 0) if clock else None))
        if dialect is Y_WEBSOCKET:
            ann.ask_whether_saved(token)
        table.room.settle()

    bob.say(typed(9, 0, "x"))
    table.log.commit()
    assert 1 == len(ann.saved) + len(ann.counted)
    assert [] == table.log.pending

    table.room.settle()
    assert [2, 0] == [len(entries) for entries, _ in table.log.pending]
    table.log.commit()
    assert 2 == len(ann.saved) + len(ann.counted)


@pytest.mark.parametrize("dialect", [Y_WEBSOCKET, HOCUSPOCUS], ids=["y-websocket", "Hocuspocus"])
@pytest.mark.parametrize("kind", [Kind.UPDATE, Kind.SYNC_STEP_2, None], ids=["typed", "answered", "created"])
def test_what_waits_is_saved_when_somebody_else_brings_it(table: Table, dialect: Dialect, kind: Kind | None) -> None:
    """R23, R27: together with what it waited for, or only that, past the room (N4)."""
    ann, bob = table.join("ann", dialect=dialect), table.join("bob")
    mine, before = typed(7, 0, "a", (9, 0)), typed(9, 0, "x")
    ann.send(mine)
    if dialect is Y_WEBSOCKET:
        ann.ask_whether_saved(b"1")
    assert ([], []) == (ann.saved, ann.counted)

    if kind is None:
        table.room.bring(before, read(before))
        table.room.settle()
    else:
        bob.send(merge([before, mine]), kind)
    table.log.commit()

    assert 1 == len(ann.saved) + len(ann.counted)


def test_a_readers_edit_is_never_said_to_be_saved(table: Table) -> None:
    """R23, R7: not even when it asks again."""
    reader = table.join(access=Access.VIEW)
    reader.ask_whether_saved(b"1")
    reader.say(typed(7, 0, "a"))
    reader.ask_whether_saved(b"2")
    table.log.commit()
    reader.ask_whether_saved(b"3")
    table.log.commit()

    assert [b"1"] == reader.saved


def test_nothing_is_said_to_whoever_has_gone(table: Table) -> None:
    """R23."""
    ann = table.join()
    ann.say(typed(7, 0, "a"))
    ann.ask_whether_saved(b"1")
    ann.leave()

    table.log.commit()

    assert [] == ann.saved


def test_whoever_does_not_read_is_told_the_latest_when_it_does(table: Table) -> None:
    """R23, T7: an answer a question would fill the memory."""
    ann = table.join()
    ann.fill()
    table.room.settle()
    for token in (b"1", b"2"):
        ann.ask_whether_saved(token)
    table.log.commit()
    assert [] == ann.saved

    ann.drain()

    assert [b"2"] == ann.saved


def test_a_token_has_a_limit(table: Table) -> None:
    """R23: it is kept until the commit."""
    ann = table.join()

    ann.ask_whether_saved(bytes(17))

    assert 4413 == ann.closed_with
