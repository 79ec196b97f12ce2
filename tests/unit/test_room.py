"""What a room does with what its members send (R, A)."""

from __future__ import annotations

import pytest
from pycrdt import Doc, Text

from collab.core.challenge import Challenge
from collab.core.connection import Access, RoomLimits
from collab.core.merging import BrokenReplicaError, merge
from collab.core.poison import load_without_poison
from collab.core.replica import Replica
from collab.core.values import TYPE
from collab.core.waiting import WaitingLimits
from collab.core.wire import EMPTY_STATE_VECTOR, EMPTY_UPDATE, MAX_CLOCK, Kind, encode_state_vector
from collab.errors import TooLargeError
from tests.support import hostile
from tests.support.members import Member, Table, clients_in, deleted, tried, typed, typing
from tests.support.room_kit import Row
from tests.support.work import counted

HELLO = typed(7, 0, "hello")


@pytest.fixture
def table() -> Table:
    return Table()


def text_of(*updates: bytes) -> str:
    doc: Doc[Text] = Doc(client_id=99)
    doc.apply_update(merge(updates))
    return str(doc.get("t", type=Text))


def full_state(room_member: Member) -> bytes:
    room_member.forget()
    room_member.ask()
    (state,) = room_member.received_of(Kind.SYNC_STEP_2)
    return state


# ---- coming in ----


def test_whoever_comes_in_is_asked_for_what_it_has(table: Table) -> None:
    """R1: without it edits made offline never arrive."""
    table.join().send(HELLO)

    newcomer = table.connect()

    assert [encode_state_vector({7: 5})] == newcomer.received_of(Kind.SYNC_STEP_1)


def test_a_reader_is_not_asked(table: Table) -> None:
    """R1: what it has could not be taken."""
    assert [] == table.connect(access=Access.VIEW).received


def test_a_newcomer_sees_at_once_who_is_here(table: Table) -> None:
    """R1."""
    table.join().show(7, 1, b'{"user":"ann"}')

    newcomer = table.connect()

    assert {7: (1, b'{"user":"ann"}')} == clients_in(newcomer.received_of(Kind.AWARENESS)[0])


def test_a_late_joiner_gets_everything_even_of_this_turn(table: Table) -> None:
    """R2: also what has not been settled yet, and only once."""
    author, late = table.join(), table.connect()
    author.say(HELLO)

    late.ask()
    table.room.settle()

    assert "hello" == text_of(*late.received_of(Kind.SYNC_STEP_2))
    assert [] == late.updates


def test_before_it_asks_a_connection_gets_no_updates(table: Table) -> None:
    """R2: it would get them twice."""
    author, silent = table.join(), table.connect()

    author.send(HELLO)

    assert [] == silent.updates


def test_a_state_vector_that_knows_everything_is_answered_with_nothing(table: Table) -> None:
    """R2."""
    author, late = table.join(), table.connect()
    author.send(HELLO)

    late.ask(encode_state_vector({7: 5}))

    assert [EMPTY_UPDATE] == late.received_of(Kind.SYNC_STEP_2)


# ---- updates ----


def test_an_update_goes_to_the_log_the_relay_and_everybody_else(table: Table) -> None:
    """R4."""
    author, reader = table.join(), table.join("bob")

    author.send(HELLO)

    assert [HELLO] == reader.updates == table.rows == table.uplink.published
    assert [] == author.received
    assert ["ann"] == table.authors


def test_a_duplicate_update_produces_no_traffic(table: Table) -> None:
    """R5: a known update is neither logged nor sent."""
    author, reader = table.join(), table.join()

    author.send(HELLO)
    author.send(HELLO)

    assert [HELLO] == reader.updates == table.rows


def test_a_duplicate_deletion_produces_no_traffic(table: Table) -> None:
    """R5: state vectors don't tell deletions, and every SyncStep2 of a client brings them all."""
    author, reader = table.join(), table.join()
    author.send(HELLO)
    author.send(deleted(7, 1, 2))

    author.send(deleted(7, 1, 1), Kind.SYNC_STEP_2)
    author.send(deleted(7, 2, 1))

    assert [HELLO, deleted(7, 1, 2)] == reader.updates == table.rows


def test_deletions_are_known_after_the_document_was_loaded() -> None:
    """R5."""
    table = Table(replica=Replica.load([merge([HELLO, deleted(7, 1, 2)])], []))

    table.join().send(deleted(7, 1, 2))

    assert [] == table.rows


