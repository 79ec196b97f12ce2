"""Clients that count their updates, as Hocuspocus' do: what each is told, and when (R27, R28)."""

from __future__ import annotations

import pytest

from collab.core.connection import Access, RoomLimits
from collab.core.dialects import Y_WEBSOCKET, Dialect
from collab.core.framing import payload_of
from collab.core.wire import EMPTY_UPDATE, Kind, encode_state_vector, var_string
from tests.support.hostile import replica_with, text, update
from tests.support.members import HOCUSPOCUS, Member, Table, deleted, tried, typed, typing
from tests.support.node import Oracle

HELLO = typed(1, 0, "hello")


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def author(table: Table) -> Member:
    """Somebody who has asked, and answered what came back."""
    member = table.join(dialect=HOCUSPOCUS)
    member.send(EMPTY_UPDATE, Kind.SYNC_STEP_2)
    table.log.commit()
    member.forget()
    return member


def test_who_comes_in_is_asked_once_it_asks(table: Table) -> None:
    """R27, R1: a provider counts one answer for each of its own questions."""
    member = table.connect(dialect=HOCUSPOCUS)
    assert [] == member.received

    member.ask()

    assert [Kind.SYNC_STEP_1, Kind.SYNC_STEP_2] == [message.kind for message in member.received]


def test_each_update_is_counted_once_when_it_is_on_disk(table: Table, author: Member) -> None:
    """R27, G9: of one turn or of several, new or known already."""
    for each in typing(1, "abc"):
        author.say(each)
    author.room.settle()
    author.send(typing(1, "abc")[0])
    assert [] == author.counted

    table.log.commit()

    assert [True] * 4 == author.counted


def test_the_answer_to_what_came_back_is_counted(table: Table) -> None:
    """R27: also of a reader, whose count would never come to an end."""
    for access in (Access.EDIT, Access.VIEW):
        member = table.join(access=access, dialect=HOCUSPOCUS)

        member.send(EMPTY_UPDATE, Kind.SYNC_STEP_2)
        table.log.commit()

        assert [True] == member.counted, access


def test_a_reader_hears_of_each_update_that_was_not_taken(table: Table) -> None:
    """R27, R7."""
    reader = table.join(access=Access.VIEW, dialect=HOCUSPOCUS)

    reader.send(HELLO)
    reader.send(HELLO, Kind.SYNC_STEP_2)
    table.log.commit()

    assert [False, False] == reader.counted
    assert [] == table.rows


