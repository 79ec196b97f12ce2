"""How deep the shared types of a document are nested (W9)."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from collab.core.causality import Id
from collab.core.containers import Containers
from collab.core.inspection import read
from collab.core.merging import merge
from collab.core.nesting import MAX_DEPTH, check_depth
from collab.core.placement import BOUNDED
from collab.core.replica import Replica, Verdict
from collab.core.survey import recall, survey
from collab.core.values import TYPE
from collab.errors import TooLargeError
from tests.support.hostile import EXAMPLES, gap, item, replica_with, text, update
from tests.support.work import counted

ARRAY = b"\x00"


def nested(client: int, clock: int, inside: Id | None, levels: int = 1) -> bytes:
    """Return an update that nests so many arrays in each other."""
    outer = [inside, *((client, clock + at) for at in range(levels - 1))]
    return update({client: (clock, [item(TYPE, ARRAY, inside=o) for o in outer])})


def attempt(replica: Replica, one: bytes) -> Verdict:
    return replica.admit(one, read(one))


def loaded(replica: Replica) -> Replica:
    """Return the same document after a restart, with what is kept beside its snapshot."""
    snapshot = replica.full_state()
    return Replica.load([snapshot], [], [survey(snapshot)])


def depth_of(snapshot: bytes) -> int:
    return recall([survey(snapshot)]).layout.containers.deepest


class Tree:
    """Types and characters at random places of a tree. Each is known by how deep a type beside it is."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.types: dict[Id, int] = {}
        self.characters: dict[Id, int] = {}
        self.clocks = dict.fromkeys(random.sample(range(2, 1 << 32), 3), 0)

    @property
    def depth(self) -> int:
        return max(self.types.values(), default=0)

    def grow(self) -> bytes:
        """Return an update with one more of either, near those that came last."""
        choose = self.random
        client = choose.choice(list(self.clocks))
        id = client, self.clocks[client]
        self.clocks[client] += 1
        everything = {**self.types, **self.characters}
        near = choose.choice(list(everything)[-5:]) if everything and choose.random() < 0.9 else None
        inside = near in self.types and choose.random() < 0.7
        depth = everything[near] + inside if near else 1
        place: Any = {"inside" if inside else "left": near}
        if choose.random() < 0.8:
            self.types[id] = depth
            return update({client: (id[1], [item(TYPE, ARRAY, **place)])})
        self.characters[id] = depth
        return update({client: (id[1], [text("x", **place)])})


@EXAMPLES
def test_the_count_is_the_truth(examples: int) -> None:
    """W9: in any number of messages, and merged in any way, so that children stand before their parents."""
    random = Random(31)
    for _ in range(examples):
        tree = Tree(random)
        grown = [tree.grow() for _ in range(40)]
        counted = Containers()
        while grown:
            some = random.randint(1, len(grown))
            together, grown = grown[:some], grown[some:]
            counted.add(read(merge(together)).whereabouts)
        assert tree.depth == counted.deepest


@EXAMPLES
def test_a_survey_tells_the_truth(examples: int) -> None:
    """W9: whatever order the structs of a complete state stand in."""
    random = Random(37)
    for _ in range(examples):
        tree = Tree(random)
        grown = [tree.grow() for _ in range(40)]

        assert tree.depth == depth_of(replica_with([merge(grown)]).full_state())


