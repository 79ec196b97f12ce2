"""Reading a database of which nothing is believed: every document, row by row if it has to be.

For whoever looks for damage (`collab.doctor`). What can't be read is told and left out, where
`Store.load` would refuse the document. Each function is work with one connection, the same for SQLite
and for PostgreSQL. Not for writing (`store/repair.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Column, Connection, Integer, LargeBinary, Select, Table, cast, func, select
from sqlalchemy.exc import DatabaseError

from collab.store.tables import documents, history, log

T = TypeVar("T")

LOG: Final = "log"
HISTORY: Final = "history"
PAGE: Final = 500
"""Documents in one reading."""


class Readable(Protocol):
    """A database that is only read."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in one transaction that writes nothing."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A document, as the table of documents has it."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row of the log as it was found: a damaged one may hold anything in place of its kind, author or time."""

    id: int
    kind: object
    data: bytes
    author: object
    created_at: object


@dataclass(frozen=True, slots=True)
class FoundSegment:
    """A segment of the history as it was found."""

    id: int
    data: bytes
    keyframe: object
    last_at: object


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that cannot be read, or that does not say what it should."""

    place: str
    """`LOG` or `HISTORY`."""
    id: int | None
    """The row's id there; None if it is not one row."""
    reason: str
    author: str | None = None
    size: int | None = None
    """In bytes; None if even that cannot be read."""


@dataclass(frozen=True, slots=True)
class Record:
    """Everything of one document that can be read, and what cannot."""

    rows: tuple[FoundRow, ...]
    segments: tuple[FoundSegment, ...]
    unreadable: tuple[Damage, ...]


def list_documents(after: int, connection: Connection) -> list[Listed]:
    """Return the next documents by ascending id, at most PAGE of them; empty at the end."""
    query = select(documents.c.id, documents.c.name).where(documents.c.id > after).order_by(documents.c.id).limit(PAGE)
    return [Listed(*row) for row in connection.execute(query)]


def find_document(name: str, connection: Connection) -> Listed | None:
    """Return a document by its name, None if there is none."""
    row = connection.execute(select(documents.c.id, documents.c.name).where(documents.c.name == name)).one_or_none()
    return None if row is None else Listed(*row)


def count_documents(connection: Connection) -> int:
    """Return how many documents there are."""
    return connection.execute(select(func.count()).select_from(documents)).scalar_one()


def read_record(document: int, connection: Connection) -> Record:
    """Return what there is of a document."""
    unreadable: list[Damage] = []
    # The history first: what is compacted between the two readings is then in the rows, at least.
    data = cast(history.c.data, LargeBinary).label("data")
    columns: Sequence[Any] = (history.c.id, data, cast(history.c.keyframe, Integer), history.c.last_at)
    found_segments = _read(history, columns, document, unreadable, connection)
    # Cast, since a damaged row may hold a number there, of which a driver would make so many bytes.
    data = cast(log.c.data, LargeBinary).label("data")
    columns = (log.c.id, log.c.kind, data, log.c.author, log.c.created_at)
    found_rows = _read(log, columns, document, unreadable, connection)
    return Record(
        tuple(FoundRow(number, kind, blob or b"", *rest) for number, kind, blob, *rest in found_rows),
        tuple(FoundSegment(number, blob or b"", *rest) for number, blob, *rest in found_segments),
        tuple(unreadable),
    )


def _read(
    table: Table, columns: Sequence[Any], document: int, unreadable: list[Damage], connection: Connection
) -> list[Any]:
    """Return a document's rows by ascending id; put down as `unreadable` those that the database can't get at."""
    id: Column[Any] = table.c.id
    query: Select[Any] = select(*columns).order_by(id)
    try:
        return list(connection.execute(query.where(table.c.document_id == document)))
    except DatabaseError as error:
        _insist_on_damage(error)
    try:
        # The index has the ids, and stands on other pages than the rows.
        ids = list(connection.scalars(select(id).where(table.c.document_id == document).order_by(id)))
    except DatabaseError as error:
        _insist_on_damage(error)
        unreadable.append(Damage(table.name, None, f"rows that cannot be found: {error.orig}"))
        return []
    found: list[Any] = []
    for number in ids:
        try:
            found += connection.execute(query.where(id == number))
        except DatabaseError as error:
            _insist_on_damage(error)
            unreadable.append(Damage(table.name, number, str(error.orig)))
    return found


def _insist_on_damage(error: DatabaseError) -> None:
    """Raise anything but SQLite's word for a damaged file. A damaged PostgreSQL is its operator's to mend."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None or code & 0xFF != sqlite3.SQLITE_CORRUPT:
        raise error
