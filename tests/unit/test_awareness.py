"""Who is here in one room (A1 to A8); what a room sends of it is in `test_room`."""

from __future__ import annotations

import json
from random import Random

import pytest

from collab.core.awareness import (
    EXPIRY_SECONDS,
    MAX_STATE_DEPTH,
    Awareness,
    AwarenessLimits,
    Presence,
    Stamp,
    decode,
    encode,
)
from collab.core.wire import MAX_CLOCK, var_bytes
from collab.errors import MalformedError, TooLargeError
from tests.support.hostile import EXAMPLES
from tests.support.members import Table
from tests.support.work import counted

ANN, BEN = "ann", "ben"
LIMITS = AwarenessLimits()


def here(awareness: Awareness[str]) -> dict[int, tuple[int, bytes]]:
    """Return what a newcomer would be told."""
    return {client: (clock, state) for client, clock, state in decode(awareness.everyone() or b"\x00")}


def says(client: int, clock: int, state: bytes = b"{}") -> bytes:
    return encode([Presence(client, clock, state)])


@pytest.fixture
def awareness() -> Awareness[str]:
    """Ann is here, as client 7 with clock 5."""
    awareness: Awareness[str] = Awareness()
    awareness.receive(says(7, 5, b'{"x":1}'), ANN, 0)
    awareness.take_changes()
    return awareness


@pytest.mark.parametrize(
    ("clock", "state", "counts"),
    [
        (6, b"{}", True),
        (5, b"{}", False),
        (4, b"{}", False),
        (6, b"null", True),
        (5, b"null", True),
        (4, b"null", False),
    ],
)
def test_an_entry_counts_if_it_is_newer_or_says_goodbye(
    awareness: Awareness[str], clock: int, state: bytes, *, counts: bool
) -> None:
    """A1: as y-protocols has it."""
    assert ([7] if counts else []) == awareness.receive(says(7, clock, state), ANN, 1)

    assert counts == (awareness.take_changes() is not None)


def test_a_goodbye_counts_once(awareness: Awareness[str]) -> None:
    """A1: clients repeat to the server what it told them."""
    awareness.receive(says(7, 5, b"null"), ANN, 1)

    assert [] == awareness.receive(says(7, 5, b"null"), ANN, 1)


def test_within_one_update_the_newest_entry_of_a_client_counts(awareness: Awareness[str]) -> None:
    """A1: the last one did, whatever its clock."""
    update = encode([Presence(7, 9, b'"new"'), Presence(7, 8, b'"old"')])

    assert [7] == awareness.receive(update, ANN, 1)
    assert {7: (9, b'"new"')} == here(awareness)


def test_an_entry_belongs_to_whom_it_came_from(awareness: Awareness[str]) -> None:
    """A2."""
    awareness.receive(says(8, 1), BEN, 1)

    assert (ANN, BEN, None) == tuple(map(awareness.owner_of, (7, 8, 9)))


def test_who_is_gone_belongs_to_nobody(awareness: Awareness[str]) -> None:
    """A2: somebody else may come back under the same id."""
    awareness.leave(ANN)

    assert awareness.owner_of(7) is None


def test_what_does_not_count_changes_no_owner(awareness: Awareness[str]) -> None:
    """A2: y-websocket sends back all that it hears."""
    awareness.receive(says(7, 5, b'{"x":1}'), BEN, 1)

    assert ANN == awareness.owner_of(7)


def test_nobody_can_take_over_the_client_id_of_somebody_else() -> None:
    """R16, A2: a reader at another address announced ann's id with a newer clock; her next word closed her."""
    table = Table()
    ann, reader = table.join(principal="ann"), table.join(principal="eve")
    ann.show(7, 1)

    reader.show(7, 2, b'{"name":"ann"}')
    ann.send(bytes.fromhex("01010700040101740161" + "00"))

    assert ann.sink.closed is None


def test_one_connection_cannot_keep_everybody_else_from_being_seen() -> None:
    """A7: one message of 60 KB, which a reader may send, and every newcomer is closed with 4413."""
    table = Table()
    greedy, newcomer = table.join(principal="eve"), table.join(principal="ann")
    greedy.send_raw(b"\x01" + var_bytes(encode([Presence(client, 1, b"1") for client in range(100, 10_100)])))

    newcomer.show(7, 1)

    assert newcomer.sink.closed is None


