"""When a client is told that its edits are on disk (R23)."""

from __future__ import annotations

import pytest

from collab.core.connection import Access
from tests.support.members import Table, typed


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
    table.log.commit()

    assert [b"0", b"999"] == ann.saved


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
