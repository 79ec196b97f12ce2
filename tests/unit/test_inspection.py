"""What the gate reads in updates: honest ones, harmful ones, and keystrokes on the short way (W5 to W7)."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import strategies as st

from collab.core.causality import Id
from collab.core.inspection import Inspection, Parser, _keystroke, read
from collab.core.merging import merge
from collab.core.replica import Verdict
from collab.core.roots import RootKind
from collab.core.values import ANY, DELETED, TYPE
from collab.core.wire import MAX_CLOCK, MAX_SAFE_INTEGER
from collab.errors import MalformedError
from tests.fuzz.corpus import HARMFUL, HARMLESS, embed
from tests.support.hostile import (
    EXAMPLES,
    Case,
    Judge,
    crowd,
    damaged,
    for_all,
    item,
    replica_with,
    text,
    update,
)
from tests.support.yjs import Peer

REFUSED = {
    "a hook": "yrs does not read its name",
    "half an emoji in an embed": "yrs does not parse it",
    "an integer of 64 bits in an embed": "yrs does not parse it",
}
"""What Yjs makes and yrs cannot read."""

DIFFERENT: set[str] = set()
"""Of which yrs makes something else than Yjs; see tests/fuzz/test_findings.py."""


@pytest.fixture(scope="module")
def honest(judge: Judge) -> dict[str, list[bytes]]:
    return judge.updates()


# ---- what honest clients make ----


def test_every_update_that_yjs_makes_is_accepted(honest: dict[str, list[bytes]]) -> None:
    """W5: but for what yrs cannot read, which is refused rather than misunderstood."""
    refused = set[str]()
    for name, updates in honest.items():
        for one in updates:
            try:
                read(one)
            except MalformedError:
                refused.add(name)

    assert set(REFUSED) == refused


def test_what_is_read_in_updates_of_yjs_is_what_yjs_reads(honest: dict[str, list[bytes]], judge: Judge) -> None:
    """W5: the clocks that it brings, needs and deletes."""
    updates = [one for name, made in honest.items() if name not in REFUSED for one in made]

    for one, decoded in zip(updates, judge.decode(updates), strict=True):
        inspection = read(one)
        assert _runs(decoded["structs"]) == set(inspection.runs)
        assert _needs(decoded["structs"]) == dict(inspection.needs)
        assert {tuple(run) for run in decoded["deletes"]} == set(inspection.deletes)
        assert _dead(decoded["structs"]) == set(inspection.dead)
        assert len(decoded["structs"]) == inspection.structs


def test_what_is_read_in_updates_of_yrs_is_what_yjs_reads(judge: Judge) -> None:
    """W5."""
    updates = [one for seed in range(20) for one in _written_by_pycrdt(seed)]

    for one, decoded in zip(updates, judge.decode(updates), strict=True):
        inspection = read(one)
        assert _runs(decoded["structs"]) == set(inspection.runs)
        assert _needs(decoded["structs"]) == dict(inspection.needs)
        assert {tuple(run) for run in decoded["deletes"]} == set(inspection.deletes)


def test_documents_of_yjs_come_out_as_they_went_in(honest: dict[str, list[bytes]], judge: Judge) -> None:
    """W5, R18: pycrdt takes all of them, and a late joiner reads the same as who was there."""
    names = sorted(set(honest) - set(REFUSED) - DIFFERENT)
    cases = [Case(honest[n][:-1], honest[n][-1], replica_with(honest[n]).full_state()) for n in names]

    for name, verdict in zip(names, judge.verdicts(cases), strict=True):
        assert {} == {k: v for k, v in verdict.items() if k in ("broken", "error", "copied", "merged") and v}, name
        assert verdict["waiting"] or verdict["served"] is None, name


def _written_by_pycrdt(seed: int) -> list[bytes]:
    random = Random(seed)
    ann, ben = Peer(3 + seed), Peer((1 << 40) + seed)
    written: list[bytes] = []
    for _ in range(15):
        writer, reader = random.sample((ann, ben), 2)
        written += writer.edit(random)
        if random.random() < 0.5:
            reader.receive(merge(written))
    state = ann.doc.get_update()
    ann.close()
    ben.close()
    return [*written, merge(written), merge(random.sample(written, len(written) // 2)), state]


def _runs(structs: list[dict[str, Any]]) -> set[tuple[int, int, int]]:
    runs: list[tuple[int, int, int]] = []
    for one in structs:
        if one["kind"] == "Skip":
            continue
        client, clock, end = one["client"], one["clock"], one["clock"] + one["length"]
        if runs and runs[-1][0] == client and runs[-1][2] == clock:
            clock = runs.pop()[1]
        runs.append((client, clock, end))
    return set(runs)


def _needs(structs: list[dict[str, Any]]) -> dict[int, int]:
    ends = {client: end for client, _, end in sorted(_runs(structs))}
    needs: dict[int, int] = {}
    for one in structs:
        for client, clock in one["refs"]:
            if client != one["client"]:
                needs[client] = max(clock, needs.get(client, -1))
    return {client: clock for client, clock in needs.items() if clock >= ends.get(client, 0)}


def _dead(structs: list[dict[str, Any]]) -> set[tuple[int, int, int]]:
    return {
        (one["client"], one["clock"], one["clock"] + one["length"])
        for one in structs
        if one["kind"] == "GC" or one["content"] == "ContentDeleted"
    }


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (text("x", root="r"), RootKind.TEXT),
        (text("x", root="r", key="k"), RootKind.MAP),
        (item(TYPE, b"\x03\x01p", root="r"), RootKind.XML),
        (item(TYPE, b"\x01", root="r"), RootKind.ARRAY),
        (item(ANY, b"\x01\x7e", root="r"), RootKind.ARRAY),
        (item(DELETED, b"\x01", root="r"), RootKind.UNKNOWN),
    ],
)
def test_the_first_element_of_a_root_tells_its_kind(one: bytes, kind: RootKind) -> None:
    """W5: nothing else in an update does."""
    assert (("r", kind),) == read(update({5: (0, [one])})).roots


# ---- what harms a reader ----


@pytest.mark.parametrize("one", HARMFUL.values(), ids=HARMFUL)
def test_what_harms_a_reader_is_refused(one: bytes) -> None:
    """W6, hazards P3, P4, P8: pycrdt dies, panics or reads something else; Yjs throws, at once or for ever."""
    with pytest.raises(MalformedError):
        read(one)


@pytest.mark.parametrize("one", HARMLESS.values(), ids=HARMLESS)
def test_what_only_looks_harmful_is_accepted(one: bytes) -> None:
    """W5, W6: the limits themselves."""
    read(one)


@pytest.mark.parametrize("one", HARMLESS.values(), ids=HARMLESS)
def test_what_is_accepted_is_taken_by_pycrdt_and_by_yjs(one: bytes, judge: Judge) -> None:
    """W6."""
    replica = replica_with([one])

    (verdict,) = judge.verdicts([Case([], one, replica.full_state())])

    assert "broken" not in verdict
    assert verdict["waiting"] or verdict["served"] is None


def test_a_kilobyte_of_nonsense_counts_as_dear() -> None:
    """W6, hazards P7: places to search for are counted."""
    scattered = crowd(100, 100, text("x"))

    assert 100 == read(scattered).loose
    assert 1 == read(update({5: (0, [text("x"), *(text("y", left=(5, at)) for at in range(100))])})).loose


@EXAMPLES
def test_json_that_is_accepted_is_json_to_yrs(examples: int) -> None:
    """W6: numbers and escapes of every shape."""
    digits = st.text("0123456789", min_size=1, max_size=24)
    numbers = st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "-"]),
        digits,
        st.sampled_from(["", ".", ".5", ".0"]),
        st.sampled_from(["", "e5", "E-400", "e400", "e+", "e99999999999"]),
    )
    escapes = st.sampled_from(["\\ud83d", "\\ude00", "\\u0000", "\\n", "\\\\", "\\x", "é", "\\u00e", '\\"', "u"])
    strings = st.lists(escapes, max_size=4).map(lambda parts: '"' + "".join(parts) + '"')
    objects = st.builds("{{{}:{},{}:1}}".format, strings, numbers | strings, strings)

    @for_all(examples, numbers | strings | objects)
    def _(said: str) -> None:
        one = embed(said)
        try:
            inspection = read(one)
        except MalformedError:
            return
        assert Verdict.INTEGRATED is replica_with([]).admit(one, inspection)


# ---- keystrokes ----


def _long_way(one: bytes) -> Inspection | None:
    try:
        return Parser(one).inspection()
    except MalformedError:
        return None


IDS = st.tuples(
    st.sampled_from([1, 5, 127, 128, 2**32, MAX_SAFE_INTEGER]),
    st.sampled_from([0, 1, 5, 127, 128, MAX_CLOCK - 2, MAX_CLOCK]),
)


@EXAMPLES
def test_a_keystroke_is_read_the_short_way_as_the_long_way_does(examples: int) -> None:
    """W7: never looser, and nine in ten are keystrokes."""
    words = st.text("abc é", max_size=130)

    @for_all(examples, IDS, IDS, st.none() | IDS, words)
    def _(id: Id, left: Id, right: Id | None, word: str) -> None:
        one = update({id[0]: (id[1], [text(word, left=left, right=right)])})

        assert _keystroke(one) in (None, _long_way(one))
        assert _keystroke(one) or not _is_simple(id, left, right, word)


def _is_simple(id: Id, left: Id, right: Id | None, word: str) -> bool:
    """Whether this is what somebody types whose browser is in order."""
    ends = [left, right or left]
    known = all(clock < (id[1] if client == id[0] else MAX_CLOCK) for client, clock in ends)
    return known and left != right and 0 < len(word) < MAX_CLOCK - id[1] and word.isascii()


@EXAMPLES
def test_damaged_keystrokes_are_never_read_more_loosely(examples: int) -> None:
    """W7."""
    random = Random(41)
    for _ in range(examples * 20):
        left, right = ((random.choice((5, 6, 300)), random.randint(0, 200)) for _ in range(2))
        one = update({5: (random.randint(0, 200), [text("ab", left=left, right=random.choice((None, right)))])})
        wrong = damaged(one, [one], random)
        assert _keystroke(wrong) in (None, _long_way(wrong)), wrong.hex()


@EXAMPLES
def test_whatever_starts_like_a_keystroke_is_never_read_more_loosely(examples: int) -> None:
    """W7."""

    @for_all(
        examples * 5, st.sampled_from([b"\x84", b"\xc4"]), st.binary(min_size=2, max_size=6), st.binary(max_size=40)
    )
    def _(first: bytes, numbers: bytes, rest: bytes) -> None:
        one = b"\x01\x01" + numbers + first + rest + b"\x00"
        assert _keystroke(one) in (None, _long_way(one)), one.hex()