def test_a_turns_changes_go_out_together_with_the_latest_state_of_each(awareness: Awareness[str]) -> None:
    """A3."""
    for clock in range(6, 10):
        awareness.receive(says(7, clock, b"%d" % clock), ANN, 1)
        awareness.receive(says(8, clock), BEN, 1)

    changes = awareness.take_changes()

    assert changes is not None
    assert [Presence(7, 9, b"9"), Presence(8, 9, b"{}")] == decode(changes)
    assert awareness.take_changes() is None


def test_clients_go_with_their_socket_at_the_clock_that_is_known(awareness: Awareness[str]) -> None:
    """A4: with one more, a client that comes back would not count."""
    awareness.receive(says(8, 1), BEN, 1)
    awareness.take_changes()

    assert [7] == awareness.leave(ANN)

    changes = awareness.take_changes()
    assert changes is not None
    assert [Presence(7, 5, b"null")] == decode(changes)
    assert {8: (1, b"{}")} == here(awareness)


def test_a_client_that_comes_back_goes_on_from_there(awareness: Awareness[str]) -> None:
    """A4."""
    awareness.leave(ANN)

    assert [7] == awareness.receive(says(7, 6), ANN, 1)
    assert {7: (6, b"{}")} == here(awareness)


def test_who_has_not_been_renewed_is_forgotten(awareness: Awareness[str]) -> None:
    """A6."""
    awareness.receive(says(8, 1), BEN, EXPIRY_SECONDS / 2)

    assert [] == awareness.expire(EXPIRY_SECONDS)
    assert [7] == awareness.expire(EXPIRY_SECONDS + 0.1)
    assert {8: (1, b"{}")} == here(awareness)
    assert [] == awareness.expire(EXPIRY_SECONDS + 0.2)


NOT_JSON = {
    "nothing": b"",
    "half a value": b"{",
    "two values": b"{}{}",
    "a number that JavaScript has no word for": b'{"x":NaN}',
    "another one": b"-Infinity",
    "UTF-16": '{"x":1}'.encode("utf-16-le"),
    "a byte order mark": b'\xef\xbb\xbf{"x":1}',
    "half an emoji": b'"\xed\xa0\xbd"',
    "no UTF-8": b'"\xff"',
    "a control character": b'"\x01"',
    "single quotes": b"{'x':1}",
}


@pytest.mark.parametrize("state", NOT_JSON.values(), ids=NOT_JSON)
def test_a_state_that_browsers_cannot_parse_is_refused(awareness: Awareness[str], state: bytes) -> None:
    """A7: it would throw in every one of them. Python reads more than JavaScript does."""
    with pytest.raises(MalformedError):
        awareness.receive(says(7, 6, state), ANN, 1)

    assert awareness.take_changes() is None


@pytest.mark.parametrize("state", [b" null", b"null\n"])
def test_null_in_other_words_is_a_goodbye(awareness: Awareness[str], state: bytes) -> None:
    """A1: browsers parse it, and forget the client."""
    awareness.receive(says(7, 6, state), ANN, 1)

    assert {} == here(awareness)


def test_a_state_may_have_4_kib_and_8_levels(awareness: Awareness[str]) -> None:
    """A7."""
    deep, deeper = (b"[" * depth + b"]" * depth for depth in (MAX_STATE_DEPTH, MAX_STATE_DEPTH + 1))
    long, longer = (json.dumps("x" * (size - 2)).encode() for size in (LIMITS.state_bytes, LIMITS.state_bytes + 1))

    for clock, state in enumerate((deep, long), 6):
        assert [7] == awareness.receive(says(7, clock, state), ANN, 1)
    for state in (deeper, longer):
        with pytest.raises(TooLargeError):
            awareness.receive(says(7, 9, state), ANN, 1)


def test_the_limits_can_be_others() -> None:
    """A7: each says both figures."""
    awareness: Awareness[str] = Awareness(limits=AwarenessLimits(state_bytes=6, clients_of_one=2, clients=3))
    for update, said in (
        (says(7, 1, b'"12345"'), "awareness state of client 7: 7 bytes, the limit is 6"),
        (encode([Presence(client, 1, b"{}") for client in range(3)]), "3 clients, the limit is 2"),
        (encode([Presence(client, 1, b"{}") for client in range(4)]), "4 clients, the limit is 3"),
    ):
        with pytest.raises(TooLargeError, match=said):
            awareness.receive(update, ANN, 0)

    for owner, first in ((ANN, 10), (BEN, 20)):
        awareness.receive(encode([Presence(first + at, 1, b'"1234"') for at in range(2)]), owner, 0)

    assert [10, 11] == list(here(awareness))


def test_a_state_as_deep_as_it_is_long_is_refused() -> None:
    """A7: the parser would recurse."""
    with pytest.raises((MalformedError, TooLargeError)):
        Awareness[str]().receive(says(7, 1, b"[" * 2048 + b"]" * 2048), ANN, 0)


