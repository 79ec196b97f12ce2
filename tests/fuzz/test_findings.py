"""What fuzzing found, each as small as it gets. A strict xfail is a finding that nobody has mended yet.

Hex is as a client sends it; `t` and `text` are names of roots.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from collab.core.inspection import read
from collab.core.poison import load_without_poison
from collab.core.replica import Replica, Verdict
from collab.core.values import ANY, DELETED, TYPE
from collab.core.wire import decode_state_vector, encode_state_vector, var_uint
from collab.errors import CollabError, DamagedError, ForeignClientError, MalformedError, TooLargeError
from tests.support.hostile import Case, Judge, crowd, garbage, item, replica_with, text, typed, update
from tests.support.members import Table, tried
from tests.support.view import text_of
from tests.support.work import counted

MIB: Final = 1 << 20
HONEST = typed(10, 0, "honest text")
KEY = update({907: (0, [item(ANY, b"\x01\x78", root="map", key="k")])})


def late_joiner(judge: Judge, base: list[bytes], one: bytes, state: bytes) -> dict[str, str]:
    (verdict,) = judge.verdicts([Case(base, one, state)])
    return verdict


# ---- the same bytes, read differently ----


@pytest.mark.parametrize(
    "one",
    [
        bytes.fromhex("0101050007010174050468 6f6f6b00".replace(" ", "")),
        bytes.fromhex("010105000201017401013100"),
        bytes.fromhex("01010500070101748100"),
    ],
    ids=["a hook", "values of Yjs 12", "a type in two bytes"],
)
def test_what_yrs_reads_differently_is_refused(one: bytes) -> None:
    """W6: whatever stood in the bytes that the two disagree about was inspected by nobody."""
    with pytest.raises(MalformedError):
        read(one)


def test_a_name_of_a_hook_cannot_smuggle_structs_past_the_gate() -> None:
    """W6: to yrs the hook ended before its name, so the name was an array without values, on which it panics."""
    smuggled = bytes.fromhex("28010161010000")
    hook = item(TYPE, b"\x05" + var_uint(len(smuggled)) + smuggled, root="t")

    with pytest.raises(MalformedError):
        read(update({5: (0, [hook])}))


def test_deletions_are_not_lost_when_updates_are_merged() -> None:
    """W6, S1: of ranges that overlap yrs forgot one, so that a deleted list was back after a restart."""
    with pytest.raises(MalformedError):
        read(bytes.fromhex("0001480201020003"))


def test_an_element_between_another_and_itself_is_refused() -> None:
    """W6: Yjs put it at another place than its own copy of the document did."""
    with pytest.raises(MalformedError):
        read(bytes.fromhex("01014700c40705070501780000"[:-2]))


def test_an_update_that_is_passed_on_can_be_merged_by_its_readers(judge: Judge) -> None:
    """R18: every Yjs and yrs writes higher client ids first; otherwise two of these three texts are lost."""
    ascending = update({client: (0, [text("abc", root="text")]) for client in (3, 9, 5)})
    other = update({7: (0, [text("jkl", root="text")])})

    try:
        read(ascending)
    except MalformedError:
        return
    assert late_joiner(judge, [other], ascending, b"\x00\x00")["merged"] is None


# ---- pycrdt fails, or forgets ----


@pytest.mark.parametrize(
    "updates",
    [
        ["01010500040101740361626300", "0101090004000501017800"],
        ["0102050004010174036162630400050101780 0".replace(" ", "")],
        ["0101050005010174013100", "0101090004000500017800"],
    ],
    ids=["a text", "a text in the same update", "an embed"],
)
def test_nothing_is_put_inside_of_what_is_no_type(updates: list[str]) -> None:
    """W6, P5: pycrdt fails on it, and the document is read again from the log each time that somebody sends it."""
    *base, one = map(bytes.fromhex, updates)
    replica = replica_with(base)
    try:
        replica.admit(one, read(one))
    except MalformedError:
        return


@pytest.mark.parametrize("attempts", [1, 9])
def test_what_waits_for_somebody_elses_next_word_cannot_lock_them_out(attempts: int) -> None:
    """R6, R13, H3: eve names ann's next character as a parent; when ann types it, what fails is not hers."""
    table = Table()
    ann, eve = table.join(principal="ann"), table.join(principal="eve")
    ann.send(typed(7, 0, "hello"))
    for client in range(66, 66 + attempts):
        eve.send(update({client: (0, [text("x", inside=(7, 5))])}))

    for _ in range(attempts + 1):
        ann.send(typed(7, 5, "!"))
        if table.room.broken:
            table.log.commit()
            table.room.mend(table.log.load())
    table.log.commit()

    assert ann.sink.closed is None
    assert "hello!" == text_of(table.log.load().full_state(), "text")


