"""What somebody may change who may comment (R30)."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest

from collab.core.awareness import Presence, encode
from collab.core.connection import Access
from collab.core.inspection import read
from collab.core.merging import BrokenReplicaError, merge
from collab.core.replica import Replica
from collab.core.rights import COMMENTS
from collab.core.survey import survey
from collab.core.values import ANY, TYPE
from collab.core.wire import EMPTY_UPDATE, Kind, var_bytes
from collab.errors import CollabError
from tests.support.hostile import EXAMPLES, Forger, garbage, item, replica_with, text, update
from tests.support.members import HOCUSPOCUS, Member, Table, clients_in, tried
from tests.support.view import view_of

MAP, WORDS = b"\x01", b"\x06"
VALUE: Final = b"\x01\x7e"

DOCUMENT: Final = update(
    {
        5: (
            0,
            [
                text("words"),  # 0 to 4
                item(TYPE, MAP, root=COMMENTS, key="thread"),  # 5
                item(TYPE, WORDS, inside=(5, 5), key="body"),  # 6
                text("nice", inside=(5, 6)),  # 7 to 10
                item(ANY, VALUE, root="meta", key="title"),  # 11
                item(TYPE, MAP, root="map", key="m"),  # 12
                item(ANY, VALUE, inside=(5, 12), key="a"),  # 13
            ],
        )
    },
    {5: [(9, 10)]},
)

COMMENTING: Final = {
    "a thread": update({7: (0, [item(TYPE, MAP, root=COMMENTS, key="another")])}),
    "a thread with something in it": update(
        {
            7: (
                0,
                [
                    item(TYPE, MAP, root=COMMENTS, key="x"),
                    item(TYPE, WORDS, inside=(7, 0), key="body"),
                    text("hi", inside=(7, 1)),
                ],
            )
        }
    ),
    "a letter in a thread": update({7: (0, [text("!", left=(5, 10))])}),
    "a letter between others": update({7: (0, [text("!", left=(5, 7), right=(5, 8))])}),
    "a value in a thread": update({7: (0, [item(ANY, VALUE, inside=(5, 5), key="resolved")])}),
    "a letter deleted": update({}, {5: [(7, 8)]}),
    "a thread deleted": update({}, {5: [(5, 6)]}),
    "what is deleted already": update({}, {5: [(9, 10)]}),
    "two people's": update({8: (0, [text("b", left=(7, 0))]), 7: (0, [text("a", left=(5, 10))])}),
    "garbage of one's own": update({7: (0, [garbage(3), item(ANY, VALUE, root=COMMENTS, key="x")])}),
    "nothing": EMPTY_UPDATE,
    "what is known": DOCUMENT,
}
EDITING: Final = {
    "a letter in the text": update({7: (0, [text("!", left=(5, 4))])}),
    "a letter in front": update({7: (0, [text("!", right=(5, 0))])}),
    "another root": update({7: (0, [text("!", root="another")])}),
    "a root that is called nearly so": update({7: (0, [text("!", root="comments ")])}),
    "a title": update({7: (0, [item(ANY, VALUE, root="meta", key="title")])}),
    "a value in a map": update({7: (0, [item(ANY, VALUE, inside=(5, 12), key="b")])}),
    "a letter of the text deleted": update({}, {5: [(0, 1)]}),
    "a title deleted": update({}, {5: [(11, 12)]}),
    "all deleted": update({}, {5: [(0, 14)]}),
    "from a thread on": update({}, {5: [(5, 14)]}),
    "a comment and a letter": update({8: (0, [text("!", left=(5, 4))]), 7: (0, [text("!", left=(5, 10))])}),
    "a letter behind a comment": update({7: (0, [text("!", left=(5, 10)), text("!", left=(5, 4))])}),
    "a letter beside one of one's own": update({8: (0, [text("!", left=(7, 0))]), 7: (0, [text("!", left=(5, 4))])}),
    "what has to wait": update({7: (1, [text("!", left=(5, 10))])}),
    "a deletion that has to wait": update({}, {9: [(0, 1)]}),
    "what goes on in the text": update({5: (14, [text("!", left=(5, 4))])}),
}


def stays(replica: Replica, one: bytes) -> bool:
    return replica.stays_in(COMMENTS, replica.trim(one, read(one))[1])


@pytest.mark.parametrize("restarted", [False, True])
def test_what_stays_in_the_comments_is_told_from_what_does_not(restarted: bool) -> None:
    """R30, W15."""
    replica = replica_with([DOCUMENT])
    if restarted:
        snapshot = replica.full_state()
        replica = Replica.load([snapshot], [], [survey(snapshot)])

    assert dict.fromkeys(COMMENTING, True) == {name: stays(replica, one) for name, one in COMMENTING.items()}
    assert dict.fromkeys(EDITING, False) == {name: stays(replica, one) for name, one in EDITING.items()}


def test_where_nobody_knows_nothing_is_allowed() -> None:
    """R30: a document that was stored before it was noted where everything stands."""
    replica = Replica.load([replica_with([DOCUMENT]).full_state()], [], [])
    replica._layout.containers.tracks.clear()

    assert not stays(replica, COMMENTING["a letter in a thread"])
    assert stays(replica, COMMENTING["a thread"])


@EXAMPLES
def test_what_a_commenter_may_bring_leaves_all_else_as_it_was(examples: int) -> None:
    """R30, G12: whatever they invent."""
    random = Random(30)
    allowed = 0
    for _ in range(examples * 20):
        forger = Forger(random, {5: 14, 6: 5}, types=[(5, 5), (5, 6), (5, 12), (6, 0)])
        base = merge(
            [DOCUMENT, update({6: (0, [item(TYPE, MAP, root=COMMENTS, key="b"), text("more", inside=(5, 6))])})]
        )
        replica = Replica.load([base], [], [survey(base)])
        before = view_of(base)
        try:
            one, inspection = replica.trim(forged := forger.update(), read(forged))
            if not replica.stays_in(COMMENTS, inspection):
                continue
            replica.admit(one, inspection)
        except (CollabError, BrokenReplicaError):
            continue
        allowed += inspection.runs != () or inspection.deletes != ()

        assert before == view_of(replica.full_state())
    assert allowed > examples / 10


@pytest.fixture
def table() -> Table:
    return Table(replica=Replica.load([], [DOCUMENT]))


def test_a_commenter_comments(table: Table) -> None:
    """R30, R1, R4."""
    commenter, editor = table.connect("cat", Access.COMMENT), table.join("ann")

    assert 1 == len(commenter.received_of(Kind.SYNC_STEP_1))
    commenter.send(COMMENTING["a letter in a thread"])

    assert [COMMENTING["a letter in a thread"]] == editor.updates == table.rows


@pytest.mark.parametrize("dialect", ["y-websocket", "Hocuspocus"])
@pytest.mark.parametrize("name", EDITING)
def test_a_commenters_edit_goes_nowhere_and_it_is_told(table: Table, dialect: str, name: str) -> None:
    """R30, R7, R27."""
    editor = table.join("ann")
    commenter: Member = (
        table.join("cat", Access.COMMENT) if dialect == "y-websocket" else table.join("cat", Access.COMMENT, HOCUSPOCUS)
    )

    commenter.send(EDITING[name])
    table.log.commit()

    assert [] == editor.updates == table.rows
    assert commenter.closed_with is None
    if dialect == "Hocuspocus":
        assert [False] == commenter.counted
    else:
        assert [b"\x02\x00" + b"\x29this connection may only read and comment"] == commenter.sink.messages


@pytest.mark.parametrize(("beside", "rows"), [((5, 10), 1), ((5, 4), 0)], ids=["in a thread", "in the text"])
def test_a_long_comment_is_tried_and_then_looked_at(table: Table, beside: tuple[int, int], rows: int) -> None:
    """R30, R14."""
    commenter = table.join("cat", Access.COMMENT)
    commenter.say(update({7: (0, [text("x" * 70_000, left=beside)])}))
    (trial,) = commenter.trials

    table.room.resume(trial, tried(trial))

    assert rows == len(table.rows)
    assert commenter.closed_with is None


@pytest.mark.parametrize("known", [False, True], ids=["opened since", "looked up"])
def test_nobody_comments_under_the_client_id_of_somebody_else(known: bool) -> None:
    """R30, S8, P6: an editor who was offline came back, and what they had written was another one's comment."""
    table = Table(replica=replica_with([update({5: (0, [text("hello", root="t")])})]))
    eve = table.join("eve", Access.COMMENT)
    if known:
        table.room.authors.update({5: "ann"})
    stolen = update({5: (5, [text("0123", root=COMMENTS)])})

    eve.send(stolen)
    eve.send(update({5: (5, [garbage(1 << 30)])}))
    eve.send(update({6: (0, [text("mine", root=COMMENTS)])}))
    eve.send(update({6: (4, [text("!", left=(6, 3))])}))
    ann = table.join("ann")
    ann.send(update({5: (5, [text(" IMPORTANT", left=(5, 4))])}))
    table.log.commit()

    assert {5: 15, 6: 5} == table.room._replica.state
    assert eve.connection.refused
    assert eve.closed_with is None


