"""Where elements stand, and what is refused because of it (W12 to W15)."""

from __future__ import annotations

from random import Random
from typing import Any, Final

import pytest
from pycrdt import Doc, Text

from collab.core.causality import Id
from collab.core.containers import KEYS, UNKNOWN, Containers
from collab.core.inspection import read
from collab.core.layout import Layout
from collab.core.merging import merge
from collab.core.packing import pack
from collab.core.partition import in_pieces
from collab.core.poison import load_without_poison
from collab.core.replica import Replica, Verdict
from collab.core.survey import recall, survey
from collab.core.values import ANY, DELETED, TYPE
from collab.core.waiting import MOST_FLAWED
from collab.core.wire import EMPTY_UPDATE
from collab.errors import MalformedError
from tests.support.hostile import EXAMPLES, garbage, item, replica_with, text, typed, update
from tests.support.members import Table
from tests.support.view import text_of
from tests.support.work import counted

MAP, PARAGRAPH, WORDS = b"\x01", b"\x03\x01p", b"\x06"
VALUE: Final = b"\x01\x7e"
THREE: Final = b"\x03\x7e\x7e\x7e"

DOCUMENT: Final = update(
    {
        5: (
            0,
            [
                text("words"),  # 0 to 4
                item(TYPE, MAP, root="map", key="m"),  # 5
                item(ANY, VALUE, inside=(5, 5), key="a"),  # 6
                item(ANY, VALUE, inside=(5, 5), key="b"),  # 7
                item(TYPE, PARAGRAPH, root="xml"),  # 8
                item(TYPE, WORDS, inside=(5, 8)),  # 9
                text("more", inside=(5, 9)),  # 10 to 13
                item(ANY, VALUE, inside=(5, 8), key="a"),  # 14
            ],
        )
    }
)


def attempt(replica: Replica, one: bytes) -> Verdict:
    return replica.admit(*replica.trim(one, read(one)))


def loaded(replica: Replica) -> Replica:
    """Return the same document after a restart, with what is kept beside its snapshot."""
    snapshot = replica.full_state()
    return Replica.load([snapshot], [], [survey(snapshot)])


def loaded_from_an_older_release(replica: Replica) -> Replica:
    snapshot = replica.full_state()
    return Replica.load([snapshot], [], [b"\x00\x03\x02\x02\x00\x00"])


RESTARTED = pytest.mark.parametrize("restarted", [False, True], ids=["at once", "after a restart"])


# ---- neighbours ----

ELSEWHERE: Final[dict[str, dict[str, Id]]] = {
    "a text and a key": {"left": (5, 4), "right": (5, 6)},
    "a key and a text": {"left": (5, 6), "right": (5, 0)},
    "two keys": {"left": (5, 6), "right": (5, 7)},
    "the same key of two types": {"left": (5, 6), "right": (5, 14)},
    "two texts": {"left": (5, 4), "right": (5, 10)},
    "a text and what it stands in": {"left": (5, 13), "right": (5, 9)},
    "two roots": {"left": (5, 4), "right": (5, 8)},
}


@RESTARTED
@pytest.mark.parametrize("where", ELSEWHERE.values(), ids=ELSEWHERE)
def test_an_element_between_neighbours_in_different_places_is_refused(where: dict[str, Id], *, restarted: bool) -> None:
    """W12, G6: pycrdt puts it behind the key, Yjs into the text, so who joins later reads something else."""
    replica = replica_with([DOCUMENT])
    if restarted:
        replica = loaded(replica)
    before = replica.full_state()

    with pytest.raises(MalformedError, match="neighbours in different places"):
        attempt(replica, update({7: (0, [text("x", **where)])}))
    assert before == replica.full_state()


@pytest.mark.parametrize("where", ELSEWHERE.values(), ids=ELSEWHERE)
def test_so_it_is_in_the_update_that_brings_its_neighbours(where: dict[str, Id]) -> None:
    """W12: and if another one, that waits for it, is let in with it."""
    between = update({7: (0, [text("x", **where)])})

    with pytest.raises(MalformedError, match="neighbours in different places"):
        attempt(Replica(), merge([DOCUMENT, between]))


