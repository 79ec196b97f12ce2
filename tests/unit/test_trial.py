"""What is tried in another process, and what of the work is left to the room afterwards (R14).

How long pycrdt takes is measured there, and nowhere here: what is dear for it is known by its shape.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import pytest

from collab.core.connection import RoomLimits, Trial, Tried
from collab.core.expense import TrialLimits
from collab.core.inspection import read
from collab.core.replica import Replica
from collab.core.surrogates import Halves
from collab.core.survey import survey_of_emoji
from collab.core.values import ANY, TYPE
from collab.core.waiting import WaitingLimits
from collab.core.wire import Kind
from collab.errors import TooLargeError
from collab.sandbox import Sandbox
from collab.trial import attempt, carry_out
from tests.support.dear import BACKWARDS, DEAR, LONG, RICH, backwards, words
from tests.support.hostile import item, replica_with, text, typed, update
from tests.support.members import Member, Table, trial_of, tried
from tests.support.view import text_of
from tests.support.work import counted

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


@pytest.mark.parametrize("name", DEAR)
def test_what_may_take_pycrdt_long_is_tried_first(name: str) -> None:
    """R14, G5, hazards P7: each has less than 64 KiB."""
    base, one = DEAR[name]
    assert len(one) < TrialLimits().update_bytes
    eve = Table(replica=replica_with([base])).join()

    eve.say(one)

    assert 1 == len(eve.trials)


@pytest.mark.parametrize("base", [BACKWARDS, LONG, RICH], ids=["backwards", "long", "rich"])
def test_what_people_do_is_not_tried(base: bytes) -> None:
    """R14: a trial copies the document, and takes as long as reading it."""
    ann = Table(replica=replica_with([base])).join()

    ann.say(typed(9, 0, "a letter at the beginning"))
    ann.say(update({9: (25, [text("in the middle", left=(5, 20_000), right=(5, 20_001))])}))
    ann.say(update({}, {5: [(30_000, 30_020)]}))

    assert [] == ann.trials


def test_deletions_do_not_add_up_to_a_long_commit() -> None:
    """R14, G5: each by itself is cheap; what they leave is merged when the transaction ends."""
    replica = replica_with([RICH])
    replica.commit()
    open_for: list[int] = []
    for at in range(0, 60_000, 1000):
        some = update({}, {5: [(at, at + 1000)]})
        replica.admit(some, read(some))
        before = open_for[-1] if open_for else 0
        open_for.append(before + 1 if replica._document.is_open else 0)

    assert max(open_for) < 20


def test_deletions_that_are_known_do_not_make_an_update_dear() -> None:
    """R14: a provider answers each SyncStep1 with all deletions of the document."""
    spans = {5: [(12 * at + 5, 12 * at + 6) for at in range(5000)]}
    ann = Table(replica=replica_with([words(60_000), update({}, spans)])).join()

    ann.say(update({9: (0, [text("new")])}, spans), Kind.SYNC_STEP_2)

    assert [] == ann.trials


def test_a_room_that_was_typed_in_for_hours_does_not_take_itself_for_large() -> None:
    """R14: each letter counted as a struct for ever, and after two million each cursor that moved had a trial."""
    replica = replica_with([typed(5, 0, "a"), typed(7, 0, "b")])
    replica.structs = 3_000_000
    ann = Table(replica=replica).join()

    ann.say(typed(7, 1, "c").replace(b"\x84\x07\x00", b"\x84\x05\x00"))

    assert [] == ann.trials
    assert replica.structs < 10


def test_a_trial_knows_where_emoji_are() -> None:
    """R14, R19: what is tried is what will be done."""
    table = Table(replica=replica_with([update({7: (0, [text("a😀b")])})]), limits=RoomLimits(TrialLimits(steps=1)))
    eve = table.join()
    eve.say(update({9: (0, [text("X", left=(7, 1), right=(7, 2))])}))

    (trial,) = eve.trials
    copy = Replica.load([trial.state], [], [trial.survey])

    assert copy.halves.clocks == table.room._replica.halves.clocks
    table.room.resume(trial, tried(trial))
    assert "a\ufffdX\ufffdb" == text_of(table.room.state()[0])


# ---- afterwards ----


def paste(member: Member, one: bytes) -> Tried:
    """Send something large, and have it tried."""
    member.say(one)
    outcome = tried(member.trials[-1])
    assert isinstance(outcome, Tried)
    return outcome


def test_a_room_takes_what_was_tried_without_reading_it() -> None:
    """R14, G5: of 100,000 structs some waited, and the room cut and read all of them, for 0.7 s."""
    table = Table()
    ann, ben = table.join(), table.join()
    large = update({5: (0, [*backwards(20_000), text("late", left=(9, 0))])})
    outcome = paste(ann, large)

    with counted() as work:
        table.room.resume(ann.trials[0], outcome)

    assert work.calls < 2000
    assert {5: 20_000} == table.room._replica.state
    (ready,) = table.rows
    assert ((5, 0, 20_000),) == read(ready).runs
    assert ["ann"] == table.authors
    ben.send(typed(9, 0, "then"))
    assert {5: 20_004, 9: 4} == table.room._replica.state


def test_what_came_from_elsewhere_meanwhile_is_tried_again() -> None:
    """R14, R21: two who were offline bring the same long document; the second also a word of their own."""
    table = Table()
    ann, ben = table.join(), table.join()
    both = {5: (0, backwards(12_000))}
    with_a_word = {6: (0, [text("word")]), **both}
    first, second = paste(ann, update(both)), paste(ben, update(with_a_word))
    table.room.resume(ann.trials[0], first)

    again = trial_of(table.room.resume(ben.trials[0], second))

    assert again is not None
    outcome = tried(again)
    assert isinstance(outcome, Tried)
    assert ((6, 0, 4),) == outcome.inspection.runs
    assert table.room.resume(again, outcome) is None
    assert {5: 12_000, 6: 4} == table.room._replica.state


def test_what_came_from_elsewhere_entirely_is_known() -> None:
    """R5, R14."""
    table = Table()
    ann, ben = table.join(), table.join()
    first, second = paste(ann, LONG), paste(ben, LONG)
    table.room.resume(ann.trials[0], first)

    assert table.room.resume(ben.trials[0], second) is None
    assert ben.closed_with is None
    assert 1 == len(table.rows)


def test_a_document_that_changes_faster_than_an_update_is_tried_says_so() -> None:
    """R14: somebody else brings another letter of it each time."""
    table = Table()
    ann, ben = table.join(), table.join()
    ann.say(update({5: (0, backwards(12_000))}))
    trial: Trial | None = ann.trials[0]
    attempts = 0
    while trial is not None:
        outcome = tried(trial)
        ben.send(update({5: (attempts, [backwards(attempts + 1)[attempts]])}))
        trial, attempts = trial_of(table.room.resume(trial, outcome)), attempts + 1

    assert TrialLimits().attempts == attempts
    assert 1013 == ann.closed_with


def test_an_update_that_tells_too_much_is_refused() -> None:
    """R14: four million emoji, whose halves the room would take two seconds to note."""
    with pytest.raises(TooLargeError, match="150003 of them, the limit is 150000"):
        attempt(
            b"\x00\x00",
            survey_of_emoji(Halves()),
            update({5: (0, [text("😀" * 150_000, root="text")])}),
            WaitingLimits(),
        )


def test_a_book_may_be_brought_as_a_whole() -> None:
    """R14: by somebody who comes from another server, say. 20,000 paragraphs passed, and 30,000 were refused."""
    structs: list[bytes] = []
    for start in range(0, 8 * 30_000, 8):
        structs += [
            item(TYPE, b"\x03\x01p", left=(5, start - 8)) if start else item(TYPE, b"\x03\x01p", root="book"),
            item(ANY, b"\x01\x77\x01x", inside=(5, start), key="id"),
            item(TYPE, b"\x06", inside=(5, start)),
            text("words", inside=(5, start + 2)),
        ]

    book, _ = attempt(b"\x00\x00", survey_of_emoji(Halves()), update({5: (0, structs)}), WaitingLimits())

    assert book.parts is None
    assert ((5, 0, 8 * 30_000),) == book.inspection.runs


class Unlucky(Sandbox):
    """Processes of which the first so many die, as for want of memory."""

    def __init__(self, deaths: int) -> None:
        super().__init__()
        self._deaths = deaths

    async def _run_once(self, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        if self._deaths:
            self._deaths -= 1
            await super()._run_once(_die)
        return await super()._run_once(function, *arguments)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("deaths", "close_code"), [(1, None), (2, 4400)])
async def test_a_trial_whose_process_dies_is_made_once_more(deaths: int, close_code: int | None) -> None:
    """R14: an honest paste is not malformed because somebody killed a process; what kills every one is."""
    ann = Table().join()
    ann.say(typed(7, 0, "x" * 70_000))
    (trial,) = ann.trials

    ann.room.resume(trial, await carry_out(trial, Unlucky(deaths)))

    assert close_code == ann.closed_with
