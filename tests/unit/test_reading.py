"""A document that is read from its log is the one that was open (R24 to R26), whatever somebody sends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import permutations
from random import Random
from typing import Final

import pytest

from collab.content import render
from collab.core.burial import bury
from collab.core.inspection import Parser, read
from collab.core.poison import load_without_poison
from collab.core.replica import Replica
from collab.core.values import ANY, TYPE
from collab.errors import MalformedError
from tests.support.hostile import EXAMPLES, Case, Forger, Judge, garbage, item, text, update
from tests.support.members import Member, Table, trial_of, tried
from tests.support.room_kit import Row
from tests.support.work import counted

VALUE: Final = b"\x01\x7e"
COMPACTED: Final = "compacted"
"""In place of an update: the log becomes one snapshot."""
LOOKED_AT: Final = "looked at"
"""In place of an update: somebody asks for the document, and it is known what overwriting has deleted."""


def said_by(replica: Replica) -> tuple[str, str]:
    """Return what people see of a document, and what else two copies of it must have in common."""
    # Of what kind an empty root is can be a guess.
    seen = {root: value for root, value in json.loads(render("json", replica.full_state())).items() if value}
    return json.dumps(seen), replica.digest()


def play(table: Table, history: Sequence[tuple[str, bytes] | str]) -> dict[str, Member]:
    """Let people send something, one after the other, each in a turn of its own; whoever is closed comes again."""
    members: dict[str, Member] = {}
    for step in history:
        if step == COMPACTED:
            table.log.commit()
            table.log.compact(list(table.log.rows))
        elif step == LOOKED_AT:
            table.room.state()
        elif isinstance(step, tuple):
            name, one = step
            if name not in members or members[name].sink.closed:
                members[name] = table.join(name)
            members[name].send(one)
    table.log.commit()
    return members


def poison_in(rows: Sequence[Row]) -> frozenset[bytes]:
    """Return the rows that have to be left out when a document is read."""
    snapshots = [row.data for row in rows if row.snapshot]
    return load_without_poison(Replica, snapshots, [row.data for row in rows if not row.snapshot])[1]


def loads_of(table: Table) -> list[Replica]:
    """Return the document as it is read from its log, in every order of its rows."""
    orders = permutations(table.log.rows) if len(table.log.rows) < 6 else ()
    loads = [table.log.load(rows) for rows in (table.log.rows, *orders)]
    return [*loads, *(table.log.shuffled(Random(seed)) for seed in range(20))]


INTO_A_DELETED_MAP: Final[list[tuple[str, bytes] | str]] = [
    ("ann", update({7: (0, [item(TYPE, b"\x01", root="map", key="m"), text("words")])})),
    ("ann", update({}, {7: [(0, 1)]})),
    COMPACTED,
    ("ben", update({8: (0, [item(ANY, VALUE, inside=(7, 0), key="a"), text("text", left=(7, 5))])})),
    ("ann", update({9: (0, [item(ANY, VALUE, left=(8, 0))])})),
    ("ann", update({9: (1, [text("!", left=(8, 4))])})),
]

HISTORIES: Final[dict[str, list[tuple[str, bytes] | str]]] = {
    "clocks that were written twice, first by what waits": [
        ("eve", update({80: (0, [text("evil!", left=(90, 0))])})),
        ("eve", update({80: (0, [text("other")])})),
        ("ann", update({7: (0, [text(" and ann's", left=(80, 4))])})),
        ("eve", update({90: (0, [text("z")])})),
    ],
    "inside of what an overwritten key has deleted": [
        ("ann", update({7: (0, [item(ANY, VALUE, root="map", key="k")])})),
        ("ann", update({7: (1, [item(ANY, VALUE, left=(7, 0))])})),
        LOOKED_AT,
        ("eve", update({8: (0, [text("inside", inside=(7, 0))])})),
        ("ann", update({7: (2, [text("words")])})),
        ("ann", update({9: (0, [text("behind", left=(8, 5))])})),
    ],
    "inside of what is deleted in the same turn": [
        ("ann", update({7: (0, [text("words")])})),
        ("ben", update({}, {7: [(0, 5)]})),
        ("ann", update({7: (5, [text("inside", inside=(7, 0)), text("behind", left=(7, 10)), text("words")])})),
    ],
    "what was left out, and would be let in later": [
        ("ann", update({7: (0, [text("words")])})),
        ("eve", update({80: (0, [text("evil", inside=(7, 2)), text("!", left=(90, 0))])})),
        ("eve", update({80: (0, [text("evil", left=(90, 0)), text("!", inside=(7, 2))])})),
        ("eve", update({90: (0, [text("z")])})),
        ("ann", update({}, {7: [(0, 5)]})),
        COMPACTED,
        ("ben", update({80: (0, [text("others")])})),
        ("ann", update({7: (5, [text("more", left=(80, 5))])})),
    ],
    "inside of a map that others deleted meanwhile": INTO_A_DELETED_MAP,
}


def test_what_is_put_into_a_deleted_map_is_what_yjs_makes_of_it(judge: Judge) -> None:
    """R25, W13: others type behind it, and it is nowhere."""
    table = Table()
    play(table, INTO_A_DELETED_MAP)
    *base, last = [step[1] for step in INTO_A_DELETED_MAP if isinstance(step, tuple)]
    state = table.room._replica.full_state()

    (judged,) = judge.verdicts([Case(base, last, state)])

    assert "broken" not in judged
    assert (None, None, None) == (judged["copied"], judged["merged"], judged["served"])
    assert judged["vector"] == judged["servedVector"]


def test_what_is_buried_is_garbage_with_all_that_stands_beside_it() -> None:
    """R25: its clocks stay, and whoever goes on behind them is not kept waiting."""
    one = update(
        {
            9: (0, [text("xy", left=(8, 1)), text("z", root="text")]),
            8: (0, [text("ab", inside=(7, 0)), text("free", root="text"), text("c", left=(8, 1))]),
        },
        {7: [(0, 1)]},
    )

    buried, inspection = bury(one, {(7, 0)}, {7: 1})

    assert buried == update(
        {
            9: (0, [garbage(2), text("z", root="text")]),
            8: (0, [garbage(2), text("free", root="text"), garbage(1)]),
        },
        {7: [(0, 1)]},
    )
    assert read(one).runs == inspection.runs
    assert read(one).deletes == inspection.deletes


def test_a_large_update_into_what_is_deleted_is_buried_elsewhere() -> None:
    """R25, R14, G5: the room reads none of it."""
    table = Table()
    ann, ben = table.join("ann"), table.join("ben")
    ann.send(update({7: (0, [item(ANY, VALUE, root="map", key="m")])}, {7: [(0, 1)]}))
    letters = [text("x", left=(5, at - 1)) if at else text("x", inside=(7, 0)) for at in range(30_000)]

    ben.say(update({5: (0, letters)}))
    (first,) = ben.trials
    second = trial_of(table.room.resume(first, tried(first)))
    assert second is not None
    outcome = tried(second)
    with counted() as work:
        assert table.room.resume(second, outcome) is None

    assert work.calls < 2000
    assert {7: 1, 5: 30_000} == table.room._replica.state
    assert len(table.rows[-1]) < 100_000
    table.log.commit()
    assert said_by(table.log.load()) == said_by(table.room._replica)


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_what_is_read_is_what_was_open(history: Sequence[tuple[str, bytes] | str]) -> None:
    """R26: each of these made what others had written vanish at the next reading."""
    table = Table()

    play(table, history)

    live = said_by(table.room._replica)
    assert {live} == {said_by(load) for load in loads_of(table)}
    assert not poison_in(table.log.rows)


@EXAMPLES
def test_whatever_is_invented_is_read_as_it_was_open(examples: int) -> None:
    """R26, R24, R25: many who refer to whatever there is, late, twice, and in every order."""
    refused = 0
    for seed in range(examples // 4):
        random = Random(seed)
        table = Table()
        history = invented(random)
        members = play(table, history)
        refused += sum(member.sink.closed is not None for member in members.values())
        live = said_by(table.room._replica)
        for load in (table.log.load(), table.log.shuffled(random), table.log.shuffled(random)):
            assert live == said_by(load), f"seed {seed}: {history}"
        assert not poison_in(table.log.rows), f"seed {seed}: {history}"
    assert refused


def invented(random: Random) -> list[tuple[str, bytes] | str]:
    """Return what some people send: on top of each other's, some of it late, some again."""
    state: dict[int, int] = {5: 0}
    history: list[tuple[str, bytes] | str] = []
    forger = Forger(random, state)
    for _ in range(random.randint(5, 25)):
        forger.wild = random.random() < 0.5
        one = forger.update()
        try:
            inspection = read(one)
        except MalformedError:
            continue  # refused at once, which is what other tests are about
        for client, _, end in inspection.runs:
            state[client] = max(end, state.get(client, 0))
        parser = Parser(one)
        parser.record = True
        parser.parse()
        forger.types = [
            *forger.types,
            *((s.client, s.clock) for s in parser.recorded if one[s.begin_byte] & 31 == TYPE),
        ]
        who = random.choice(("ann", "ben", "eve"))
        late = random.choice((0, 0, 0, 1, 3))
        history.insert(len(history) - min(late, len(history)), (who, one))
        if random.random() < 0.1:
            history.append(random.choice((COMPACTED, LOOKED_AT, (who, one))))
    return history