@RESTARTED
@pytest.mark.parametrize(
    "where",
    [
        {"left": (5, 1), "right": (5, 2)},
        {"left": (5, 10), "right": (5, 11)},
        {"left": (5, 4)},
        {"left": (5, 6)},
        {"right": (5, 10)},
    ],
)
def test_an_element_between_neighbours_that_stand_together_is_taken(where: dict[str, Id], *, restarted: bool) -> None:
    """W12, W5."""
    replica = replica_with([DOCUMENT])
    if restarted:
        replica = loaded(replica)

    assert Verdict.INTEGRATED is attempt(replica, update({7: (0, [text("x", **where)])}))


@RESTARTED
@pytest.mark.parametrize("right", [(5, 6), (5, 10)])
def test_whoever_types_on_names_neighbours_that_stand_together(right: Id, *, restarted: bool) -> None:
    """W12, W7: what goes on where its client stopped is looked at, too, if it names another right neighbour."""
    replica = replica_with([DOCUMENT, update({7: (0, [text("x", left=(5, 1), right=(5, 2))])})])
    if restarted:
        replica = loaded(replica)
    attempt(replica, update({7: (1, [text("y", left=(7, 0), right=(5, 2))])}))

    with pytest.raises(MalformedError, match="neighbours in different places"):
        attempt(replica, update({7: (2, [text("z", left=(7, 1), right=right)])}))


def test_typing_in_the_middle_of_a_text_looks_nothing_up() -> None:
    """W12: each letter names the same right neighbour."""
    letters = [update({7: (at, [text("x", left=(7, at - 1), right=(5, 2))])}) for at in range(1, 100)]
    replica = replica_with([DOCUMENT, update({7: (0, [text("x", left=(5, 1), right=(5, 2))])})])

    with counted() as work:
        for letter in letters:
            replica.admit(letter, read(letter))
    assert 0 == work.of["at"] == work.of["check"]
    assert work.of["goes_on"]


@RESTARTED
@pytest.mark.parametrize("neighbours", ["left", "right"])
def test_garbage_and_what_stands_somewhere_are_no_neighbours(neighbours: str, *, restarted: bool) -> None:
    """W12: Yjs makes garbage of what is between them, pycrdt puts it into the text."""
    replica = replica_with([update({6: (0, [garbage(2)])}), DOCUMENT])
    if restarted:
        replica = loaded(replica)
    here, there = ((6, 1), (5, 2)) if neighbours == "left" else ((5, 2), (6, 0))

    with pytest.raises(MalformedError, match="neighbours in different places"):
        attempt(replica, update({7: (0, [text("x", left=here, right=there)])}))


@RESTARTED
@pytest.mark.parametrize("gone", [(5, 9), (5, 8)], ids=["the text", "the paragraph around it"])
@pytest.mark.parametrize("together", [False, True])
def test_who_wrote_in_a_text_that_was_deleted_meanwhile_is_let_in(gone: Id, *, together: bool, restarted: bool) -> None:
    """W12, W13, W5: the server has garbage where its neighbour was. It was alone in the text when it began to write."""
    replica = replica_with([DOCUMENT, update({}, {5: [(gone[1], gone[1] + 1)]})])
    replica.commit()
    if restarted:
        replica = loaded(replica)
    written = [
        update({7: (0, [text("x", inside=(5, 9))])}),
        update({7: (1, [text("y", left=(5, 13), right=(7, 0))])}),
        update({8: (0, [text("z", left=(7, 0), right=(5, 10))])}),
    ]

    for one in [merge(written)] if together else written:
        assert Verdict.INTEGRATED is attempt(replica, one)


# ---- behind a key ----


@RESTARTED
@pytest.mark.parametrize("where", [{"right": (5, 6)}, {"left": (5, 6), "right": (7, 0)}])
def test_nothing_stands_behind_a_key_and_in_front_of_something(where: dict[str, Any], *, restarted: bool) -> None:
    """W16: whether it lives depends on when it came, in every library. Honest clients name no right neighbour there."""
    replica = replica_with([DOCUMENT, update({7: (0, [item(ANY, VALUE, left=(5, 6))])})])
    if restarted:
        replica = loaded(replica)
    one = update({9: (0, [item(ANY, VALUE, **where)])})

    with pytest.raises(MalformedError, match="in front of something"):
        attempt(replica, one)
    with pytest.raises(MalformedError, match="in front of something"):
        attempt(Replica(), merge([replica.full_state(), one]))