def test_an_update_of_which_one_entry_is_refused_leaves_no_trace(awareness: Awareness[str]) -> None:
    """A7, R8."""
    with pytest.raises(MalformedError):
        awareness.receive(encode([Presence(8, 1, b"{}"), Presence(9, 1, b"{")]), BEN, 1)

    assert [7] == list(here(awareness))
    assert awareness.take_changes() is None


def crowd(awareness: Awareness[str]) -> list[str]:
    """Fill a room with as many clients as it remembers; return whose they are."""
    owners = [f"{ANN} {at}" for at in range(0, LIMITS.clients, LIMITS.clients_of_one)]
    for at, owner in enumerate(owners):
        clients = range(at * LIMITS.clients_of_one, (at + 1) * LIMITS.clients_of_one)
        awareness.receive(encode([Presence(client, 1, b"{}") for client in clients]), owner, 0)
    return owners


def crowded(clients: int) -> Awareness[str]:
    """Return a room with so many clients in it, a hundred to a connection."""
    awareness: Awareness[str] = Awareness()
    for first in range(0, clients, LIMITS.clients_of_one):
        some = range(first, min(first + LIMITS.clients_of_one, clients))
        awareness.receive(encode(Presence(client, 1, b"{}") for client in some), f"somebody {first}", 0)
    return awareness


def test_a_room_remembers_ten_thousand_clients_and_forgets_the_gone_first() -> None:
    """A7."""
    awareness = crowded(LIMITS.clients)
    # Not their fault, and no reason to send them away: y-websocket 3.1 would not come again.
    assert [] == awareness.receive(says(LIMITS.clients, 1), BEN, 0)

    awareness.receive(says(5, 1, b"null"), "somebody 0", 0)

    assert [LIMITS.clients] == awareness.receive(says(LIMITS.clients, 1), BEN, 0)
    assert LIMITS.clients == len(awareness)


def test_a_clock_that_nobody_reaches_is_passed_over() -> None:
    """A2: whoever it was counted up for adopts it, and goes on from there."""
    awareness: Awareness[str] = Awareness()

    assert [8] == awareness.receive(encode([Presence(7, MAX_CLOCK + 1, b"{}"), Presence(8, 1, b"{}")]), ANN, 0)


def test_in_a_full_room_those_who_are_there_still_move() -> None:
    """A7: they were counted once more with each word."""
    awareness = crowded(LIMITS.clients)

    assert [5] == awareness.receive(says(5, 2, b'"here"'), "somebody 0", 0)


LARGE = json.dumps([["x"] * 20] * 40).encode()


def test_nothing_is_read_of_a_message_that_speaks_for_too_many() -> None:
    """A7, G5: 16 MB of states, all of clients that are known and whose owner may be the same, took 2.8 s."""
    awareness = crowded(LIMITS.clients)
    claimed = encode(Presence(client, 2, LARGE) for client in range(LIMITS.clients))

    with counted() as work, pytest.raises(TooLargeError, match="10000 clients, the limit is 100"):
        awareness.receive(claimed, BEN, 0)

    assert 0 == work.of["loads"]
    assert awareness.take_changes() != claimed
    assert "somebody 0" == awareness.owner_of(5)


def test_a_client_that_says_what_it_has_heard_is_not_read() -> None:
    """A7: y-websocket sends back all that it hears, of however many clients."""
    awareness: Awareness[str] = Awareness()
    for first in range(0, 1000, LIMITS.clients_of_one):
        some = range(first, first + LIMITS.clients_of_one)
        awareness.receive(encode(Presence(client, 1, LARGE) for client in some), f"somebody {first}", 0)
    heard = awareness.everyone()
    assert heard is not None
    assert len(heard) > 1000 * len(LARGE)

    with counted() as work:
        assert [] == awareness.receive(heard, BEN, 0)

    assert 0 == work.of["loads"]


def test_somebody_may_say_of_everybody_that_they_left() -> None:
    """A7: whoever was alone on a slow link for 30 s takes all others for gone."""
    awareness = crowded(1000)
    left = [Presence(client, 1, b"null") for client in range(1000)]

    awareness.receive(encode([Presence(5000, 1, b"{}"), *left]), BEN, 0)

    assert [5000] == list(here(awareness))