def test_one_turn_of_one_author_is_one_row_and_one_frame(table: Table) -> None:
    """R4."""
    author, reader = table.join(), table.join()

    for update in typing(7, "abc"):
        author.say(update)
    table.room.settle()

    (row,), (sent,) = table.rows, reader.updates
    assert row == sent
    assert "abc" == text_of(row)


def test_one_turn_of_two_authors_is_two_rows_and_one_frame_to_all(table: Table) -> None:
    """R4: each row has one author; a frame of both goes to both."""
    ann, bob, reader = table.join("ann"), table.join("bob"), table.join("cay")

    ann.say(typed(7, 0, "a"))
    bob.say(typed(8, 0, "b"))
    table.room.settle()

    assert {"ann", "bob"} == set(table.authors)
    assert 2 == len(table.rows)
    assert 1 == len(reader.updates) == len(ann.updates) == len(bob.updates)
    assert set("ab") == set(text_of(*reader.updates))


def test_two_sockets_of_one_author_hear_of_each_other(table: Table) -> None:
    """R4: a sole author is one connection, not one person."""
    tab, other_tab = table.join("ann"), table.join("ann")

    tab.say(typed(7, 0, "a"))
    other_tab.say(typed(8, 0, "b"))
    table.room.settle()

    assert 1 == len(table.rows)
    assert 1 == len(tab.updates) == len(other_tab.updates)


def test_the_log_learns_whose_a_client_id_is_once(table: Table) -> None:
    """J: a row says which client ids came with it for the first time."""
    ann = table.join("ann")
    ann.send(typed(7, 0, "a"))
    ann.send(typed(7, 1, "b", (7, 0)))

    entries = [entry for entries, _ in table.log.pending for entry in entries]

    assert [(7,), ()] == [entry.clients for entry in entries]


# ---- what comes too early ----


def test_what_comes_too_early_waits_and_is_asked_for(table: Table) -> None:
    """R3: pycrdt would park it, and may never integrate it (hazards P1)."""
    first, second = typing(7, "ab")
    author, reader = table.join(), table.join()
    author.connection.asked = 0  # as after its SyncStep2

    author.send(second)

    assert [] == reader.updates
    assert [EMPTY_STATE_VECTOR] == author.received_of(Kind.SYNC_STEP_1)
    author.send(first, Kind.SYNC_STEP_2)
    assert "ab" == text_of(*reader.updates)


def test_what_waits_is_logged_when_it_is_let_in(table: Table) -> None:
    """R6: nobody can say yet whether it will be. Its author is who sent it, and the client id is theirs."""
    first, second = typed(7, 0, "a"), typed(8, 0, "b", (7, 0))
    ann, bob = table.join("ann"), table.join("bob")

    bob.send(second)
    assert [] == table.rows
    ann.send(first)

    assert [(first, "ann", (7,)), (second, "bob", (8,))] == [row for rows, _ in table.log.pending for row in rows]


def test_the_part_that_is_integrated_is_logged_as_its_senders(table: Table) -> None:
    """R6, R4."""
    ready, waiting = typed(7, 0, "a"), typed(8, 1, "c", (8, 0))
    author = table.join()

    author.send(merge([ready, waiting]))

    assert [(ready, "ann")] == [entry[:2] for entries, _ in table.log.pending for entry in entries]


def test_what_waits_is_asked_for_only_once(table: Table) -> None:
    """R3: the answer to one SyncStep1 brings all that is missing."""
    _, *later = typing(7, "abcdef")
    author = table.connect()

    for update in later:
        author.send(update)

    assert 1 == len(author.received_of(Kind.SYNC_STEP_1))


def test_who_waits_for_the_same_is_not_asked_without_an_end(table: Table) -> None:
    """R3: a client whose own document misses something says so again in each answer."""
    waiting = typed(7, 1, "b", (7, 0))
    author = table.connect()

    for _ in range(5):
        author.send(waiting, Kind.SYNC_STEP_2)
        author.send(merge([waiting, deleted(9, 0, 1)]), Kind.SYNC_STEP_2)

    assert 3 == len(author.received_of(Kind.SYNC_STEP_1)), "at first, and for each of the two that wait"