@pytest.mark.parametrize("at_once", [True, False], ids=["brought with it", "let in before it"])
def test_what_stood_beside_something_bad_is_not_lost_with_it(at_once: bool) -> None:
    """R6, R22, R24: ann goes on behind a letter of eve's, and it is saved. Then what eve sent with it is bad."""
    table = Table()
    ann, eve = table.join(principal="ann"), table.join(principal="eve")
    ann.send(HONEST)
    ann.send(KEY)
    letter = text("A", left=(10, 10)) if at_once else text("A", left=(800, 0))
    # Between a text and a key, which nobody can tell before (900, 0) is here.
    eve.send(update({73: (0, [text("B", left=(900, 0), right=(907, 0))]), 72: (0, [letter])}))
    eve.send(update({800: (0, [text("x")])}))
    ann.send(update({10: (11, [text(" and more", left=(72, 0))])}))
    table.log.commit()

    eve.send(update({900: (0, [text("y")])}))
    if table.room.broken:
        table.log.commit()
        table.room.mend(table.log.load())
    table.log.commit()

    assert ann.sink.closed is None
    assert "A and more" in text_of(table.log.load().full_state(), "text")
    assert "B" not in text_of(table.log.load().full_state(), "text")


def test_nobody_can_write_again_what_is_written() -> None:
    """R21, S1: eve says that ann's text is garbage, and brings one clock more. After a restart it is."""
    table = Table()
    ann, eve = table.join(principal="ann"), table.join(principal="eve")
    ann.send(HONEST)
    eve.send(update({10: (0, [garbage(len("honest text") + 1)])}))
    table.log.commit()

    assert "honest text" == text_of(table.log.load().full_state(), "text")


def test_what_is_passed_on_does_not_throw_in_yjs(judge: Judge) -> None:
    """W6: an item of which the first clock is known to be garbage; Yjs looks for its left neighbour there."""
    base = [bytes.fromhex("0101910700000400")]
    one = bytes.fromhex("01019107030801056172726179037e7e7e00")
    table = Table()
    eve, ann = table.join(), table.join()
    eve.send(base[0])
    eve.send(one)

    assert "broken" not in late_joiner(judge, base, ann.updates[-1], ann.updates[0])


def test_neighbours_in_different_places_do_not_erase_what_stands_there(judge: Judge) -> None:
    """R18: behind a text and before a key. Whoever is here still reads the text; a late joiner reads only "x"."""
    one = bytes.fromhex("01014800c40a0a8b0700017800")
    replica = replica_with([HONEST, KEY])
    try:
        replica.admit(one, read(one))
    except CollabError:
        return

    assert late_joiner(judge, [HONEST, KEY], one, replica.full_state())["served"] is None


UNLOADABLE = {
    "inside of a text that was deleted": ["01010500040101740178 00", "0001050100 01", "010109000400050001 7800"],
    "neighbours in different places": [
        "0101070004010474657874076f6e652074776f00",
        "010207072701036d61700161020400070704676f6e6500",
        "000107010705",
        "020180808080802000c44800480302c3a9024800c3070807010100280007070161037e7e7e00",
    ],
}


@pytest.mark.parametrize("updates", UNLOADABLE.values(), ids=UNLOADABLE)
def test_what_was_taken_can_be_loaded(updates: list[str]) -> None:
    """R22, H3: three messages, 36 bytes, and after a restart the document never opens again."""
    rows = [bytes.fromhex(one) for one in updates]
    replica = Replica()
    try:
        for row in rows:
            replica.admit(row, read(row))
            replica.commit()  # as a room does that has been quiet for a while
    except CollabError:
        return

    again, left_out = load_without_poison(Replica, [], rows)
    assert replica.full_state() == again.full_state()
    assert not left_out


