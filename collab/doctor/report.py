"""What a doctor says: for people as lines, for machines as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Final

from collab.doctor.examination import Examination
from collab.store import migrate
from collab.store.census import DOCUMENT, HISTORY, Damage
from collab.store.reconciling import Reconciled
from collab.store.salvage import Salvaged

SHOWN: Final = 20
"""Lines about one thing; JSON has them all."""


@dataclass(frozen=True, slots=True)
class Case:
    """One document, and how it is."""

    document: str
    rows: int
    bytes: int
    examination: Examination


@dataclass(frozen=True, slots=True)
class Treatment:
    """What was done to one document."""

    document: str
    aside: tuple[Damage, ...]
    """What was taken out of it, and is kept."""
    recovered_bytes: int
    """Of what history still had, and is in the document again."""
    surveys: int
    """Of snapshots, made anew."""
    mended: int
    """Rows that stay, though something beside their bytes was damaged."""
    renewed: str
    """What was wrong with the document's own lineage or time, which are others now; empty if nothing was."""
    outcome: Examination


@dataclass(slots=True)
class Report:
    """What was found in a database. Owned by whoever makes the round."""

    database: str
    revision: str
    problems: list[str]
    """Of the database itself: its file, its tables, rows without a document."""
    documents: int = 0
    rows: int = 0
    bytes: int = 0
    damaged: list[Case] = field(default_factory=list)
    waiting: list[Case] = field(default_factory=list)
    """Documents of which rows wait for an edit that is lost."""

    @property
    def well(self) -> bool:
        return not self.repairable and not self.waiting

    @property
    def repairable(self) -> bool:
        """Whether something is wrong that a repair may mend."""
        return bool(self.problems or self.damaged)

    def add(self, case: Case) -> None:
        """Take note of one more document."""
        self.documents += 1
        self.rows += case.rows
        self.bytes += case.bytes
        if case.examination.damaged:
            self.damaged.append(case)
        if case.examination.waiting:
            self.waiting.append(case)


@dataclass(slots=True)
class Surgery:
    """What was done to a database."""

    salvaged: Salvaged | None = None
    renumbered: list[str] = field(default_factory=list)
    """Tables that had come to the end of their ids."""
    adopted: list[str] = field(default_factory=list)
    """Names that documents got whose own are lost."""
    renamed: list[str] = field(default_factory=list)
    """Names that documents got whose own nobody could ask for."""
    treatments: list[Treatment] = field(default_factory=list)
    untreated: dict[str, str] = field(default_factory=dict)
    """Documents that are as they were, each with the reason."""


def lines(report: Report) -> Iterator[str]:
    """Yield what a round found, for people."""
    if report.revision != migrate.HEAD:
        yield f"its tables have revision {report.revision}: the next start brings them to {migrate.HEAD}"
    yield from _some([f"the database: {problem}" for problem in report.problems])
    for case in report.damaged:
        yield f"{case.document}: damaged"
        yield from _some([f"  {describe(damage)}" for damage in case.examination.damaged])
    for case in report.waiting[:SHOWN]:
        yield from waits(case.document, case.examination)
    yield from _more(len(report.waiting))
    yield (
        f"{count(report.documents, 'document')}, {count(report.rows, 'row')}, {count(report.bytes, 'byte')}: "
        + _verdict(report)
    )


def _verdict(report: Report) -> str:
    if report.well:
        return "no damage"
    lacking = len(report.waiting)
    found = [
        f"{count(len(report.damaged), 'document')} damaged" if report.repairable else "",
        f"{count(lacking, 'document')} {'lacks' if lacking == 1 else 'lack'} an edit" if lacking else "",
        "and the database itself" if report.problems else "",
    ]
    return ", ".join(filter(None, found))