def test_the_part_that_can_be_integrated_is(table: Table) -> None:
    """R3: an honest client that waits for something itself sends both in one SyncStep2."""
    ready, waiting = typed(7, 0, "a"), typed(8, 1, "c", (8, 0))
    author, reader = table.join(), table.join()

    author.send(merge([ready, waiting]), Kind.SYNC_STEP_2)

    assert "a" == text_of(*reader.updates)
    author.send(typed(8, 0, "b"))
    assert sorted("abc") == sorted(text_of(*reader.updates))


def test_a_deletion_of_what_is_not_here_waits(table: Table) -> None:
    """R3."""
    author, reader = table.join(), table.join()

    author.send(deleted(7, 0, 2))
    assert [] == reader.updates
    author.send(HELLO)

    assert "llo" == text_of(*reader.updates)


def test_a_row_that_waits_is_let_in_when_its_predecessor_comes(table: Table) -> None:
    """C1: releases before this one logged what waits."""
    first, second = typing(7, "ab")
    table.log.rows = [Row(second)]

    again = Table(replica=table.log.load())
    author, reader = again.join(), again.join()
    author.send(first)

    assert "ab" == text_of(*reader.updates)


def test_whoever_sent_what_waits_brings_it_again_after_a_mend() -> None:
    """R13, R20: it is in no log, and y-websocket's client answers a new connection's SyncStep1 with all that it has."""
    table = Table(replica=Fragile())
    ann, bob, eve = table.join("ann"), table.join("bob"), table.join("eve")
    bob.send(typed(8, 0, "b", (7, 0)))

    eve.send(typed(9, 0, "poison"))
    table.log.commit()
    table.room.mend(table.log.load())

    assert [None, 1013, 4400] == [each.closed_with for each in (ann, bob, eve)]
    assert "send what you have again" in (bob.sink.closed or (0, ""))[1]


def test_a_late_joiner_is_not_told_what_waits(table: Table) -> None:
    """R3: it could do nothing with it."""
    table.join().send(typed(7, 1, "b", (7, 0)))

    assert EMPTY_UPDATE == full_state(table.connect())


def test_the_same_update_waits_once(table: Table) -> None:
    """R12: a client that comes back sends it again."""
    early = typed(7, 1, "b", (7, 0))
    author = table.join()

    author.send(early)
    author.send(early)

    assert 1 == len(table.room._replica.waiting)


def test_too_much_that_waits_is_refused() -> None:
    """R12."""
    table = Table(waiting=WaitingLimits(updates=2))
    author = table.join()

    for client in (7, 8, 9):
        author.send(typed(client, 1, "x", (client, 0)))

    assert 1013 == author.closed_with
    assert 2 == len(table.room._replica.waiting)


def test_what_waits_for_too_much_by_itself_is_refused_for_good() -> None:
    """R12: trying again would not help."""
    author = Table(waiting=WaitingLimits(bytes=20)).join()

    author.send(typed(7, 1, "x" * 30, (7, 0)))

    assert 4413 == author.closed_with


def test_what_somebody_left_waiting_takes_no_place_from_those_who_are_here() -> None:
    """R12: the greedy one has gone, and its client has all of it."""
    table = Table(waiting=WaitingLimits(updates=3))
    eve, ann = table.join("eve"), table.join("ann")
    for client in (7, 8, 9):
        eve.send(typed(client, 1, "x", (client, 0)))
    eve.leave()

    ann.send(typed(1, 1, "b", (1, 0)))
    ann.send(typed(1, 0, "a"))

    assert ann.closed_with is None
    assert {1: 2} == table.room._replica.state


def test_who_has_most_waiting_makes_room_for_others() -> None:
    """R12: and comes again with what it has."""
    table = Table(waiting=WaitingLimits(updates=3))
    eve, ann, bob = table.join("eve"), table.join("ann"), table.join("bob")
    for client in (7, 8):
        eve.send(typed(client, 1, "x", (client, 0)))
    ann.send(typed(1, 1, "b", (1, 0)))

    bob.send(typed(2, 1, "b", (2, 0)))
    ann.send(typed(1, 0, "a"))
    bob.send(typed(2, 0, "a"))

    assert 1013 == eve.closed_with
    assert (None, None) == (ann.closed_with, bob.closed_with)
    assert {1: 2, 2: 2} == table.room._replica.state