def test_several_elements_behind_one_key_do_not_throw_in_yjs(judge: Judge) -> None:
    """W6: they wait for somebody honest to delete what they stand in; then every Yjs throws that is here."""
    base = [
        update({5: (0, [item(TYPE, b"\x03\x01p", root="xml")])}),
        update({72: (0, [item(ANY, b"\x03\x7e\x7e\x7e", inside=(5, 0), key="a"), text("x", left=(72, 1))])}),
    ]
    delete = update({}, {5: [(0, 1)]})
    try:
        replica = replica_with(base)
    except CollabError:
        return

    assert "broken" not in late_joiner(judge, base, delete, replica.full_state())


@pytest.mark.xfail(strict=True, reason="yrs keeps a BigInt that is a whole double as a number")
def test_a_big_integer_stays_one(judge: Judge) -> None:
    """W5: 5n is 5 for whoever comes later, and 2^63 - 1 is rounded. Honest, and the library's own."""
    for number in (5, 2**63 - 1):
        one = update({5: (0, [item(ANY, b"\x01\x7a" + number.to_bytes(8, "big"), root="t")])})
        (verdict,) = judge.verdicts([Case([], one, replica_with([one]).full_state(), big_integers=True)])
        assert verdict["served"] is None


@pytest.mark.xfail(strict=True, reason="Yjs arrives at one order, and its own copy of the document at another")
def test_a_right_neighbour_to_the_left_means_the_same_to_all(judge: Judge) -> None:
    """R18: no honest client names one, no gate can tell, and nothing is lost but the order."""
    one = bytes.fromhex("01014700c407050701017800")
    base = [typed(7, 0, "one two")]

    assert late_joiner(judge, base, one, replica_with([*base, one]).full_state())["copied"] is None


# ---- half an emoji ----

EMOJI = typed(5, 0, "a😀b")

HALVES = {
    "a letter between the halves": [EMOJI, update({9: (0, [text("X", left=(5, 1), right=(5, 2))])})],
    "a letter behind the first half": [EMOJI, update({9: (0, [text("X", left=(5, 1))])})],
    "a letter before the second half": [EMOJI, update({9: (0, [text("X", right=(5, 2))])})],
    "the first half deleted": [EMOJI, update({}, {5: [(1, 2)]})],
    "the second half deleted": [EMOJI, update({}, {5: [(2, 3)]})],
    "a letter between, then the first half deleted": [
        EMOJI,
        update({9: (0, [text("X", left=(5, 1), right=(5, 2))])}),
        update({}, {5: [(1, 2)]}),
    ],
}


@pytest.mark.parametrize("updates", HALVES.values(), ids=HALVES)
def test_an_emoji_cut_in_two_says_the_same_to_yjs_and_to_a_late_joiner(updates: list[bytes], judge: Judge) -> None:
    """R18, hazards P4b: the letter came out behind the b, and with it every clock from there on."""
    replica = replica_with(updates)

    verdict = late_joiner(judge, updates[:-1], updates[-1], replica.full_state())

    assert replica.state == decode_state_vector(replica._document.state_vector())
    assert not verdict["served"]
    assert verdict["vector"] == verdict["servedVector"]


def test_an_emoji_of_which_half_is_known_leaves_a_state_that_yjs_can_read(judge: Judge) -> None:
    """W6, hazards P4b: seventeen bytes, and no Yjs can read the document any more."""
    base, one = [typed(17, 0, "\n")], bytes.fromhex("010111000401047465787404f09f988000")
    replica = replica_with(base)
    try:
        replica.admit(one, read(one))
    except CollabError:
        return

    assert "broken" not in late_joiner(judge, base, one, replica.full_state())


# ---- time ----


BACKWARDS = update({5: (0, [text("x", right=(5, at - 1)) if at else text("x", root="text") for at in range(60_000)])})
"""A text of which each letter was typed before the last."""


def test_what_waits_is_tried_before_it_is_let_in() -> None:
    """R12, hazards P7: 7 KB wait for one letter, so the trial had nothing to do; the letter takes seconds."""
    table = Table(replica=replica_with([BACKWARDS]))
    eve = table.join()
    waits = item(DELETED, b"\x01", left=(9, 0))

    eve.say(crowd(10_000, 300, waits, text("z", root="text")))
    table.room.resume(eve.trials[0], tried(eve.trials[0]))

    assert 4413 == eve.closed_with