@pytest.mark.parametrize("typed_on", [False, True])
def test_so_it_is_when_its_client_goes_on(*, typed_on: bool) -> None:
    """W16, W7: what looks like typing."""
    replica = replica_with([DOCUMENT, update({7: (0, [text("x", left=(5, 6))])})])
    for at in range(1, 3) if typed_on else ():
        attempt(replica, update({7: (at, [text("x", left=(7, at - 1))])}))
    clock = replica.state[7]

    with pytest.raises(MalformedError, match="in front of something"):
        attempt(replica, update({7: (clock, [text("x", left=(7, clock - 1), right=(5, 6))])}))


# ---- inside of what is no type ----


@RESTARTED
@pytest.mark.parametrize("inside", [(5, 0), (5, 6), (5, 13), (5, 14)])
def test_nothing_stands_inside_of_what_is_no_shared_type(inside: Id, *, restarted: bool) -> None:
    """W13, P5: pycrdt fails on it, and its document has to be read again."""
    replica = replica_with([DOCUMENT])
    if restarted:
        replica = loaded(replica)

    with pytest.raises(MalformedError, match="no shared type"):
        attempt(replica, update({7: (0, [text("x", inside=inside)])}))
    assert Verdict.INTEGRATED is attempt(replica, update({7: (0, [text("x", inside=(5, 9))])}))


@RESTARTED
def test_what_is_deleted_may_have_been_a_shared_type(*, restarted: bool) -> None:
    """W13, W5: of what is deleted and forgotten nobody knows any more, and nothing comes of it."""
    replica = replica_with([DOCUMENT, update({}, {5: [(0, 3), (9, 10)]})])
    if restarted:
        replica = loaded(replica)

    for client, inside in enumerate([(5, 0), (5, 9)], 20):
        assert Verdict.INTEGRATED is attempt(replica, update({client: (0, [text("x", inside=inside)])}))
    replica.commit()


def test_what_arrives_deleted_may_have_been_a_shared_type() -> None:
    """W13, W5: as in what somebody sends who has deleted it already."""
    one = update({7: (0, [text("x", inside=(5, 0)), text("y", inside=(6, 0))]), 6: (0, [garbage(1)]), 5: (0, [])})
    dead = update({5: (0, [item(DELETED, b"\x01")])})

    assert Verdict.INTEGRATED is attempt(Replica(), merge([dead, update({7: (0, [text("x", inside=(5, 0))])})]))
    assert read(one).whereabouts.flaw is None


# ---- several elements behind a key ----

TOGGLED: Final = [
    update({5: (0, [item(ANY, b"\x02\x7d\x01\x7d\x02", root="m", key="k")])}, {5: [(0, 2)]}),
    bytes.fromhex("01010700a80501027d017d0200"),
]
"""A value was set and deleted twice, and then both deletions were undone at once, by Yjs 13.6.33."""


@RESTARTED
def test_two_values_behind_one_key_are_honest(*, restarted: bool) -> None:
    """W14, W5: an undo makes them, and a client that never forgets what it deleted has them."""
    replica = replica_with(TOGGLED)
    if restarted:
        replica = loaded(replica)

    assert Verdict.INTEGRATED is attempt(replica, update({}, {7: [(0, 2)]}))
    assert Verdict.INTEGRATED is attempt(replica, update({9: (0, [item(ANY, VALUE, left=(7, 1))])}))


CUTS: Final = {
    "something between": update({9: (0, [item(ANY, VALUE, left=(7, 0))])}),
    "something in front of the last": update({9: (0, [item(ANY, VALUE, right=(7, 1))])}),
    "the last deleted": update({}, {7: [(1, 2)]}),
}