def test_making_room_takes_no_longer_the_more_waits() -> None:
    """R12, G5: every deletion that waited was compared with every other, for half a minute."""
    table = Table()
    for name in ("eve", "eva"):
        table.join(name).send(_deletions_that_wait(name))
    ann = table.join("ann")

    with counted() as work:
        ann.send(_deletions_that_wait("ann"))

    assert 1013 == ann.closed_with
    assert work.calls < 60 * 9_000


def _deletions_that_wait(name: str) -> bytes:
    at = {"eve": 0, "eva": 2, "ann": 4}[name]
    return hostile.update({}, {7: [(6 * each + at, 6 * each + at + 1) for each in range(9_000)]})


def test_what_others_left_nested_deep_takes_no_place_from_those_who_are_here() -> None:
    """R12, W9: it was the depth of all that waits that was too much, and its newcomer was closed for good."""
    table = Table()
    eve, ann = table.join("eve"), table.join("ann")
    nested = [hostile.item(TYPE, b"\x01", inside=(7, at - 1) if at > 1 else (7, 0)) for at in range(1, 900)]
    eve.send(hostile.update({7: (1, nested)}))
    eve.leave()

    ann.send(hostile.update({8: (0, [hostile.item(TYPE, b"\x01", inside=(9, 0))] * 1)}))
    ann.send(hostile.update({10: (0, [hostile.item(TYPE, b"\x01", inside=(11, 0))])}))
    for client in range(20, 140):
        ann.send(hostile.update({client: (0, [hostile.item(TYPE, b"\x01", inside=(client + 1_000, 0))])}))

    assert ann.closed_with is None


def test_what_two_have_sent_waits_while_one_of_them_is_here() -> None:
    """R12."""
    table = Table(waiting=WaitingLimits(updates=1))
    eve, ann = table.join("eve"), table.join("ann")
    for author in (eve, ann):
        author.send(typed(1, 1, "b", (1, 0)))
    eve.leave()

    table.join("bob").send(typed(2, 1, "b", (2, 0)))
    ann.send(typed(1, 0, "a"))

    assert {1: 2} == table.room._replica.state


def test_the_log_is_told_when_the_first_edit_of_a_turn_came(table: Table) -> None:
    """J10: for a trial, when the update did that was tried."""
    ann, bob, carl = table.join("ann"), table.join("bob"), table.join("carl")
    for author, came in ((bob, 2.0), (ann, 3.0)):
        author.connection.received_at = came
        author.say(typed(int(came), 0, "x"))
    table.room.settle()
    carl.connection.received_at = 1.0
    carl.say(typed(9, 0, "x" * 70_000))
    (trial,) = carl.trials
    ann.connection.received_at = 4.0
    ann.say(typed(8, 0, "x"))

    table.room.resume(trial, tried(trial))

    assert [2.0, 4.0, 1.0] == table.log.received_at


# ---- rights, limits, failures ----


def test_a_readers_edit_goes_nowhere_and_it_is_told(table: Table) -> None:
    """R7."""
    reader, other = table.join(access=Access.VIEW), table.join()

    reader.send(HELLO)

    assert reader.sink.messages[0].startswith(b"\x02\x00")
    assert b"may only read" in reader.sink.messages[0]
    assert [] == table.rows == other.updates
    assert reader.closed_with is None


def test_a_reader_that_says_nothing_new_is_not_scolded(table: Table) -> None:
    """R7: its provider answers every SyncStep1."""
    reader, author = table.join(access=Access.VIEW), table.join()
    author.send(HELLO)
    reader.forget()

    reader.send(EMPTY_UPDATE, Kind.SYNC_STEP_2)
    reader.send(HELLO, Kind.SYNC_STEP_2)

    assert [] == reader.received


@pytest.mark.parametrize(
    "bad", [b"", b"\x00", b"\x00\x02\x05abc", b"\x00\x09", b"\x63", b"\x00\x02\x02\xff\xff", b"\x03\x00"]
)
def test_what_cannot_be_read_closes_its_sender_only(table: Table, bad: bytes) -> None:
    """R8."""
    sender, other = table.join(), table.join()

    sender.send_raw(bad)
    table.room.settle()

    assert 4400 == sender.closed_with
    assert not other.received
    assert not table.rows
    assert sender.connection not in table.room.connections


def test_after_its_close_nothing_of_a_sender_is_taken(table: Table) -> None:
    """R8."""
    sender, other = table.join(), table.join()
    sender.send_raw(b"\x63")

    sender.send(HELLO)

    assert [] == other.updates == table.rows