def surgery_lines(surgery: Surgery) -> Iterator[str]:
    """Yield what was done, for people."""
    if surgery.salvaged:
        lost = ", ".join(f"{count} in {table}" for table, count in surgery.salvaged.lost.items() if count)
        yield f"the file was made new from what can be read; the damaged one is kept as {surgery.salvaged.kept}"
        yield f"  ids behind which nothing could be read: {lost or 'none'}"
        yield from _reconciled_lines(surgery.salvaged.reconciled)
        for what in surgery.salvaged.left_out:
            yield f"not in the new file: {what}"
    for name in surgery.renumbered:
        yield f"the table {name} had come to the end of its ids, and has some again"
    for name in surgery.renamed:
        yield f"a document that nobody could open by its name is {name!r} now"
    for name in surgery.adopted:
        yield f"rows whose document was missing are in {name!r} now"
    for treatment in surgery.treatments:
        yield (
            f"{treatment.document}: repaired: {count(len(treatment.aside), 'row')} set aside, "
            f"{count(treatment.recovered_bytes, 'byte')} recovered from the history"
            + (f", {count(treatment.surveys, 'survey')} made anew" if treatment.surveys else "")
            + (f", {count(treatment.mended, 'row')} kept without a damaged author or time" if treatment.mended else "")
        )
        if treatment.renewed:
            yield f"  {treatment.renewed}: it has another one now"
        if treatment.outcome.empty:
            yield "  nothing of it could be read: it is empty until somebody connects who still has it"
        if treatment.outcome.waiting:
            yield from waits("  now", treatment.outcome)
    for name, reason in surgery.untreated.items():
        yield f"{name}: not repaired: {reason}"


def _reconciled_lines(reconciled: Reconciled) -> Iterator[str]:
    for name, missed in reconciled.missed.items():
        rows = " and ".join(f"{count(number, 'row')} of its {table}" for table, number in missed.items())
        yield f"{name}: {rows} could not be read"
    for name in reconciled.named:
        yield f"{name}: its name was damaged, and is what it was again"
    for name in reconciled.renewed:
        yield f"{name}: what the table of documents had of it is lost: it has another lineage, and its owner if known"
    for name, number in reconciled.moved.items():
        yield f"{name}: {count(number, 'row')} of it stood under another document as well, and is here only now"


def describe(damage: Damage) -> str:
    """Return one line about one damage."""
    what = {HISTORY: "history segment", DOCUMENT: "document"}.get(damage.place, "row")
    parts = [
        f"{what} {damage.id}" if damage.id is not None else damage.place,
        f"by {damage.author}" if damage.author else "",
        count(damage.size, "byte") if damage.size is not None else "",
    ]
    return f"{', '.join(filter(None, parts))}: {damage.reason}"


def waits(document: str, examination: Examination) -> Iterator[str]:
    """Yield which rows of a document wait, for what, and what helps."""
    ids = [str(row.id) for row in examination.waiting]
    rest = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    size = count(sum(row.size for row in examination.waiting), "byte")
    yield f"{document}: an edit is lost that other rows build on: {', '.join(ids[:SHOWN])}{rest} ({size})"
    for client, start, end in examination.missing[:SHOWN]:
        clocks = f"clock {start}" if end - start == 1 else f"clocks {start} to {end - 1}"
        yield f"  what is missing: client {client}, {clocks}"
    yield from _more(len(examination.missing))
    yield "  no repair can mend that: these rows stay, and show as soon as somebody connects who still has the edit"


def count(number: int, what: str) -> str:
    """Return "1 row" or "2 rows"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def as_json(report: Report, surgery: Surgery | None) -> str:
    """Return a round, and what was done, as one JSON object."""
    found: dict[str, object] = {
        "ok": report.well,
        "database": report.database,
        "revision": report.revision,
        "problems": report.problems,
        "documents": report.documents,
        "rows": report.rows,
        "bytes": report.bytes,
        "damaged": [_case(case) for case in report.damaged],
        "waiting": [_case(case) for case in report.waiting],
    }
    if surgery is not None:
        found["repaired"] = {
            "kept_file": str(surgery.salvaged.kept) if surgery.salvaged else None,
            "lost": surgery.salvaged.lost if surgery.salvaged else {},
            "reconciled": asdict(surgery.salvaged.reconciled) if surgery.salvaged else {},
            "left_out": surgery.salvaged.left_out if surgery.salvaged else (),
            "renumbered": surgery.renumbered,
            "renamed": surgery.renamed,
            "adopted": surgery.adopted,
            "documents": [asdict(treatment) for treatment in surgery.treatments],
            "untreated": surgery.untreated,
        }
    return json.dumps(found, indent=2)


def _case(case: Case) -> dict[str, object]:
    waiting = case.examination.waiting
    return {
        "document": case.document,
        "rows": case.rows,
        "bytes": case.bytes,
        "waiting_rows": len(waiting),
        "waiting_bytes": sum(row.size for row in waiting),
        **asdict(case.examination),
    }


def _some(all_lines: list[str]) -> Iterator[str]:
    yield from all_lines[:SHOWN]
    yield from _more(len(all_lines))


def _more(there_are: int) -> Iterator[str]:
    if there_are > SHOWN:
        yield f"  and {there_are - SHOWN} more: --json has them all"