@RESTARTED
@pytest.mark.parametrize("one", CUTS.values(), ids=CUTS)
def test_what_is_put_behind_a_key_at_once_is_not_cut(one: bytes, *, restarted: bool) -> None:
    """W14: as soon as the map is deleted that it stands in, every Yjs throws that is here."""
    replica = replica_with(TOGGLED)
    if restarted:
        replica = loaded(replica)

    with pytest.raises(MalformedError, match="behind a key"):
        attempt(replica, one)


@pytest.mark.parametrize("one", CUTS.values(), ids=CUTS)
def test_nor_is_it_by_the_update_that_brings_it(one: bytes) -> None:
    """W14."""
    with pytest.raises(MalformedError, match="behind a key"):
        attempt(Replica(), merge([*TOGGLED, one]))


def test_nor_does_their_author_cut_them() -> None:
    """W14, W16: an element in front of the last one of its client looks like one that goes on behind it."""
    replica = replica_with(TOGGLED)

    with pytest.raises(MalformedError, match="behind a key"):
        attempt(replica, update({7: (2, [item(ANY, VALUE, right=(7, 1))])}))


def test_what_goes_on_behind_a_key_is_behind_it() -> None:
    """W14, W7: three letters beside one."""
    first = update({7: (0, [text("x", root="m", key="k")])})
    replica = replica_with([first, update({7: (1, [text("abc", left=(7, 0))])})])

    with pytest.raises(MalformedError, match="behind a key is cut"):
        attempt(replica, update({9: (0, [text("y", left=(7, 2))])}))


# ---- what waited ----


@pytest.mark.parametrize("times", [1, 400], ids=["once", "more often than a document may be poisoned"])
def test_what_waited_and_says_different_things_is_refused_then(times: int) -> None:
    """R24: its neighbours came later. Nobody but its sender is closed for it, and nothing is read again."""
    table = Table()
    ann = table.join(principal="ann")
    ann.send(DOCUMENT)
    for at in range(times):
        late = 1000 + at
        eve, ben = table.join(principal="eve"), table.join(principal="ben")
        eve.send(update({66 + 2000 * at: (0, [text("evil", left=(late, 0), right=(5, 6))])}))
        ben.send(update({late: (0, [text("z", left=(5, 4))])}))
        assert [None, 4400] == [ben.closed_with, eve.closed_with]
    table.log.commit()

    replica, left_out = load_without_poison(Replica, [], [row.data for row in table.log.rows])

    assert not table.room.broken
    assert ann.closed_with is None
    for text_now in (text_of(replica.full_state(), "text"), text_of(table.room._replica.full_state(), "text")):
        assert times == text_now.count("z")
        assert "evil" not in text_now
    assert not left_out
    assert 0 == len(replica.waiting) == len(table.room._replica.waiting)


def many(client: int, count: int = 1500) -> bytes:
    """Return so many structs that wait for (5, 4)."""
    structs = [text("x", left=(client, at - 1)) if at else text("x", left=(5, 4)) for at in range(count)]
    return update({client: (0, structs)})


@pytest.mark.parametrize("flawed", [1, MOST_FLAWED - 1, MOST_FLAWED, 200])
def test_of_several_that_are_let_in_together_the_bad_ones_are_refused(flawed: int) -> None:
    """R24, G5: thousands of structs that wait for one another are not looked at one by one."""
    table = Table()
    ann, zoe = table.join(principal="ann"), table.join(principal="zoe")
    for client in (9, 11):
        ann.send(many(client))
    evil = [table.join(principal=f"eve {at}") for at in range(flawed)]
    for at, eve in enumerate(evil):
        eve.send(update({66 + at: (0, [text("evil", left=(5, 4), right=(5, 6))])}))

    with counted() as work:
        zoe.send(DOCUMENT)

    assert work.calls < 2_000_000
    assert zoe.closed_with is None
    assert not table.room.broken
    assert 0 == len(table.room._replica.waiting)
    if flawed < MOST_FLAWED:
        assert [4400] * flawed == [eve.closed_with for eve in evil]
        assert ann.closed_with is None
    else:
        assert 1013 == ann.closed_with
        again = table.join(principal="ann")
        for client in (9, 11):
            again.send(many(client))
    table.log.commit()
    for replica in (table.log.load(), table.room._replica):
        text_now = text_of(replica.full_state(), "text")
        assert (3000, 0) == (text_now.count("x"), text_now.count("evil"))