def test_what_a_sender_said_before_its_mistake_is_kept(table: Table) -> None:
    """R8: only what cannot be taken leaves no trace."""
    sender, other = table.join(), table.join()

    sender.say(HELLO)
    sender.send_raw(b"\x63")
    table.room.settle()

    assert [HELLO] == other.updates == table.rows


@pytest.mark.parametrize("size", [70_000, 500_000])
def test_nothing_of_a_reader_is_tried(table: Table, size: int) -> None:
    """R7, R14: what somebody may not do should cost nothing."""
    reader = table.join(access=Access.VIEW)

    reader.send(typed(7, 0, "x" * size))
    reader.send(hostile.update({7: (0, [hostile.text("x", root="t") for _ in range(3_000)])}))

    assert [] == reader.trials
    assert [] == table.rows
    assert 2 == len([message for message in reader.sink.messages if message[0] == 2])


@pytest.mark.parametrize("forged", [typed(7, 0, "forged"), typed(7, 3, "forged", (7, 2))], ids=["next", "ahead"])
def test_a_live_client_id_is_its_owners(table: Table, forged: bytes) -> None:
    """R16: else a forger's text takes the clocks of what its victim types next (hazards P6), or waits to."""
    victim, forger = table.join("ann"), table.join("eve")
    victim.show(7, 1)

    forger.send(forged)
    (challenge,) = forger.challenges
    assert 1 == len(victim.received_of(Kind.SYNC_STEP_1))
    victim.send(EMPTY_UPDATE, Kind.SYNC_STEP_2)
    assert table.room.decide(challenge) is None

    assert 1013 == forger.closed_with
    assert victim.closed_with is None
    assert [] == table.rows


def test_who_comes_from_another_address_takes_the_place_of_their_lost_connection(table: Table) -> None:
    """R16: nobody has noticed yet that it is lost, and it says nothing any more."""
    lost = table.join("here")
    lost.show(7, 1)
    lost.send(HELLO)
    again = table.join("there")

    again.send(typed(7, 5, " again", (7, 4)))
    (challenge,) = again.challenges
    assert table.room.decide(challenge) is None
    table.room.settle()

    assert (1013, None) == (lost.closed_with, again.closed_with)
    assert {7: 11} == table.room._replica.state


@pytest.mark.parametrize("why", ["busy", "behind"])
def test_an_owner_who_cannot_answer_is_not_taken_for_lost(table: Table, why: str) -> None:
    """R16: its own update is tried, or the question stands behind megabytes that it has not read yet."""
    victim, newcomer = table.join("ann"), table.join("eve")
    victim.show(7, 1)
    if why == "busy":
        victim.connection.busy = True
    else:
        victim.fill()
        table.room.settle()

    newcomer.send(typed(7, 0, "forged"))
    (challenge,) = newcomer.challenges
    table.room.decide(challenge)

    assert (None, 1013) == (victim.closed_with, newcomer.closed_with)


def test_an_owner_is_asked_once_however_many_challenge_it(table: Table) -> None:
    """R16, T7."""
    victim = table.join("ann")
    victim.show(7, 1)
    for _ in range(3):
        table.join("eve").send(typed(7, 0, "forged"))

    assert 1 == len(victim.received_of(Kind.SYNC_STEP_1))


def test_a_long_update_is_challenged_when_it_has_been_tried(table: Table) -> None:
    """R16, R14."""
    lost, again = table.join("here"), table.join("there")
    lost.show(7, 1)

    again.say(typed(7, 0, "x" * 70_000))
    (trial,) = again.trials
    challenge = table.room.resume(trial, tried(trial))
    assert isinstance(challenge, Challenge)
    assert table.room.decide(challenge) is None

    assert (1013, None) == (lost.closed_with, again.closed_with)
    assert {7: 70_000} == table.room._replica.state


def test_a_reader_keeps_no_client_id_from_who_writes(table: Table) -> None:
    """R16, A2: or anybody who may look could lock out whoever they like, as soon as their line breaks."""
    reader, writer = table.join("eve", Access.VIEW), table.join("ann")
    reader.show(7, 1, b'{"name":"ann?"}')

    writer.send(HELLO)
    writer.show(7, 2, b'{"name":"ann"}')
    reader.show(7, 3, b'{"name":"ann?"}')

    assert writer.closed_with is None
    assert [HELLO] == table.rows
    assert b'"ann"' in writer.received_of(Kind.AWARENESS)[-1]


