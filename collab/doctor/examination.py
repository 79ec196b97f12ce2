"""What is wrong with one document, and how it is repaired: from its rows and its history alone.

Pure, and run in a process that may die of it, since nothing here can be trusted. The log holds what was let in
(decision 0012), so a row that waits for a predecessor tells of one that is lost. Not for: reading and
writing (`store.census`, `store.repair`). The rules are D of docs/spec.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from collab.content.json import render
from collab.core.causality import Id
from collab.core.inspection import Run, read
from collab.core.partition import cut, split
from collab.core.poison import load_without_poison
from collab.core.replica import Replica
from collab.core.survey import is_of, survey, vouches_for
from collab.core.wire import EMPTY_UPDATE, StateVector
from collab.errors import CollabError
from collab.store.base import LogRow, RowKind
from collab.store.census import (
    DOCUMENT,
    HISTORY,
    LOG,
    SURVEY,
    Damage,
    FoundDocument,
    FoundRow,
    FoundSegment,
    Record,
)
from collab.store.compaction import UnprovenError
from collab.store.history import pack, unpack
from collab.store.repair import Mend, Renewal, Repair

_LINEAGE: Final = re.compile(r"[0-9A-Za-z._-]{1,100}")
"""Ours are 32 hexadecimal digits; an operator who restores may have drawn one otherwise."""

_YEARS: Final = (-62_135_596_800.0, 253_402_300_800.0)
"""From the year 1 to the end of 9999, as Unix times: others have no date (`datetime.fromtimestamp`)."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that builds on what is not here. Good, and of no use without that."""

    id: int
    author: str
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found in one document."""

    damaged: tuple[Damage, ...]
    waiting: tuple[Waiting, ...] = ()
    missing: tuple[Run, ...] = ()
    """What they wait for, by client id and clocks; what is in one of them is not missing."""
    empty: bool = False
    """Whether nothing of it is there to see, though it has rows."""

    @property
    def well(self) -> bool:
        return not (self.damaged or self.waiting)


def examine(record: Record) -> Examination:
    """Replay a document, and compare it with what compaction replaced (D2, D3)."""
    return _Patient.of(record).examination()


def prescribe(document: int, record: Record) -> tuple[Repair, Examination] | None:
    """Return what makes a document readable again, and how it is then; None if nothing can be done (D6, D7).

    Raises:
        UnprovenError: the document that would come of it does not say what was recovered.
    """
    patient = _Patient.of(record)
    return patient.repair(document) if patient.damaged else None


@dataclass(slots=True)
class _Patient:
    """One document in parts: what can be read, and what cannot."""

    record: Record
    damaged: list[Damage] = field(default_factory=list)
    rows: list[LogRow] = field(default_factory=list)
    """Those of the log that can be read and integrated, or wait."""
    past: list[LogRow] = field(default_factory=list)
    """Those that stand in readable segments."""
    intact: set[int] = field(default_factory=set)
    """Snapshots that have the checksum which they had when they were stored."""
    mended: dict[int, Mend] = field(default_factory=dict)
    """Rows of the log of which only what stands beside their bytes is damaged."""
    renewal: Renewal | None = None
    waiting: list[LogRow] = field(default_factory=list)
    replica: Replica = field(default_factory=Replica)
    """What the log says."""

    @classmethod
    def of(cls, record: Record) -> _Patient:
        patient = cls(record, list(record.unreadable))
        if record.document is not None:
            patient._read_document(record.document)
        for segment in record.segments:
            patient._read_segment(segment)
        for row in record.rows:
            patient._read_row(row)
        patient._replay()
        patient._compare()
        if not record.rows and not patient.damaged:
            # It was created with one (N1), and compaction leaves one.
            patient.damaged.append(Damage(LOG, None, "it has no row at all"))
        return patient

    def examination(self) -> Examination:
        empty = bool(self.record.rows) and not self.replica.state
        # What history still has is not lost: a repair puts it back.
        whole = _load([*self.rows, *self.past]) if self.waiting and self.past else self.replica
        waiting = [row for row in self.waiting if _is_unknown(row, whole)]
        return _examination(tuple(self.damaged), waiting, whole, empty=empty)

    def repair(self, document: int) -> tuple[Repair, Examination] | None:
        lost = [damage for damage in self.damaged if damage.id is not None and damage.size is not None]
        aside = tuple(damage for damage in lost if damage.place != SURVEY and not self._is_mended(damage))
        wrong = {damage.id for damage in lost if damage.place == SURVEY}
        surveys = tuple((row.id, survey(row.data)) for row in self.rows if row.id in wrong)
        whole = _load([*self.rows, *self.past])
        added: list[tuple[bytes, str]] = []
        if whole.digest() != self.replica.digest():
            added.append((whole.diff(self.replica.state_vector()), ""))
        # What waits for something that nobody has here must stay a row of its own (C1).
        present = {row.data for row in self.rows}
        strays = {row.data: row.author for row in self.past if row.data not in present and _is_unknown(row, whole)}
        added += strays.items()
        if not (self.rows or added):
            added.append((EMPTY_UPDATE, ""))
        mended = tuple(self.mended.values())
        if not (aside or added or surveys or mended or self.renewal):
            return None
        rows = [*self.rows, *(LogRow(0, RowKind.UPDATE, data, author, 0.0) for data, author in added)]
        after = _load(rows)
        if after.digest() != whole.digest():
            raise UnprovenError("what was recovered does not go together with what is there")
        keyframe = pack(rows) if any(damage.place == HISTORY for damage in aside) else None
        waiting = [row for row in rows if _is_unknown(row, after)]
        outcome = _examination((), waiting, after, empty=not after.state)
        repair = Repair(document, self._seen(), aside, tuple(added), surveys, keyframe, mended, self.renewal)
        return repair, outcome

    def _is_mended(self, damage: Damage) -> bool:
        return damage.place == LOG and damage.id in self.mended

    def _seen(self) -> dict[str, frozenset[int]]:
        return {
            LOG: frozenset(row.id for row in self.record.rows),
            HISTORY: frozenset(segment.id for segment in self.record.segments),
        }

    # ---- taking it apart ----

    def _read_document(self, found: FoundDocument) -> None:
        lineage = "" if isinstance(found.lineage, str) and _LINEAGE.fullmatch(found.lineage) else "its lineage is none"
        created_at = "" if _is_time(found.created_at) else "its time is not a time"
        columns = frozenset(name for name, wrong in [("lineage", lineage), ("created_at", created_at)] if wrong)
        if columns:
            self.renewal = Renewal(", ".join(filter(None, (lineage, created_at))), columns)
            self.damaged.append(Damage(DOCUMENT, found.id, self.renewal.reason))

    def _read_segment(self, segment: FoundSegment) -> None:
        reason = _odd_segment(segment)
        try:
            rows = unpack(segment.data)
            for row in rows:
                read(row.data)
        except CollabError as error:
            reason = str(error)
        else:
            self.past += rows
        if reason:
            self.damaged.append(Damage(HISTORY, segment.id, reason, size=len(segment.data)))

    def _read_row(self, found: FoundRow) -> None:
        author = found.author if isinstance(found.author, str) else None
        kind = _kind_of(found)
        if kind is None:
            self._condemn(found.id, f"a row of an unknown kind: {found.kind!r:.40}", author, len(found.data))
            return
        time = float(found.created_at) if _is_time(found.created_at) else None
        row = LogRow(found.id, kind, found.data, author or "", time or 0.0)
        if reason := _fault(row):
            self._condemn(found.id, reason, author, len(found.data))
            return
        self.rows.append(row)
        if reason := _misfit(found):
            damage = Damage(LOG, found.id, reason, author, len(found.data))
            self.damaged.append(damage)
            self.mended[found.id] = Mend(damage, row.author, time)
        if kind is RowKind.SNAPSHOT and found.survey is not None:
            self._check_survey(row, found.survey, foreign="survey" in found.foreign)

    def _check_survey(self, snapshot: LogRow, kept: bytes, *, foreign: bool) -> None:
        if vouches_for(kept, snapshot.data):
            self.intact.add(snapshot.id)
        if foreign or not is_of(kept, snapshot.data):
            reason = "a snapshot, or what is kept with it to open it quickly and tell damage, is not as it was stored"
            self.damaged.append(Damage(SURVEY, snapshot.id, reason, size=len(kept)))

    def _condemn(self, id: int, reason: str, author: str | None, size: int) -> None:
        # What stands beside it goes with it.
        self.damaged = [each for each in self.damaged if each.place not in (LOG, SURVEY) or each.id != id]
        self.mended.pop(id, None)
        self.damaged.append(Damage(LOG, id, reason, author, size))

    def _replay(self) -> None:
        """Integrate the rows that can be read; put aside those on which pycrdt fails (R22)."""
        self.replica = _load(self.rows)
        unknown = [row for row in self.rows if _is_unknown(row, self.replica)]
        poison = [row for row in unknown if _could_be_taken(row, self.replica)]
        for row in poison:
            self.rows.remove(row)
            self._condemn(row.id, "it cannot be integrated", row.author, len(row.data))
        self.waiting = [row for row in unknown if row not in poison]

    def _compare(self) -> None:
        """Hold the log against the rows that compaction took out of it (D3)."""
        if not self.past:
            return
        present = {row.data for row in self.rows}
        lacking = [row for row in self.past if row.data not in present and _is_unknown(row, self.replica)]
        snapshots = [row for row in self.rows if row.kind is RowKind.SNAPSHOT]
        doubtful = any(row.id not in self.intact for row in snapshots)
        if doubtful and self._is_wrong(snapshots, lacking=bool(lacking)):
            for row in snapshots:
                self.rows.remove(row)
                self._condemn(row.id, "it does not say what the rows said that it replaced", row.author, len(row.data))
            self._replay()
        elif lacking:
            reason = f"{len(lacking)} rows that the history holds are missing in the document"
            self.damaged.append(Damage(LOG, None, reason, size=sum(len(row.data) for row in lacking)))

    def _is_wrong(self, snapshots: Sequence[LogRow], *, lacking: bool) -> bool:
        """Whether snapshots contradict the history, so that the history must be right: it has a checksum."""
        first, last = self.record.segments[0], self.record.segments[-1]
        recorded = last.last_at == max(row.created_at for row in snapshots)
        before = _load([*self.past, *(row for row in self.rows if row.kind is RowKind.UPDATE)])
        if lacking:
            # It held them when it was stored (C2). Rather that than the history, unless that has gaps of its own.
            return recorded and bool(first.keyframe) and not any(_is_unknown(row, before) for row in self.past)
        if self.replica.digest() == before.digest():
            return not _says_the_same(self.replica.full_state(), before.full_state())
        # More may be in the snapshot while history was switched off for a time, but not if it was made of a keyframe.
        return recorded and bool(last.keyframe)


def _examination(
    damaged: tuple[Damage, ...], waiting: Sequence[LogRow], replica: Replica, *, empty: bool
) -> Examination:
    held = [run for row in waiting for run in read(row.data).runs]
    lacking = {id for part in cut([row.data for row in waiting], replica.state) for id in part.missing}
    missing = sorted(_gap(id, held, replica.state) for id in lacking if not any(_holds(run, id) for run in held))
    rows = tuple(Waiting(row.id, row.author, len(row.data)) for row in waiting)
    return Examination(damaged, rows, tuple(missing), empty)


def _holds(run: Run, id: Id) -> bool:
    return run[0] == id[0] and run[1] <= id[1] < run[2]


def _gap(id: Id, held: Sequence[Run], known: StateVector) -> Run:
    """Return what is missing up to an id, from what is known or held on."""
    client, clock = id
    ends = [end for other, _, end in held if other == client and end <= clock]
    return client, max([known.get(client, 0), *ends]), clock + 1


def _kind_of(found: FoundRow) -> RowKind | None:
    return RowKind(found.kind) if isinstance(found.kind, int) and found.kind in tuple(RowKind) else None


def _misfit(found: FoundRow) -> str:
    """Return which columns beside the bytes of a row hold what they never should, empty if none does."""
    wrong = {
        "its author is not a text": not isinstance(found.author, str),
        "its time is not a time": not _is_time(found.created_at),
        "its bytes are stored as a text": "data" in found.foreign,
        "it is no snapshot, and has a survey": found.survey is not None and found.kind == RowKind.UPDATE,
    }
    return ", ".join(reason for reason, holds in wrong.items() if holds)


def _odd_segment(found: FoundSegment) -> str:
    """Return what beside the rows of a segment is not as it should be, empty if nothing is."""
    wrong = {
        "nothing tells whether it is a keyframe": found.keyframe not in (0, 1),
        "its time is not a time": not (_is_time(found.first_at) and _is_time(found.last_at)),
        "its bytes are stored as a text": bool(found.foreign),
    }
    return ", ".join(reason for reason, holds in wrong.items() if holds)


def _is_time(found: object) -> TypeGuard[float]:
    return isinstance(found, int | float) and _YEARS[0] <= found < _YEARS[1]


def _fault(row: LogRow) -> str | None:
    """Return why a row cannot be read by itself."""
    try:
        inspection = read(row.data)
        if row.kind is RowKind.SNAPSHOT and not Replica.load([row.data], []).knows(inspection):
            return "a snapshot that refers to what is not in it"
    except CollabError as error:
        return str(error)
    return None


def _load(rows: Iterable[LogRow]) -> Replica:
    """Return the document that the rows are, without those on which pycrdt fails (R22)."""
    snapshots: list[bytes] = []
    updates: list[bytes] = []
    for row in rows:
        (snapshots if row.kind is RowKind.SNAPSHOT else updates).append(row.data)
    return load_without_poison(Replica, snapshots, updates)[0]


def _is_unknown(row: LogRow, replica: Replica) -> bool:
    return not replica.knows(read(row.data))


def _could_be_taken(row: LogRow, replica: Replica) -> bool:
    """Whether something of a row could have been integrated, and was not."""
    ready, _ = split(row.data, replica.state)
    return ready != EMPTY_UPDATE and not replica.knows(read(ready))


def _says_the_same(one: bytes, other: bytes) -> bool:
    return one == other or _content(one) == _content(other)


def _content(state: bytes) -> bytes | None:
    """Return what people see of a document; None if the state cannot be read."""
    try:
        return render(state)
    except CollabError:
        return None