def test_whoever_lets_in_something_that_cuts_an_emoji_is_not_closed_for_it() -> None:
    """R24, R19: what waited says again the first half of an emoji, which others wrote as a letter."""
    table = Table()
    eve, ben = table.join(principal="eve"), table.join(principal="ben")
    eve.send(update({5: (1, [text("😀", left=(90, 0))])}))
    ben.send(update({5: (0, [text("ab")])}))

    ben.send(update({90: (0, [text("z")])}))

    assert [4400, None] == [eve.closed_with, ben.closed_with]
    table.log.commit()
    assert {5: 2, 90: 1} == table.log.load().state == table.room._replica.state


def test_what_waits_and_can_never_be_let_in_is_refused() -> None:
    """W12: what it says of itself is enough."""
    here = [
        text("x"),
        item(ANY, VALUE, root="map", key="k"),
        text("y", left=(7, 0), right=(7, 1)),
        text("z", left=(8, 0)),
    ]

    with pytest.raises(MalformedError, match="neighbours in different places"):
        attempt(Replica(), update({7: (0, here)}))


# ---- what is known ----


class Land:
    """A document that grows at random; it knows where everything stands."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.where: dict[Id, tuple[Any, str | None]] = {}
        self.types: list[Id] = []
        self.clocks = dict.fromkeys(random.sample(range(2, 1 << 32), 3), 0)

    def grow(self) -> bytes:
        """Return an update with one more struct."""
        choose = self.random
        client = choose.choice(list(self.clocks))
        clock = self.clocks[client]
        dice = choose.random()
        if dice < 0.45 and self.where:
            beside = (client, clock - 1) if clock and choose.random() < 0.5 else choose.choice(list(self.where))
            stands = self.where[beside]
            place: dict[str, Any] = {"left" if stands[1] or choose.random() < 0.7 else "right": beside}
        else:
            key = choose.choice((None, None, "k", "l"))
            inside = choose.choice(self.types[-4:]) if self.types and dice < 0.9 else None
            place = {"inside": inside, "key": key} if inside else {"root": choose.choice("rs"), "key": key}
            stands = (inside or place["root"], key)
        if choose.random() < 0.4:
            made = item(TYPE, choose.choice((b"\x00", b"\x01", WORDS)), **place)
            self.types.append((client, clock))
            length = 1
        else:
            length = 1 if stands[1] else choose.randint(1, 3)
            made = text("x" * length, **place)
        for at in range(clock, clock + length):
            self.where[client, at] = stands
        self.clocks[client] += length
        return update({client: (clock, [made])})


@EXAMPLES
@RESTARTED
def test_where_everything_stands_is_known(examples: int, *, restarted: bool) -> None:
    """W15: in any number of messages, merged in any way; and a snapshot's survey tells it as well."""
    random = Random(43)
    for _ in range(examples // 2):
        land = Land(random)
        replica = Replica()
        while len(land.where) < 60:
            attempt(replica, merge(land.grow() for _ in range(random.choice((1, 1, 2, 9)))))
        containers = (loaded(replica) if restarted else replica)._layout.containers

        forgotten = {id for id in land.where if replica_deleted(replica, id)} if restarted else set()
        assert _partition(containers.of, land, forgotten) == _partition(land.where.__getitem__, land, forgotten)
        assert all(_is_type(containers, id) == (id in land.types) for id in land.where if id not in forgotten)


def replica_deleted(replica: Replica, id: Id) -> bool:
    return replica.deletions(fresh=True).covers(*id, id[1] + 1)


def _is_type(containers: Containers, id: Id) -> bool:
    return containers.tracks[id[0]].is_type(id[1])


def _partition(place: Any, land: Land, without: set[Id]) -> set[frozenset[Id]]:
    """Return which elements stand together."""
    together: dict[Any, set[Id]] = {}
    for id in land.where:
        if id not in without:
            together.setdefault(place(id), set()).add(id)
    return {frozenset(ids) for ids in together.values()}


def test_what_was_stored_before_is_unknown_and_let_through() -> None:
    """W15, H2: older surveys end before they tell where anything stands."""
    replica = loaded_from_an_older_release(replica_with([DOCUMENT]))

    assert UNKNOWN == replica._layout.containers.of((5, 0))
    for client, where in enumerate(ELSEWHERE.values(), 20):
        attempt(replica, update({client: (0, [text("x", **where)])}))
    attempt(replica, update({7: (0, [text("x"), item(ANY, VALUE, root="map", key="k")])}))
    with pytest.raises(MalformedError, match="neighbours in different places"):
        attempt(replica, update({7: (2, [text("y", left=(7, 0), right=(7, 1))])}))


@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "in pieces"])
def test_a_snapshot_is_believed(*, pieces: bool) -> None:
    """W15, H3: what an older release let in is what the document is."""
    doc: Doc[Text] = Doc(client_id=1)
    doc.apply_update(DOCUMENT)
    doc.apply_update(update({7: (0, [text("x", left=(5, 4), right=(5, 6))])}))
    snapshot = doc.get_update()

    replica = Replica()
    if pieces:
        list(replica.take_rows(in_pieces(snapshot)))
    else:
        replica.take_snapshots([snapshot], [survey(snapshot)])

    assert snapshot == replica.full_state()
    with pytest.raises(MalformedError, match="neighbours in different places"):
        attempt(replica, update({8: (0, [text("x", left=(5, 4), right=(5, 6))])}))