def test_a_commenter_keeps_a_client_id_as_writers_do(table: Table) -> None:
    """R16, R23: an editor took it, and the comment was said to be saved, and was not there."""
    commenter, editor = table.join("carol", Access.COMMENT), table.join("eve")
    commenter.send(typed(7, 0, "mine", root="comments"))
    commenter.show(7, 1)

    editor.send(typed(7, 4, "forged", (7, 3)))
    assert 1 == len(editor.challenges)

    reader, carol = table.join("rita", Access.VIEW), table.join("carol", Access.COMMENT)
    reader.show(8, 1)
    carol.show(8, 2)
    carol.send(typed(8, 0, "mine", root="comments"))
    assert ([], None) == (carol.challenges, carol.closed_with)


def test_a_reader_says_nothing_for_a_writer_who_is_away(table: Table) -> None:
    """A2: the writer adopts the clock, and whatever else the reader says of them."""
    editor, reader = table.join("ann"), table.join("rita", Access.VIEW)
    editor.show(7, 1)
    editor.leave()

    reader.show(7, MAX_CLOCK, b'{"name":"nobody"}')
    again = table.join("ann")
    again.show(7, 2, b'{"name":"ann"}')

    assert b'"ann"' in reader.received_of(Kind.AWARENESS)[-1]
    assert again.closed_with is None


def test_nobody_goes_for_a_newcomer_who_has_gone(table: Table) -> None:
    """R16: the owner was silent, and in nobody's way any more."""
    owner, newcomer = table.join("ann"), table.join("ben")
    owner.show(7, 1)
    newcomer.send(HELLO)
    (challenge,) = newcomer.challenges
    newcomer.leave()

    assert table.room.decide(challenge) is None
    assert owner.closed_with is None


def test_nothing_is_kept_of_those_who_went_while_something_of_theirs_waits(table: Table) -> None:
    """G8: a client that comes back again and again brings it each time."""
    for _ in range(10):
        ann = table.join("ann")
        ann.send(typed(7, 0, "a", (9, 0)))
        ann.leave()

    (waiting,) = table.room._replica.waiting
    assert set() == waiting.senders


def test_who_has_most_waiting_goes_by_the_limit_that_is_nearest() -> None:
    """R12: of one large update and a few small ones the large one is more."""
    table = Table(waiting=WaitingLimits(bytes=2_000))
    mallory, ann, ben = table.join("mallory"), table.join("ann"), table.join("ben")
    mallory.send(typed(100, 0, "z" * 1_800, (999, 0)))
    for client in range(4):
        ann.send(typed(10 + client, 0, "a", (998, 0)))

    ben.send(typed(50, 0, "b" * 300, (998, 0)))

    assert (1013, None, None) == (mallory.closed_with, ann.closed_with, ben.closed_with)

    greedy = table.join("mallory")
    greedy.send(typed(101, 0, "z" * 1_900, (999, 0)))
    assert (1013, None, None) == (greedy.closed_with, ann.closed_with, ben.closed_with)


def test_two_tabs_of_one_person_may_bring_each_others_text(table: Table) -> None:
    """R16: they talk to each other past the server, too."""
    tab, other_tab = table.join("ann"), table.join("ann")
    tab.show(7, 1)

    other_tab.send(HELLO, Kind.SYNC_STEP_2)

    assert other_tab.closed_with is None
    assert [HELLO] == table.rows


def test_text_of_somebody_who_left_may_come_from_anybody(table: Table) -> None:
    """R16: only a live client id is bound."""
    gone, other = table.join("ann"), table.join("bob")
    gone.show(7, 1)
    gone.leave()

    other.send(HELLO, Kind.SYNC_STEP_2)

    assert [HELLO] == table.rows


def test_while_the_log_is_full_edits_are_refused(table: Table) -> None:
    """R15."""
    author, reader = table.join(), table.join()
    table.log.full = True

    author.send(HELLO)

    assert 1013 == author.closed_with
    assert [] == reader.updates


# ---- trials ----


def dear_update(client: int = 7) -> bytes:
    """Return an update with a hundred places to insert at."""
    return merge(typed(client, at, "x", (client, 0)) if at else typed(client, 0, "x") for at in range(100))