@EXAMPLES
def test_below_what_was_loaded_the_count_is_the_truth(examples: int) -> None:
    """W9: what is kept beside a snapshot tells of each element where it stands."""
    random = Random(41)
    for _ in range(examples // 4):
        tree = Tree(random)
        replica = replica_with([merge([tree.grow() for _ in range(40)])])
        again = loaded(replica)._layout.containers
        for _ in range(40):
            again.add(read(tree.grow()).whereabouts)
        assert tree.depth == again.deepest


@pytest.mark.parametrize("levels", [1, 7, MAX_DEPTH], ids=["one by one", "seven at a time", "all at once"])
def test_a_chain_over_many_messages_is_refused_where_it_gets_too_deep(levels: int) -> None:
    """W9, hazards P3: one of 12,000 levels ends the process."""
    replica = Replica()
    depth = 0
    while depth + levels <= MAX_DEPTH:
        attempt(replica, nested(5, depth, (5, depth - 1) if depth else None, levels))
        depth += levels

    with pytest.raises(TooLargeError):
        attempt(replica, nested(5, depth, (5, depth - 1), levels))
    assert depth == depth_of(replica.full_state())


def test_a_chain_goes_on_where_a_loaded_document_ended() -> None:
    """W9."""
    replica = loaded(replica_with([nested(5, 0, None, MAX_DEPTH - 1)]))

    attempt(replica, nested(5, MAX_DEPTH - 1, (5, MAX_DEPTH - 2)))
    with pytest.raises(TooLargeError):
        attempt(replica, nested(5, MAX_DEPTH, (5, MAX_DEPTH - 1)))


def test_what_waits_counts_as_if_it_came_below_everything() -> None:
    """W9: nobody is left to refuse it to when it is let in."""
    replica = replica_with([nested(5, 0, None, MAX_DEPTH // 2)])

    with pytest.raises(TooLargeError):
        attempt(replica, nested(6, 1, (6, 0), MAX_DEPTH // 2 + 1))


def test_parents_may_stand_behind_their_children_in_one_update() -> None:
    """W9: clients stand in descending order, whoever wrote first."""
    one = update(
        {
            9: (0, [item(TYPE, ARRAY, inside=(8, 0))]),
            8: (0, [item(TYPE, ARRAY, inside=(7, 0))]),
            7: (0, [item(TYPE, ARRAY, root="array")]),
        }
    )

    assert 3 == Containers().depth_with(read(one).whereabouts)


def test_a_limit_is_a_limit() -> None:
    """W9."""
    check_depth(MAX_DEPTH)
    with pytest.raises(TooLargeError):
        check_depth(MAX_DEPTH + 1)


def _images(count: int, client: int = 5) -> Sequence[bytes]:
    """Return a text with so many embedded types, a word between each two."""
    parts: list[bytes] = []
    for at in range(count):
        where: Any = {"left": (client, 2 * at - 1)} if at else {"root": "text"}
        parts += [text("x", **where), item(TYPE, ARRAY, left=(client, 2 * at))]
    return parts


def test_a_text_with_many_embedded_types_is_not_deep() -> None:
    """W9: a document made offline, or pasted, with more than a thousand of them was refused: its depth is one."""
    one = update({5: (0, _images(1100))})

    assert Verdict.INTEGRATED is attempt(Replica(), one)


DEEP = [update({6: (0, [item(TYPE, ARRAY, root="xml")])}), nested(5, 0, None, MAX_DEPTH)]
"""A document with one shallow type, and as deep as it may be elsewhere."""


@pytest.mark.parametrize("restarted", [False, True])
def test_a_document_that_somebody_made_deep_can_still_be_written_to(*, restarted: bool) -> None:
    """W9: one message of 4 KB, and every new paragraph of everybody closes whoever wrote it, for good."""
    replica = replica_with(DEEP)
    if restarted:
        replica = loaded(replica)
    with pytest.raises(TooLargeError):
        attempt(replica, nested(5, MAX_DEPTH, (5, MAX_DEPTH - 1)))

    assert Verdict.INTEGRATED is attempt(replica, nested(6, 1, (6, 0)))


def test_a_type_beside_a_word_is_where_the_word_is() -> None:
    """W9: each image in a long document made it deeper by one, and the thousandth closed its author."""
    replica = loaded(replica_with([*DEEP, update({7: (0, [text("word", inside=(6, 0))])})]))
    for at in range(2 * MAX_DEPTH):
        attempt(replica, update({8 + at: (0, [text("y", left=(7, 2)), item(TYPE, ARRAY, left=(8 + at, 0))])}))

    assert Verdict.INTEGRATED is attempt(replica, nested(6, 1, (6, 0)))


def test_two_snapshots_tell_together_how_deep_a_document_is() -> None:
    """W9: two compactors at once leave two."""
    replica = replica_with([nested(5, 0, None, 500)])
    snapshots = [replica.full_state()]
    attempt(replica, nested(5, 500, (5, 499), 500))
    attempt(replica, nested(6, 0, None, 32))
    snapshots.append(replica.full_state())

    for some in (snapshots, snapshots[::-1]):
        again = Replica.load(some, [], list(map(survey, some)))
        with pytest.raises(TooLargeError):
            attempt(again, nested(5, MAX_DEPTH, (5, MAX_DEPTH - 1)))
        assert Verdict.INTEGRATED is attempt(again, nested(6, 32, (6, 0)))


@pytest.mark.parametrize(
    "other",
    [
        [],
        [update({3: (1, [text("x", left=(3, 0))])})],
    ],
    ids=["at once", "one by one"],
)
def test_a_row_that_says_again_where_something_stands_is_not_believed(other: list[bytes]) -> None:
    """W9, R21: after a restart. Such a row had waited, and part of it had come from elsewhere meanwhile."""
    snapshot = replica_with([nested(7, 0, None, MAX_DEPTH)]).full_state()
    roots = [item(TYPE, ARRAY, root="text")] * MAX_DEPTH
    lie = update({8: (0, [item(TYPE, ARRAY, inside=(7, MAX_DEPTH - 1))]), 7: (0, roots)})

    replica = Replica.load([snapshot], [lie, *other], [survey(snapshot)])

    assert MAX_DEPTH + 1 == depth_of(replica.full_state()) == replica._layout.containers.deepest


# ---- what it costs ----


def test_counting_again_stops_nobody_for_long() -> None:
    """G5: whoever nests one level too many had the whole document read, again and again."""
    backwards = [text("x", right=(6, at - 1)) if at else text("x", root="text") for at in range(60_000)]
    replica = replica_with([update({6: (0, backwards)}), nested(5, 0, None, MAX_DEPTH)])

    with counted() as work, pytest.raises(TooLargeError):
        attempt(replica, nested(5, MAX_DEPTH, (5, MAX_DEPTH - 1)))
    assert work.calls < 1000


def test_a_document_is_opened_without_reading_it() -> None:
    """H2, W9, R19: whatever only its structs tell, of types and of emoji, is kept beside its snapshot."""
    words = [text("a😀b", left=(6, 4 * at - 1)) if at else text("a😀b", root="text") for at in range(2000)]
    snapshot = replica_with([update({6: (0, words)}), *DEEP]).full_state()
    kept = survey(snapshot)

    with counted() as work:
        replica = Replica.load([snapshot], [], [kept])
    assert work.calls < 1000
    assert replica.halves.clocks == recall([survey(snapshot)]).halves.clocks


def test_an_update_that_is_all_one_place_is_one_place_to_look_up() -> None:
    """G5: of text that jumps to and fro within itself there is nothing to note but where it begins."""
    backwards = [text("x", right=(6, at - 1)) if at else text("x", inside=(5, 0)) for at in range(1000)]

    assert ((6, 0, (5, 0, None), None, BOUNDED),) == read(update({6: (0, backwards)})).whereabouts.stretches


def test_what_an_update_refers_to_in_a_gap_of_its_own_is_not_in_it() -> None:
    """W9: what stands between two runs of a client may be anywhere."""
    inner = item(TYPE, ARRAY, inside=(5, 5))
    gapped = [item(TYPE, ARRAY, root="text"), gap(9), text("x", left=(5, 9))]

    whereabouts = read(update({9: (0, [inner]), 5: (0, gapped)})).whereabouts

    assert (((5, 5), (9, 0)),) == whereabouts.parents
    assert (((5, 5), 2, (9, 0)), (None, 1, (5, 0))) == whereabouts.depths


def paragraphs(count: int) -> bytes:
    """Return a document of so many paragraphs, each an element with a text in it."""
    parts = []
    for at in range(count):
        where: Any = {"left": (5, 3 * at - 3)} if at else {"root": "xml"}
        parts += [
            item(TYPE, b"\x03\x01p", **where),
            item(TYPE, b"\x06", inside=(5, 3 * at)),
            text("x", inside=(5, 3 * at + 1)),
        ]
    return update({5: (0, parts)})


def test_an_honest_document_costs_a_few_hundred_kilobytes_while_it_is_written() -> None:
    """W9: 20,000 paragraphs."""
    whereabouts = read(paragraphs(20_000)).whereabouts
    containers = Containers()
    tracemalloc.start()
    try:
        containers.add(whereabouts)
        assert tracemalloc.get_traced_memory()[0] < 500_000
    finally:
        tracemalloc.stop()


def test_a_large_paste_is_told_in_two_facts_a_paragraph() -> None:
    """R14: of an update that was tried the loop is told at most 100,000."""
    assert 2 * 20_000 == len(read(paragraphs(20_000)).whereabouts.stretches)


def test_a_survey_of_paragraphs_weighs_a_hundredth_of_them() -> None:
    """C7: a document is read from disk together with what is kept beside its snapshot."""
    snapshot = replica_with([paragraphs(20_000)]).full_state()

    assert len(survey(snapshot)) < len(snapshot) / 50