def test_nobody_comments_under_a_client_id_that_somebody_else_had_here() -> None:
    """R30, A2: who has written nothing yet, and went offline, is known by what they showed."""
    table = Table()
    ann, eve = table.join("ann"), table.join("eve", Access.COMMENT)
    ann.show(5, 1)
    ann.leave()
    eve.show(5, 2, b'{"user":"eve"}')

    eve.send(update({5: (0, [text("0123", root=COMMENTS)])}))
    eve.send(update({6: (0, [text("mine", root=COMMENTS)])}))

    assert {6: 4} == table.room._replica.state


@pytest.mark.parametrize("by", ["an editor", "a request"])
def test_nobody_begins_a_document_with_a_comment(by: str) -> None:
    """R30, K6: whoever writes first in one that is not there owns it."""
    table = Table()
    table.room.begun = False
    eve, comment = table.join("eve", Access.COMMENT), update({6: (0, [text("mine", root=COMMENTS)])})

    eve.send(comment)
    assert {} == table.room._replica.state
    assert eve.connection.refused
    if by == "an editor":
        table.join("ann").send(update({5: (0, [text("hello", root="t")])}))
    else:
        table.room.bring(EMPTY_UPDATE, read(EMPTY_UPDATE))
    eve.send(comment)

    assert 4 == table.room._replica.state[6]