def test_an_update_that_may_be_dear_is_tried_first(table: Table) -> None:
    """R14."""
    author, reader = table.join(), table.join()

    author.send(dear_update())

    (trial,) = author.trials
    assert [] == reader.updates == table.rows
    table.room.resume(trial, tried(trial))
    assert 1 == len(table.rows) == len(reader.updates)


def test_a_long_update_is_tried_before_it_is_read(table: Table) -> None:
    """R14: reading it takes long, too."""
    author = table.join()

    author.send(typed(7, 0, "x" * 70_000))

    (trial,) = author.trials
    table.room.resume(trial, tried(trial))
    assert 1 == len(table.rows)


def test_an_update_that_failed_its_trial_closes_its_sender(table: Table) -> None:
    """R14, R8."""
    author = table.join()
    author.send(dear_update())

    table.room.resume(author.trials[0], TooLargeError("cost of one update", 900, 100, "ms"))

    assert (4413, "cost of one update: 900 ms, the limit is 100") == author.sink.closed
    assert [] == table.rows


def test_a_trial_of_a_connection_that_left_is_forgotten(table: Table) -> None:
    """R14."""
    author = table.join()
    author.send(dear_update())
    author.leave()

    table.room.resume(author.trials[0], tried(author.trials[0]))

    assert [] == table.rows


def test_a_known_update_is_not_tried(table: Table) -> None:
    """R5, R14."""
    author = table.join()
    author.send(dear_update())
    table.room.resume(author.trials[0], tried(author.trials[0]))

    author.send(dear_update())

    assert 1 == len(author.trials)


# ---- peers that do not keep up ----


def test_a_full_socket_gets_this_turn_and_then_nothing(table: Table) -> None:
    """R9."""
    author, slow = table.join(), table.join()
    first, second, third = typing(7, "abc")

    slow.fill()
    author.send(first)
    author.send(second)
    author.send(third)

    assert [first] == slow.updates


def test_one_diff_brings_it_up_to_date(table: Table) -> None:
    """R10."""
    author, slow = table.join(), table.join()
    first, *rest = typing(7, "abcdef")
    slow.fill()
    author.send(first)
    for update in rest:
        author.send(update)

    slow.drain()

    assert 2 == len(slow.updates)
    assert "abcdef" == text_of(*slow.updates)
    author.send(typed(7, 6, "g", (7, 5)))
    assert "abcdefg" == text_of(*slow.updates)


def test_a_socket_that_filled_up_in_a_quiet_room_gets_nothing_when_it_drains(table: Table) -> None:
    """R10."""
    slow = table.join()
    slow.fill()
    table.room.settle()

    slow.drain()

    assert [] == slow.updates


def test_a_full_socket_that_asks_is_answered_once_when_it_drains(table: Table) -> None:
    """R10, T7: however often it asks."""
    table.join().send(HELLO)
    slow = table.join()
    slow.fill()

    for _ in range(10):
        slow.ask()
    assert [] == slow.received
    slow.drain()

    assert 1 == len(slow.received_of(Kind.SYNC_STEP_2))
    assert "hello" == text_of(*slow.received_of(Kind.SYNC_STEP_2))


def test_a_socket_that_drains_within_the_turn_misses_nothing(table: Table) -> None:
    """R9."""
    author, slow = table.join(), table.join()
    slow.fill()
    slow.drain()

    author.send(HELLO)

    assert [HELLO] == slow.updates


def test_presence_is_told_anew_to_who_reads_again(table: Table) -> None:
    """R10: a full socket gets no awareness; only the latest counts."""
    author, slow = table.join(), table.join()
    slow.fill()
    table.room.settle()
    for clock in range(1, 5):
        author.show(7, clock)
    assert [] == slow.received

    slow.drain()

    assert {7: (4, b"{}")} == clients_in(slow.received_of(Kind.AWARENESS)[0])


def test_who_never_reads_is_closed() -> None:
    """R11."""
    table = Table(limits=RoomLimits(lag_seconds=60))
    slow = table.join()
    slow.fill()
    table.room.settle()

    table.room.tick(59)
    assert slow.closed_with is None
    table.room.tick(61)

    assert 1013 == slow.closed_with


# ---- when pycrdt fails ----


class Fragile(Replica):
    """A replica whose library fails on one text, as it may on something that nobody has found yet."""

    def _apply(self, update: bytes) -> None:
        if b"poison" in update:
            raise BrokenReplicaError("pycrdt failed")
        super()._apply(update)