def test_two_snapshots_are_surveyed_together() -> None:
    """W15: whoever made the second had not seen the first; where an element stands in both is noted once."""
    one = replica_with([DOCUMENT, typed(9, 0, "nine")]).full_state()
    other = replica_with([DOCUMENT, typed(8, 0, "eight"), update({8: (5, [item(TYPE, MAP, root="map", key="n")])})])
    snapshots = [one, other.full_state()]

    both = Replica.load(snapshots, [], list(map(survey, snapshots)))

    again = loaded(replica_with(snapshots))
    assert again.full_state() == both.full_state()
    assert survey(both.full_state()) == survey(again.full_state())
    for client, at in ((5, 5), (5, 6), (8, 5), (9, 3)):
        assert containers_of(both).tracks[client].is_type(at) == containers_of(again).tracks[client].is_type(at)
    assert pack(again._layout) == pack(both._layout)


def containers_of(replica: Replica) -> Containers:
    return replica._layout.containers


def test_a_survey_that_was_damaged_is_malformed() -> None:
    """W15, S19: what cannot be read is reported, and ends nothing otherwise."""
    kept = survey(DOCUMENT)
    for at in range(7, len(kept)):
        for wrong in (kept[:at], kept[:at] + bytes((kept[at] ^ 0x55,)) + kept[at + 1 :]):
            try:
                recall([wrong])
            except MalformedError:
                continue


def test_keys_without_number_take_no_memory() -> None:
    """W15, G8: of the keys of one type 255 are told apart."""
    layout = Layout()
    for start in range(0, 10_000, 1000):
        keys = [item(ANY, VALUE, root="map", key=f"key {start + at}") for at in range(1000)]
        one = update({5: (start, keys)})
        layout.add(one, read(one))

    assert len(layout.containers.contexts) <= KEYS + 2


def test_what_is_refused_is_not_noted() -> None:
    """G6, G8: names of roots may be long."""
    replica = replica_with([DOCUMENT])
    known = len(replica._layout.containers.contexts)
    for client in range(20, 30):
        wrong = [text("x", root=f"root {client}"), text("y", left=(5, 4), right=(5, 6))]
        with pytest.raises(MalformedError):
            attempt(replica, update({client: (0, wrong)}))

    assert known == len(replica._layout.containers.contexts)


def test_an_empty_document_has_a_survey() -> None:
    """W15."""
    assert recall([survey(EMPTY_UPDATE)]).layout.containers.complete


def test_a_whole_text_is_where_it_was_typed() -> None:
    """W15, C7: of a text there is one thing to note, however long it is."""
    snapshot = replica_with([typed(5, at, "x") for at in range(300)]).full_state()

    assert len(survey(snapshot)) < 60