def test_who_wrote_comments_goes_on_with_them_after_the_room_was_closed() -> None:
    """R30, S8: as whoever the log knows them to be."""
    table = Table(replica=replica_with([update({6: (0, [text("mine", root=COMMENTS)])})]))
    eve = table.join("eve", Access.COMMENT)
    more = update({6: (4, [text("!", left=(6, 3))])})

    eve.send(more)
    assert {6: 4} == table.room._replica.state
    table.room.authors.update({6: "eve"})
    eve.send(more)

    assert {6: 5} == table.room._replica.state


def test_nobody_comments_under_a_client_id_of_which_something_waits() -> None:
    """R30: it is in no state yet; and of two who comment each has their own."""
    table = Table()
    ann, eve, bob = table.join("ann"), table.join("eve", Access.COMMENT), table.join("bob", Access.COMMENT)
    ann.send(update({5: (1, [text("b", left=(5, 0))])}))
    bob.show(8, 1)
    bob.leave()

    eve.send(update({5: (0, [text("0", root=COMMENTS)])}))
    eve.send(update({8: (0, [text("0", root=COMMENTS)])}))

    assert {} == table.room._replica.state


@pytest.mark.parametrize("said", [[b" null"], [b"{}", b"null"]], ids=["left", "came and left"])
def test_nobody_has_others_forgotten_by_saying_that_strangers_left(said: list[bytes]) -> None:
    """A7, R30: an editor who went offline is remembered."""
    table = Table()
    ann, eve = table.join("ann"), table.join("eve", Access.COMMENT)
    ann.show(5, 1)
    ann.leave()

    for first in range(100, 20_100, 5_000):
        strangers = range(first, first + 5_000)
        eve.send_raw(b"\x01" + var_bytes(encode(Presence(client, 1, each) for client in strangers for each in said)))
    eve.send(update({5: (0, [text("0", root=COMMENTS)])}))

    assert {} == table.room._replica.state


@pytest.mark.parametrize("access", [Access.VIEW, Access.COMMENT])
def test_nobody_has_others_forgotten_by_coming_and_going(access: Access) -> None:
    """A7, R30: with one client id after the other, more than a room remembers, on any number of sockets."""
    table = Table()
    ann = table.join("ann")
    ann.show(5, 1)
    ann.leave()

    for first in range(100, 20_100, 100):
        eve, clients = table.join("eve", access), range(first, first + 100)
        for said in (b"{}", b"null"):
            eve.send_raw(b"\x01" + var_bytes(encode(Presence(client, 1, said) for client in clients)))
        eve.leave()
    eve = table.join("eve", access)
    eve.show(5, 2, b'{"user":"ann?"}')
    eve.send(update({5: (0, [text("0", root=COMMENTS)])}))

    assert {} == table.room._replica.state
    assert not eve.connection.closed
    assert b"null" == table.room._presence._awareness._entries[5].state


@pytest.mark.parametrize("access", [Access.VIEW, Access.COMMENT])
def test_nobody_who_may_do_less_is_seen_as_somebody_who_wrote(access: Access) -> None:
    """A2, R16: after the room was opened again, too; and the one who wrote comes back."""
    table = Table(replica=replica_with([update({5: (0, [text("hello", root="t")])})]))
    table.room.authors.update({5: "ann"})
    eve, ben = table.join("eve", access), table.join("ben")

    eve.show(5, 1, b'{"user":"ann?"}')
    ben.show(9, 1)
    assert {9} == set().union(*(clients_in(said) for said in ben.received_of(Kind.AWARENESS)))

    ann = table.join("ann")
    ann.show(5, 1)
    ann.send(update({5: (5, [text("!", left=(5, 4))])}))
    assert ann.closed_with is None
    assert [] == ann.challenges


def test_somebody_who_wrote_goes_on_whoever_says_that_they_left() -> None:
    """R30: another one may say so, as every client does of those of whom it hears nothing (A2)."""
    table = Table()
    ann, eve = table.join("ann", Access.COMMENT), table.join("eve", Access.COMMENT)
    ann.show(5, 1)
    ann.send(update({5: (0, [text("0", root=COMMENTS)])}))
    ann.leave()
    eve.show(5, 2**31 - 1, b"null")

    back = table.join("ann", Access.COMMENT)
    back.send(update({5: (1, [text("1", left=(5, 0))])}))

    assert {5: 2} == table.room._replica.state