def test_a_failure_of_pycrdt_costs_its_sender_only() -> None:
    """R13: the room reads its document again and nobody else notices."""
    table = Table(replica=Fragile())
    author, other = table.join(), table.join()
    author.say(HELLO)

    author.say(typed(7, 5, "poison", (7, 4)))
    assert table.room.broken
    table.log.commit()
    other.say(typed(8, 0, "!", (7, 4)))
    table.room.mend(table.log.load())
    table.room.settle()

    assert 4400 == author.closed_with
    assert other.closed_with is None
    assert "hello!" == text_of(full_state(other))
    assert [HELLO] == [row.data for row in table.log.rows]


@pytest.mark.parametrize("who", ["author", "other"])
def test_a_room_that_was_mended_is_roused_by_what_comes(who: str) -> None:
    """R13, R4: somebody who was to be seen left while it was broken, and was passed over; then nothing was heard."""
    table = Table(replica=Fragile())
    author, other, bob = table.join(), table.join(), table.join("bob")
    for client, member in enumerate((author, other, bob)):
        member.show(client, 1)
    author.say(typed(7, 0, "poison"))
    if who == "other":
        table.room.leave(other.connection)
    table.log.commit()
    woken = table.woken

    table.room.mend(table.log.load())
    assert table.woken == woken + 1
    table.room.settle()
    bob.say(HELLO)

    assert table.woken == woken + 2


def test_a_row_that_pycrdt_fails_on_is_left_out_and_counted() -> None:
    """R22: the rest of the document opens."""
    poison = typed(8, 0, "poison")
    loaded, left_out = load_without_poison(Fragile, [], [HELLO, poison, typed(9, 0, "more")])

    assert {poison} == left_out
    assert {7: 5, 9: 4} == loaded.state


def test_what_comes_while_the_document_is_read_again_is_bounded() -> None:
    """R13."""
    table = Table(replica=Fragile(), limits=RoomLimits(deferred_bytes=100))
    author, other = table.join(), table.join()
    author.say(typed(7, 0, "poison"))

    for _ in range(30):
        other.ask()

    assert 1013 == other.closed_with


# ---- presence ----


def test_presence_goes_to_everybody_its_sender_too(table: Table) -> None:
    """A5: y-websocket 3 takes a link for dead on which it hears nothing."""
    ann, bob = table.join(), table.join()

    ann.show(7, 1, b'{"x":1}')

    for member in (ann, bob):
        assert [{7: (1, b'{"x":1}')}] == [clients_in(u) for u in member.received_of(Kind.AWARENESS)]


def test_an_echo_of_known_presence_goes_nowhere(table: Table) -> None:
    """A1: y-websocket sends back everything that it hears."""
    ann, bob = table.join(), table.join()
    ann.show(7, 1)
    ann.forget()

    bob.show(7, 1)

    assert [] == ann.received


def test_who_loses_the_socket_is_gone_for_all(table: Table) -> None:
    """A4: at the clock that is known."""
    ann, bob = table.join(), table.join()
    ann.show(7, 3)
    bob.forget()

    ann.leave()

    assert [{7: (3, b"null")}] == [clients_in(u) for u in bob.received_of(Kind.AWARENESS)]


def test_a_quiet_room_gets_a_sign_of_life(table: Table) -> None:
    """A5: every 20 s at the latest."""
    member = table.join()

    table.room.tick(15)
    assert [] == member.received
    table.room.tick(20)

    assert [b"\x00"] == member.received_of(Kind.AWARENESS)


def test_a_lone_author_gets_a_sign_of_life_too(table: Table) -> None:
    """A5: its own updates don't come back to it."""
    author = table.join()
    table.room.tick(10)
    author.send(HELLO)
    table.room.tick(20)

    assert 1 == len(author.received_of(Kind.AWARENESS))


def test_who_asks_who_is_here_is_told(table: Table) -> None:
    """A5: queryAwareness."""
    table.join().show(7, 1)
    member = table.join()

    member.send_raw(b"\x03")

    assert {7: (1, b"{}")} == clients_in(member.received_of(Kind.AWARENESS)[-1])


def test_who_has_not_been_renewed_is_forgotten(table: Table) -> None:
    """A6."""
    ann, bob = table.join(), table.join()
    ann.show(7, 1)
    bob.forget()

    table.room.tick(31)
    table.room.settle()

    assert {7: (1, b"null")} in [clients_in(u) for u in bob.received_of(Kind.AWARENESS)]
