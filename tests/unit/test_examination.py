"""What a doctor makes of one document's rows and history (D)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from collab.content import render
from collab.core.document import Document
from collab.core.merging import BrokenReplicaError
from collab.core.ports import DocumentId
from collab.core.replica import Replica
from collab.core.survey import survey, timed
from collab.doctor.examination import examine, prescribe
from collab.store.base import LogRow, RowKind
from collab.store.census import FoundRow, FoundSegment, Record
from collab.store.compaction import compacted
from collab.store.history import pack
from tests.support.members import deleted, typed, typing
from tests.support.yjs import Peer

WORDS = [*typing(7, "hello 😀"), typed(8, 0, "x", (7, 2)), deleted(7, 1, 2), typed(9, 0, "an", root="other")]

INSIDE_A_LETTER = b"\x01\x01\x09\x00\x04\x00\x07\x00\x01x\x00"


def record_of(rows: Sequence[LogRow], segments: Sequence[FoundSegment] = ()) -> Record:
    found = [FoundRow(row.id, int(row.kind), row.data, row.author, row.created_at, row.survey) for row in rows]
    return Record(tuple(found), tuple(segments), ())


def updates(data: Sequence[bytes], first_id: int = 1) -> list[LogRow]:
    return [LogRow(first_id + at, RowKind.UPDATE, each, "ann", 1.0 + at) for at, each in enumerate(data)]


def compact(rows: Sequence[LogRow], id: int) -> tuple[list[LogRow], FoundSegment]:
    """Return the log after a compaction, and the segment that it left."""
    done = compacted(DocumentId("notes"), rows, history=True)
    assert done is not None
    assert done.segment is not None
    left = [row for row in rows if row.id not in done.replaced]
    return [*left, LogRow(id, RowKind.SNAPSHOT, done.snapshot, "", done.created_at)], FoundSegment(
        id, done.segment, int(done.keyframe), done.created_at
    )


def seen(rows: Sequence[LogRow]) -> bytes:
    """Return what people see of a document."""
    snapshots = [row.data for row in rows if row.kind is RowKind.SNAPSHOT]
    return render("json", Replica.load(snapshots, [r.data for r in rows if r.kind is RowKind.UPDATE]).full_state())


def repaired(record: Record) -> list[LogRow]:
    """Return the log of a document after its repair."""
    prescribed = prescribe(1, record)
    assert prescribed is not None
    repair, _ = prescribed
    aside = {damage.id for damage in repair.aside if damage.place == "log"}
    kept = [row for row in record.rows if row.id not in aside]
    rows = [LogRow(row.id, RowKind(row.kind), row.data, "", 0.0) for row in kept]  # type: ignore[arg-type]
    return [*rows, *updates([data for data, _ in repair.added], first_id=1000)]


@pytest.mark.parametrize("history", [True, False])
def test_a_flipped_bit_of_a_snapshot_never_breaks_the_doctor(history: bool) -> None:
    """D2, D3, D7: while the history is there, whatever people would see of it is found, and repaired."""
    rows, segment = compact(updates(WORDS), 100)
    whole = seen(rows)
    unseen = 0
    for bit in range(len(rows[0].data) * 8):
        data = bytearray(rows[0].data)
        data[bit // 8] ^= 1 << bit % 8
        spoiled = [replace(rows[0], data=bytes(data))]
        record = record_of(spoiled, [segment] if history else [])
        if examine(record).well:
            unseen += 1
            if history:
                assert whole == seen(spoiled), bit
        elif history:
            assert whole == seen(repaired(record)), bit
        else:
            assert prescribe(1, record) is not None
    # Without history nothing tells one letter from another.
    assert history or unseen


@pytest.mark.parametrize("seed", range(12))
def test_whatever_people_wrote_is_well(seed: int) -> None:
    """D3: however it was compacted, the history says what the snapshot says."""
    dice = random.Random(seed)
    peers = [Peer(100 + at) for at in range(3)]
    rows: list[LogRow] = []
    segments: list[FoundSegment] = []
    for step in range(60):
        author = dice.choice(peers)
        written = author.edit(dice)
        rows += updates(written, first_id=step * 10 + 1)
        for peer in peers:
            for update in written if peer is not author else []:
                peer.receive(update)
        if rows and dice.random() < 0.1:
            rows, segment = compact(rows, step * 10 + 9)
            segments.append(segment)
    for peer in peers:
        peer.close()

    assert examine(record_of(dice.sample(rows, len(rows)), segments)).well


def test_only_what_the_lost_snapshot_held_is_added() -> None:
    """D7: later rows stay as they are."""
    rows, segment = compact(updates(WORDS), 100)
    later = LogRow(101, RowKind.UPDATE, typed(9, 2, "d", (9, 1)), "ann", 1.0)

    prescribed = prescribe(1, record_of([later], [segment]))

    assert prescribed is not None
    assert () == prescribed[0].aside
    assert 1 == len(prescribed[0].added)
    assert seen([*rows, later]) == seen(repaired(record_of([later], [segment])))


def test_a_gap_in_the_history_leaves_what_waits_in_rows_of_their_own() -> None:
    """D7, C1: recovered, but what it needs is lost."""
    first, _, last = typing(7, "abc")
    segments = [FoundSegment(1, pack(updates([first])), 1, 1.0), FoundSegment(2, pack(updates([last], 3)), 0, 3.0)]

    prescribed = prescribe(1, record_of([], segments))

    assert prescribed is not None
    repair, outcome = prescribed
    assert [first, last] == [data for data, _ in repair.added]
    assert 1 == len(outcome.waiting)
    again = record_of(updates([first, last]), segments)
    assert not examine(again).damaged
    assert prescribe(1, again) is None


def test_of_rows_that_wait_for_each_other_only_what_nobody_has_is_missing() -> None:
    """D4: two edits are lost; what waits for those that wait is not said to lack a third."""
    first, _, *last = typing(7, "abcd")
    rows = updates([first, *last, typed(8, 0, "x", (7, 3)), typed(9, 4, "y", (8, 0))])

    examination = examine(record_of(rows))

    assert ((7, 1, 2), (9, 0, 4)) == examination.missing
    assert [2, 3, 4, 5] == [row.id for row in examination.waiting]
    assert () == examination.damaged
    assert not examination.well
    assert prescribe(1, record_of(rows)) is None


def test_what_the_history_can_bring_back_is_not_called_lost() -> None:
    """D4, D7: rows wait for a snapshot that is gone, and no longer once the document is repaired."""
    _, segment = compact(updates(WORDS), 100)
    record = record_of(updates([typed(9, 2, "d", (9, 1)), typed(6, 1, "e", (6, 0))], 101), [segment])

    examination = examine(record)

    assert examination.damaged
    assert (((6, 0, 1),), [102]) == (examination.missing, [row.id for row in examination.waiting])
    prescribed = prescribe(1, record)
    assert prescribed is not None
    assert examination.waiting == prescribed[1].waiting


@pytest.mark.parametrize("at", [None, 0, 1, 4, 6, 8, -1])
def test_what_is_kept_beside_a_snapshot_has_to_be_of_it(at: int | None) -> None:
    """D2, D5, H10: one bit of it locked the document, and neither a doctor nor a backup looked there."""
    done = compacted(DocumentId("notes"), updates(WORDS), history=True)
    assert done is not None
    kept = bytearray(timed(done.survey, 77))
    if at is not None:
        kept[at] ^= 0x10
    row = LogRow(9, RowKind.SNAPSHOT, done.snapshot, "", done.created_at, bytes(kept))
    record = record_of([row])

    damaged = examine(record).damaged

    if at in (None, 0):  # how long it took is anybody's guess
        assert () == damaged
        return
    assert [("survey", 9)] == [(damage.place, damage.id) for damage in damaged]
    prescribed = prescribe(1, record)
    assert prescribed is not None
    assert ((9, survey(done.snapshot)),) == prescribed[0].surveys
    assert () == prescribed[0].aside
    assert prescribed[1].well


def test_nothing_that_is_as_it_was_stored_is_damaged() -> None:
    """D3: history was switched off and on, and the clock went back; what differs from history is no damage then."""
    for seed in range(100):
        record = lived(Random(seed))

        assert () == examine(record).damaged, f"seed {seed}"


def test_one_bit_of_a_snapshot_is_found() -> None:
    """D2: by its checksum, whatever the history has; a letter that became another, too."""
    found = 0
    for seed in range(100):
        random = Random(seed)
        record = lived(random)
        snapshots = [at for at, row in enumerate(record.rows) if row.kind == RowKind.SNAPSHOT]
        if not snapshots:
            continue
        found += 1
        rows = list(record.rows)
        data = bytearray(rows[snapshots[0]].data)
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        rows[snapshots[0]] = replace(rows[snapshots[0]], data=bytes(data))

        assert examine(replace(record, rows=tuple(rows))).damaged, f"seed {seed}"
    assert found > 50


def lived(random: Random) -> Record:
    """Return a document that was written and compacted for a while, with and without history."""
    now, clock, id = 1000.0, 0, 0
    rows: list[LogRow] = []
    segments: list[FoundSegment] = []
    for _ in range(random.randint(5, 40)):
        now += random.choice((0.0, 0.0, 0.01, 5.0, 5.0, -30.0))
        id += 1
        if clock and random.random() < 0.3:
            one = deleted(7, random.randrange(clock), 1)
        else:
            one = typed(7, clock, "word", (7, clock - 1) if clock else None)
            clock += 4
        rows.append(LogRow(id, RowKind.UPDATE, one, "ann", now))
        if random.random() < 0.2:
            done = compacted(DocumentId("notes"), rows, history=random.random() < 0.6)
            assert done is not None
            id += 1
            rows = [row for row in rows if row.id not in done.replaced]
            rows.append(LogRow(id, RowKind.SNAPSHOT, done.snapshot, "", done.created_at, done.survey))
            if done.segment is not None:
                segments.append(FoundSegment(id, done.segment, int(done.keyframe), done.created_at))
    return record_of(rows, segments)


def test_what_stands_inside_of_a_letter_is_no_damage() -> None:
    """R25, R26: older releases let it in; it is garbage for every reader, and what goes on behind it is not lost."""
    record = record_of(updates([*typing(7, "ab"), INSIDE_A_LETTER, typed(7, 2, "c", (7, 1))]))

    assert not examine(record).damaged
    assert b"abc" in seen([LogRow(r.id, RowKind.UPDATE, r.data, "", 0.0) for r in record.rows])


def test_a_row_on_which_pycrdt_fails_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """D2, D6: the gate lets it pass, and it costs each opening of the document a second reading (R22)."""
    apply = Document.apply

    def fail_on_poison(document: Document, update: bytes) -> None:
        if b"poison" in update:
            raise BrokenReplicaError("pycrdt failed")
        apply(document, update)

    monkeypatch.setattr(Document, "apply", fail_on_poison)
    record = record_of(updates([*typing(7, "ab"), typed(9, 0, "poison")]))

    (damage,) = examine(record).damaged

    assert (3, "it cannot be integrated") == (damage.id, damage.reason)
    assert 2 == len(repaired(record))