def test_a_connection_speaks_for_a_hundred_clients_whoever_had_them_before() -> None:
    """A7, A2: those that it took over count, and those that left do not."""
    awareness = crowded(200)
    mine = [Presence(client, 2, b"{}") for client in range(LIMITS.clients_of_one)]
    awareness.receive(encode(mine), BEN, 0)
    with pytest.raises(TooLargeError):
        awareness.receive(says(150, 2), BEN, 0)

    awareness.receive(says(7, 3, b"null"), BEN, 0)

    assert [150] == awareness.receive(says(150, 2), BEN, 0)
    assert [] == awareness.leave("somebody 0")
    assert LIMITS.clients_of_one == len(awareness.leave(BEN))


def test_asking_who_is_here_is_cheap_however_many_are_remembered() -> None:
    """T7: the question is one byte; thousands stand in one packet, and each took 0.2 ms."""
    awareness = crowded(LIMITS.clients)
    for first in range(0, LIMITS.clients, LIMITS.clients_of_one):
        awareness.leave(f"somebody {first}")
    assert awareness.everyone() is None

    with counted() as work:
        assert awareness.everyone() is None

    assert work.calls < 10


@EXAMPLES
def test_a_newcomer_is_told_what_everybody_was_told_one_by_one(examples: int) -> None:
    """A1 to A6: after any history, the changes that went out add up to who is here."""
    random = Random(17)
    for _ in range(examples):
        awareness: Awareness[str] = Awareness()
        told: dict[int, tuple[int, bytes]] = {}
        for now in range(30):
            _something_happens(awareness, random, now * 5.0)
            for client, clock, state in decode(awareness.take_changes() or b"\x00"):
                told[client] = clock, state
            assert {c: entry for c, entry in told.items() if entry[1] != b"null"} == here(awareness)


def _something_happens(awareness: Awareness[str], random: Random, now: float) -> None:
    owner, dice = random.choice((ANN, BEN)), random.random()
    if dice < 0.8:
        state = random.choice((b"null", b"1", b"{}"))
        awareness.receive(says(random.randint(1, 4), random.randint(1, 20), state), owner, now)
    elif dice < 0.9:
        awareness.leave(owner)
    else:
        awareness.expire(now)


STAMP = Stamp("ann", "Ann", "#1a2b3c")
SHOWN = {"id": "ann", "name": "Ann", "color": "#1a2b3c"}


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ({"user": {"name": "Bob", "id": "bob"}, "cursor": 3}, {"user": SHOWN, "cursor": 3}),
        ({"cursor": [1, 2]}, {"cursor": [1, 2], "user": SHOWN}),
        ({"user": "Bob"}, {"user": SHOWN}),
        ({"user": {"avatar": "😀"}}, {"user": {"avatar": "😀", **SHOWN}}),
        ("Bob", "Bob"),
        ([{"user": "Bob"}], [{"user": "Bob"}]),
    ],
)
def test_everybody_is_who_they_are(said: object, seen: object) -> None:
    """A8: whatever they say of themselves."""
    awareness: Awareness[str] = Awareness()

    awareness.receive(encode([Presence(7, 1, json.dumps(said).encode())]), "ann", 0, STAMP)

    ((_, _, state),) = decode(awareness.take_changes() or b"\x00")
    assert seen == json.loads(state)


def test_what_the_server_does_not_know_people_may_say() -> None:
    """A8."""
    awareness: Awareness[str] = Awareness()

    awareness.receive(encode([Presence(7, 1, b'{"user":{"name":"Bob","color":"red"}}')]), "ann", 0, Stamp("guest"))

    ((_, _, state),) = decode(awareness.take_changes() or b"\x00")
    assert {"user": {"name": "Bob", "color": "red", "id": "guest"}} == json.loads(state)


@pytest.mark.parametrize(
    "said", [b'{"a":"\\ud83d"}', b'{"a":123456789012345678901234567890}', b'{"a":1.5e300}', b'{"a":{"a":1},"a":2}']
)
def test_a_stamp_changes_nothing_else(said: bytes) -> None:
    """A8: half an emoji, and numbers that no double holds, are JSON."""
    awareness: Awareness[str] = Awareness()

    awareness.receive(encode([Presence(7, 1, said)]), "ann", 0, Stamp("ann"))

    ((_, _, state),) = decode(awareness.take_changes() or b"\x00")
    assert {**json.loads(said), "user": {"id": "ann"}} == json.loads(state)


def test_a_number_that_no_json_has_is_malformed() -> None:
    """A8, A7: it is read as infinity, and written as such it would make every browser throw."""
    awareness: Awareness[str] = Awareness()

    with pytest.raises(MalformedError, match="out of range"):
        awareness.receive(encode([Presence(7, 1, b'{"a":1e999}')]), "ann", 0, Stamp("ann"))
    assert awareness.take_changes() is None
