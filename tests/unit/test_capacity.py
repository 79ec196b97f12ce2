"""How large a document may become (R31)."""

from __future__ import annotations

import pytest

from collab.core.awareness import AwarenessLimits
from collab.core.connection import Access, RoomLimits
from collab.core.dialects import Y_WEBSOCKET
from collab.core.replica import Replica
from collab.core.wire import EMPTY_UPDATE, Kind
from tests.support.members import HOCUSPOCUS, Table, deleted, tried, typed, typing


def table_of(document_bytes: int) -> Table:
    return Table(RoomLimits(document_bytes=document_bytes))


def size_of(table: Table) -> int:
    return table.room._replica.measure()


def measurements(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that has each size which is found out from now on."""
    measured: list[int] = []
    measure = Replica.measure

    def note(replica: Replica) -> int:
        measured.append(measure(replica))
        return measured[-1]

    monkeypatch.setattr(Replica, "measure", note)
    return measured


def test_what_would_make_a_document_too_large_closes_its_sender() -> None:
    """R31: with both figures; what was there stays, and is saved."""
    table = table_of(100)
    ann, ben = table.join("ann"), table.join("ben")
    ann.send(typed(1, 0, "x" * 60))

    ben.send(typed(2, 0, "y" * 60))

    assert ben.sink.closed is not None
    code, reason = ben.sink.closed
    brought = size_of(table) + len(typed(2, 0, "y" * 60))
    assert (4413, f"the document: {brought} bytes, the limit is 100") == (code, reason)
    assert [typed(1, 0, "x" * 60)] == table.rows
    assert ann.closed_with is None


def test_what_only_deletes_is_taken_and_makes_room() -> None:
    """R31."""
    table = table_of(100)
    ann = table.join()
    ann.send(typed(1, 0, "x" * 80))
    ann.send(deleted(1, 0, 79))
    table.room.tick(1)

    ann.send(typed(1, 80, "y" * 40, after=(1, 79)))

    assert ann.closed_with is None
    assert 3 == len(table.rows)


def test_what_came_in_small_pieces_is_measured_as_the_whole_that_it_is() -> None:
    """R31: a keystroke is an update of some twenty bytes, and a letter of the document."""
    table = table_of(1_000)
    ann = table.join()
    for at, update in enumerate(typing(1, "x" * 500)):
        table.room.tick(at)
        ann.send(update)

    assert ann.closed_with is None
    assert 500 < size_of(table) < 600


@pytest.mark.parametrize("ticks", [False, True])
def test_how_large_it_is_is_found_out_once_between_two_ticks(ticks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """R31: it takes as long as the document is large, and whoever deletes and writes would have it done each time."""
    monkeypatch.setattr("collab.core.capacity.CHEAP_BYTES", 0)
    table, measured = table_of(1_000), measurements(monkeypatch)
    ann = table.join()
    ann.send(typed(1, 0, "x" * 950))

    for at in range(20):
        if ticks:
            table.room.tick(at + 1)
        ann.send(typed(1, 950 + at, "y", after=(1, 949 + at)))
        ann.send(deleted(1, 950 + at, 1))

    assert len(measured) > 10 if ticks else 1 == len(measured)
    assert ann.closed_with == (None if ticks else 4413)


def test_of_a_small_document_it_is_found_out_each_time() -> None:
    """R31: whoever has just deleted most of it writes on."""
    table = table_of(20_000)
    ann, ben = table.join("ann"), table.join("ben")
    ann.send(typed(1, 0, "x" * 19_000))
    ben.send(typed(2, 0, "y" * 1_500))
    assert 4413 == ben.closed_with

    ann.send(deleted(1, 0, 15_000))
    ann.send(typed(1, 19_000, "z" * 1_500, after=(1, 18_999)))

    assert ann.closed_with is None


def test_a_full_document_is_open_to_everybody_and_can_be_emptied() -> None:
    """R31: providers answer with what they know, or with nothing, when they come; and deletions may make it larger."""
    table = table_of(1_000)
    ann = table.join()
    ann.send(typed(1, 0, "x" * 950))
    for at in range(0, 900, 2):
        ann.say(deleted(1, at, 1))
    table.room.settle()
    assert size_of(table) > 4_000

    for kind, dialect in ((Kind.SYNC_STEP_2, HOCUSPOCUS), (Kind.UPDATE, Y_WEBSOCKET)):
        for said in (EMPTY_UPDATE, table.room.state()[0]):
            back = table.join("ben", dialect=dialect)
            back.send(said, kind)
            assert back.closed_with is None
    ann.send(deleted(1, 0, 950))
    ann.send(typed(1, 950, "y" * 500, after=(1, 949)))

    assert ann.closed_with is None


def test_what_waits_counts() -> None:
    """R31: it is let in together, when what it waits for comes."""
    table = table_of(1_000)
    ann = table.join()
    for at in range(1, 10):
        ann.send(typed(1, 300 * at, "x" * 300, after=(1, 300 * at - 1)))

    assert 4413 == ann.closed_with
    assert len(table.room._replica.waiting) <= 3


def test_what_is_tried_first_is_refused_as_well() -> None:
    """R31, R14."""
    table = table_of(100_000)
    ann = table.join()
    ann.say(typed(1, 0, "x" * 200_000))

    table.room.resume(ann.trials[0], tried(ann.trials[0]))

    assert 4413 == ann.closed_with
    assert [] == table.rows


def test_a_document_that_is_larger_already_is_read_and_cut_down() -> None:
    """R31: the limit may have been another one."""
    full = Table()
    full.join().send(typed(1, 0, "x" * 200))
    table = Table(RoomLimits(document_bytes=100), replica=full.room._replica)
    ann, reader = table.join("ann"), table.join("ben", Access.VIEW)

    ann.send(deleted(1, 100, 100))
    ann.send(typed(1, 200, "y", after=(1, 199)))

    assert [deleted(1, 100, 100)] == reader.updates
    assert 4413 == ann.closed_with


def test_who_has_all_that_there_is_may_say_so_when_the_document_is_full() -> None:
    """R31: providers answer with the whole document when they come back."""
    table = table_of(100)
    ann = table.join()
    ann.send(typed(1, 0, "x" * 90))
    state = table.room.state()[0]

    back = table.join("ben", dialect=HOCUSPOCUS)
    back.send(state, Kind.SYNC_STEP_2)

    assert back.closed_with is None


def test_a_room_has_the_limits_of_presence_that_it_is_given() -> None:
    """A7."""
    table = Table(RoomLimits(awareness=AwarenessLimits(state_bytes=10)))
    ann = table.join()

    ann.show(1, 1, b'"123456789"')

    assert (4413, "awareness state of client 1: 11 bytes, the limit is 10") == ann.sink.closed


def test_who_brings_what_waits_once_more_brings_nothing() -> None:
    """R31: as every provider does that comes back; of what waits nobody has told it that it is saved."""
    table = table_of(1_000)
    ann = table.join()
    ann.send(typed(1, 0, "x" * 900))
    waits = typed(2, 5, "y" * 50, after=(2, 4))
    ann.send(waits)

    back = table.join()
    back.send(waits)

    assert back.closed_with is None