def test_deletions_in_descending_order_stop_nobody() -> None:
    """G5: 57 KB took pycrdt 0.7 s; in ascending order 16 ms."""
    spans = [(at, at + 1) for at in range(0, 30_000, 2)]

    with pytest.raises(MalformedError):
        read(update({}, {5: spans[::-1]}))


def test_a_state_vector_of_a_million_clients_stops_nobody() -> None:
    """W1, hazards P8: a reader may send it; 4 MB take 1 s and 250 MB, and 16 MB fit into one message."""
    table = Table()
    reader = table.join()
    claimed = encode_state_vector(dict.fromkeys(range(2**20), 1))

    with counted() as work:
        reader.ask(claimed)

    assert work.calls < 1000
    assert 4413 == reader.closed_with


def test_too_much_that_waits_is_refused_at_once() -> None:
    """R12, G5: it was cut, and read twice more, before it was found to be too much."""
    many = [item(DELETED, b"\x01", left=(5, at - 1)) for at in range(1, 300_000)]
    late = update({5: (1, many)})
    replica, inspection = Replica(), read(late)

    with counted() as work, pytest.raises(TooLargeError):
        replica.admit(late, inspection)

    assert work.calls < 1000


# ---- memory ----

PASTED = update({5: (0, [text("x" * MIB, root="text")])})
WORDS = [update({9 + at: (0, [text("y", left=(5, 1000 * at))])}) for at in range(200)]
"""Put into what was pasted; each splits it once more."""

GROWTH: Final = """
import pickle, psutil, sys
from pycrdt import Doc
from tests.support.hostile import Replica, replica_with

rows = pickle.load(sys.stdin.buffer)

def in_one_transaction():
    doc = Doc()
    with doc.transaction():
        for row in rows:
            doc.apply_update(row)
    return doc

def in_a_room():
    replica = replica_with(rows)
    replica.commit()
    return replica

def size():
    return psutil.Process().memory_info().rss

before = size()
made = {making}
print(size() - before)
"""


def growth_of(making: str) -> int:
    """Return by how many MiB a process of its own grows by making a document of both."""
    script = GROWTH.replace("{making}", making)
    rows = pickle.dumps([PASTED, *WORDS])
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], input=rows, capture_output=True, check=True, cwd=root)
    return int(done.stdout) >> 20


@pytest.mark.xfail(strict=True, reason="pycrdt keeps a copy of the rest of the text for each piece")
def test_a_text_is_split_in_the_transaction_that_brings_it() -> None:
    """hazards P7: the library's own."""
    assert growth_of("in_one_transaction()") < 32


@pytest.mark.parametrize("making", ["in_a_room()", "Replica.load([], rows)"])
def test_a_text_that_is_pasted_and_then_edited_takes_what_it_is_long(making: str) -> None:
    """R13, H2: 15 MB and four messages of 300 bytes took 3 GB, and so did opening such a document."""
    assert growth_of(making) < 32


# ---- between processes ----


@pytest.mark.parametrize("error", [TooLargeError("x", 2, 1), ForeignClientError(5), DamagedError("doc", "why")])
def test_an_error_survives_the_way_out_of_the_sandbox(error: CollabError) -> None:
    """R14: 110,000 deleted ranges are too many; the parent failed on the error, and the socket was never read again."""
    assert str(error) == str(pickle.loads(pickle.dumps(error)))


def test_a_copy_with_another_neighbour_leaves_no_row() -> None:
    """R5, R8: all its clocks are known; sent again and again it fills the log."""
    table = Table()
    eve = table.join()
    eve.send(typed(5, 0, "abc"))
    copy = bytes.fromhex("0101050084090003616263" + "00")

    assert read(copy).runs == ((5, 0, 3),)
    for _ in range(3):
        eve.send(copy)

    assert 1 == len(table.rows)


def test_known_is_known() -> None:
    """R5."""
    assert Verdict.KNOWN is replica_with([HONEST]).admit(HONEST, read(HONEST))