def test_a_reader_who_knows_of_deletions_of_a_long_life_says_nothing_new(oracle: Oracle) -> None:
    """R27, R7: providers answer with all that they know of, more than is else read of a reader."""
    client, letters = 4_000_000_000, 40_000
    lived = update({client: (0, [text("ab" * (letters // 2), root="t")])})
    gone = update({7: (0, [text("gone", root="u")])}, {7: [(0, 4)]})
    every_other = update({}, {client: [(at, at + 1) for at in range(0, letters, 2)]})
    table = Table(replica=replica_with([lived, gone, every_other]))
    provider = oracle.client(5)
    provider.receive(table.room.state()[0])
    said = provider.answer(encode_state_vector({client: letters, 7: 4}))
    provider.close()
    reader, author = table.join(access=Access.VIEW, dialect=HOCUSPOCUS), table.join("bob")

    assert len(said) > table.limits.trial.update_bytes
    reader.send(said, Kind.SYNC_STEP_2)
    author.send(update({}, {client: [(1, 2)]}))
    reader.send(said, Kind.SYNC_STEP_2)  # it was away, and has heard of that one as little as nothing else
    table.log.commit()
    assert [True, True] == reader.counted
    assert reader.connection.structs > 40_000

    reader.send(update({}, {7: [(0, 4)], client: [(at, at + 1) for at in range(1, letters, 2)]}), Kind.SYNC_STEP_2)
    reader.send(b"\x01" + said[1:], Kind.SYNC_STEP_2)
    reader.send(b"\x00" * (256 << 10) + said, Kind.SYNC_STEP_2)
    assert [False, False, False] == reader.counted[2:]


def test_a_reader_knows_of_keys_that_were_overwritten(oracle: Oracle) -> None:
    """R27: nobody says of these that they are deleted, they are so by what came instead."""
    table = Table()
    author = table.join("bob")
    author.send(update({7: (0, [text("a", root="m", key="k")])}))
    author.send(update({7: (1, [text("b", left=(7, 0))])}))
    provider = oracle.client(5)
    provider.receive(table.room.state()[0])
    reader = table.join(access=Access.VIEW, dialect=HOCUSPOCUS)

    reader.send(provider.answer(encode_state_vector(dict(table.room._replica.state))), Kind.SYNC_STEP_2)
    provider.close()
    table.log.commit()

    assert [True] == reader.counted


@pytest.mark.parametrize(("dialect", "words"), [(HOCUSPOCUS, 3), (Y_WEBSOCKET, 1)])
def test_a_reader_who_does_not_read_hears_of_it_later(table: Table, dialect: Dialect, words: int) -> None:
    """R27, R7, T7: of each edit that was not taken, or by a protocol that has no count, once."""
    reader = table.join(access=Access.VIEW, dialect=dialect)
    reader.fill()
    table.room.settle()
    for each in typing(1, "abc"):
        reader.send(each)
    assert [] == reader.sink.messages

    reader.drain()

    refusal = payload_of(dialect.refusal(""))[: len(reader.address) + 2]
    assert words == sum(message.startswith(refusal) for message in reader.sink.messages)


def test_what_waits_is_not_counted_until_it_is_on_disk(table: Table, author: Member) -> None:
    """R27, R6, R3: and neither is the answer to the question that comes of it, which no provider counts."""
    first, second = typing(1, "ab")

    author.send(second)
    table.log.commit()
    assert [] == author.counted
    assert [Kind.SYNC_STEP_1] == [message.kind for message in author.received]

    author.send(first, Kind.SYNC_STEP_2)
    table.log.commit()
    assert [True] == author.counted, "one for the update, none for the answer"


def test_an_answer_that_nobody_asked_for_is_counted(table: Table, author: Member) -> None:
    """R27."""
    author.send(HELLO, Kind.SYNC_STEP_2)
    table.log.commit()

    assert [True] == author.counted


def test_a_forced_synchronisation_is_counted(table: Table, author: Member) -> None:
    """R27: a provider starts to count anew, at one, whenever it asks."""
    for _ in range(3):
        author.ask()
        author.send(EMPTY_UPDATE, Kind.SYNC_STEP_2)
    table.log.commit()

    assert [True] * 3 == author.counted


def test_who_does_not_read_is_told_of_everything_later(table: Table, author: Member) -> None:
    """R27, R10, T7."""
    author.fill()
    author.room.settle()
    for each in typing(1, "abc"):
        author.send(each)
    author.ask(encode_state_vector({1: 3}))
    table.log.commit()
    assert [] == author.sink.messages

    author.drain()

    assert [True] * 3 == author.counted
    assert [Kind.SYNC_STEP_1, Kind.SYNC_STEP_2] == [message.kind for message in author.received]


def test_nothing_is_counted_that_went_with_its_sender(table: Table, author: Member) -> None:
    """R27, R8."""
    author.send(HELLO)
    author.send(b"\xff")
    table.log.commit()

    assert 4400 == author.closed_with
    assert [] == author.counted


def test_an_update_that_is_tried_is_counted_when_it_is_taken(author: Member, table: Table) -> None:
    """R27, R14."""
    author.say(typed(1, 0, "x" * 70_000))
    (trial,) = author.trials
    table.log.commit()
    assert [] == author.counted

    author.room.resume(trial, tried(trial))
    table.log.commit()

    assert [True] == author.counted


def test_both_protocols_meet_in_one_document(table: Table, author: Member) -> None:
    """R2, R4, A3."""
    other = table.join("bob")

    author.send(HELLO)
    other.send(deleted(1, 0, 1))
    author.show(1, 1)

    assert [HELLO] == other.updates
    assert [deleted(1, 0, 1)] == author.updates
    assert 1 == len(other.received_of(Kind.AWARENESS)) == len(author.received_of(Kind.AWARENESS))


def test_words_for_the_application_are_handed_on(table: Table, author: Member) -> None:
    """R28: and the room keeps nothing of them."""
    author.send_raw(b"\x05" + var_string("ünï"))

    assert [(author.connection, "ünï")] == table.heard
    assert [] == table.rows


def test_words_that_are_too_many_or_no_words_close_their_sender() -> None:
    """R28, R8."""
    for words, code in (("x" * 101, 4413), (b"\xff", 4400)):
        table = Table(RoomLimits(stateless_bytes=100))
        member = table.join(dialect=HOCUSPOCUS)

        member.send_raw(b"\x05" + (var_string(words) if isinstance(words, str) else b"\x01" + words))

        assert code == member.closed_with
        assert [] == table.heard


def test_an_application_speaks_to_those_who_have_words_for_it(table: Table, author: Member) -> None:
    """R28: the others hear nothing, and neither does who does not read."""
    other, deaf = table.join("bob"), table.join("carl", dialect=HOCUSPOCUS)
    deaf.fill()

    author.room.say("hello", author.room.connections)

    assert [b"hello"] == author.received_of(Kind.STATELESS)
    assert [] == other.sink.messages == deaf.sink.messages


def test_who_may_write_from_now_on_is_asked(table: Table) -> None:
    """R29."""
    reader = table.join(access=Access.VIEW, dialect=HOCUSPOCUS)
    reader.send(EMPTY_UPDATE, Kind.SYNC_STEP_2)
    table.log.commit()
    reader.forget()

    table.room.permit(reader.connection, Access.EDIT)
    reader.send(HELLO, Kind.SYNC_STEP_2)
    table.room.permit(reader.connection, Access.VIEW)
    reader.send(typed(1, 5, "!", (1, 4)))
    table.log.commit()

    assert [Kind.SYNC_STEP_1] == [message.kind for message in reader.received]
    assert [False] == reader.counted
    assert [HELLO] == [row.data for row in table.log.rows]
