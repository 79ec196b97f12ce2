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

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Select,
    Table,
    cast,
    func,
    inspect,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError

from collab.errors import CollabError
from collab.names import document_id
from collab.store.tables import documents, history, log, metadata

T = TypeVar("T")

DOCUMENT: Final = "documents"
LOG: Final = "log"
SURVEY: Final = "survey"
"""What is kept beside a snapshot in the log."""
HISTORY: Final = "history"
PAGE: Final = 500
"""Documents in one reading."""
MAX_ORPHANS: Final = 20
BEFORE_ALL: Final = -(1 << 63)
"""In front of all ids, of which none is below 1 unless it is damaged."""

_BELONGING: Final = tuple(table for table in metadata.sorted_tables if "document_id" in table.c)
"""The tables whose rows belong to a document."""


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
class Misnamed:
    """A document that nobody can open by its name."""

    id: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """What is known of a document itself, as it was found."""

    id: int
    lineage: object
    """Bytes if it is no text."""
    created_at: object


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row of the log as it was found: a damaged one may hold anything in place of its kind, author or time."""

    id: int
    kind: object
    data: bytes
    author: object
    """Bytes if it is no text."""
    created_at: object
    survey: bytes | None = None
    foreign: frozenset[str] = frozenset()
    """Its columns of bytes that hold something else, as only SQLite lets them."""


@dataclass(frozen=True, slots=True)
class FoundSegment:
    """A segment of the history as it was found."""

    id: int
    data: bytes
    keyframe: object
    last_at: object
    first_at: object = 0.0
    foreign: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that cannot be read, or that does not say what it should."""

    place: str
    """`DOCUMENT`, `LOG`, `HISTORY` or `SURVEY`."""
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
    document: FoundDocument | None = None
    """None if it is gone, or cannot be read."""


def list_documents(after: int, connection: Connection) -> list[Listed]:
    """Return the next documents by ascending id, at most PAGE of them; empty at the end."""
    query = select(documents.c.id, documents.c.name).where(documents.c.id > after).order_by(documents.c.id).limit(PAGE)
    # A damaged table may give any: then the next documents would be the same ones for ever.
    return [Listed(id, name) for id, name in connection.execute(query) if id > after]


def find_document(name: str, connection: Connection) -> Listed | None:
    """Return a document by its name, None if there is none."""
    row = connection.execute(select(documents.c.id, documents.c.name).where(documents.c.name == name)).one_or_none()
    return None if row is None else Listed(*row)


def misnamed(connection: Connection) -> list[Misnamed]:
    """Return the documents under whose name nobody can ask for them; a damaged file of SQLite may have any."""
    query = select(documents.c.id, *_text_of(documents.c.name, connection)).order_by(documents.c.id)
    try:
        found = _fetch(connection, query)
    except DBAPIError as error:
        _insist_on_damage(error)  # SQLite says so in its own words
        return []
    named = ((id, _text(held, kind)) for id, held, kind in found)
    return [Misnamed(id, _shown(name), reason) for id, name in named if (reason := _why_not(name))]


def _why_not(name: object) -> str:
    """Return why nobody can ask for a document of this name, empty if one can."""
    if not isinstance(name, str):
        return "its name is no text"
    try:
        document_id(name)
    except CollabError as error:
        return str(error)
    return ""


def _shown(name: object) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def is_text(raw: object) -> bool:
    """Whether bytes are a text that may be a document's name."""
    try:
        return isinstance(raw, bytes) and bool(raw.decode())
    except UnicodeDecodeError:
        return False


def count_documents(connection: Connection) -> int:
    """Return how many documents there are."""
    try:
        ((count,),) = _fetch(connection, select(func.count()).select_from(documents))
    except DBAPIError as error:
        # They are counted by whichever index is the smallest, and that may be damaged.
        _insist_on_damage(error)
        count, last = 0, BEFORE_ALL
        while page := list_documents(last, connection):
            count, last = count + len(page), max(listed.id for listed in page)
    return int(count)


def orphans(connection: Connection) -> list[str]:
    """Return which rows belong to a document that is missing, at most MAX_ORPHANS of a table."""
    found = []
    # An older release had fewer.
    present = inspect(connection).get_table_names()
    for table in (table for table in _BELONGING if table.name in present):
        id = table.primary_key.columns.values()[-1]
        try:
            rows = _fetch(connection, select(id).where(_is_orphan(table)).order_by(id).limit(MAX_ORPHANS))
        except DBAPIError as error:
            found.append(f"the table {table.name} cannot be read whole: {_insist_on_damage(error)}")
        else:
            found += [f"row {number} of {table.name} belongs to a document that is missing" for (number,) in rows]
    return found


def missing_documents(connection: Connection) -> set[int]:
    """Return the ids of documents that are missing and have rows, as far as these can be read, and be ids."""
    ids = set[object]()
    for table in _BELONGING:
        try:
            ids.update(*_fetch(connection, select(table.c.document_id).where(_is_orphan(table)).distinct()))
        except DBAPIError as error:
            _insist_on_damage(error)
    return {id for id in ids if isinstance(id, int)}


def read_record(document: int, connection: Connection) -> Record:
    """Return what there is of a document."""
    unreadable: list[Damage] = []
    # The history first: what is compacted between the two readings is then in the rows, at least.
    times = (history.c.last_at, history.c.first_at)
    columns: Sequence[Any] = (
        *(history.c.id, *_bytes_of(history.c.data, connection), type_coerce(history.c.keyframe, Integer), *times),
    )
    found_segments = _read(history, columns, document, unreadable, connection)
    columns = (
        *(log.c.id, log.c.kind, *_bytes_of(log.c.data, connection), *_text_of(log.c.author, connection)),
        *(log.c.created_at, *_bytes_of(log.c.survey, connection)),
    )
    found_rows = _read(log, columns, document, unreadable, connection)
    return Record(
        tuple(_row(*each) for each in found_rows),
        tuple(_segment(*each) for each in found_segments),
        tuple(unreadable),
        _document(document, connection),
    )


def _document(id: int, connection: Connection) -> FoundDocument | None:
    query = select(*_text_of(documents.c.lineage, connection), documents.c.created_at).where(documents.c.id == id)
    try:
        found = _fetch(connection, query)
    except DBAPIError as error:
        _insist_on_damage(error)  # SQLite says so in its own words
        return None
    return next((FoundDocument(id, _text(raw, kind), created_at) for raw, kind, created_at in found), None)


def _row(
    id: int,
    kind: object,
    data: bytes | None,
    data_type: str,
    author: object,
    author_type: str,
    created_at: object,
    survey: bytes | None,
    survey_type: str,
) -> FoundRow:
    foreign = _foreign(data=data_type, survey=survey_type)
    return FoundRow(id, kind, data or b"", _text(author, author_type), created_at, survey, foreign)


def _segment(
    id: int, data: bytes | None, data_type: str, keyframe: object, last_at: object, first_at: object
) -> FoundSegment:
    return FoundSegment(id, data or b"", keyframe, last_at, first_at, _foreign(data=data_type))


def _bytes_of(column: Column[Any], connection: Connection) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return what a column holds as bytes, and what it held: of a number a driver would make so many bytes."""
    sqlite = connection.dialect.name == "sqlite"
    return cast(column, LargeBinary).label(column.name), func.typeof(column) if sqlite else literal("blob")


def _text_of(column: Column[Any], connection: Connection) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return what a column holds, in SQLite as bytes, since what it calls a text may be none, and what it held."""
    if connection.dialect.name != "sqlite":
        return column, literal("text")
    return cast(column, LargeBinary), func.typeof(column)


def _foreign(**types: str) -> frozenset[str]:
    return frozenset(name for name, held in types.items() if held not in ("blob", "null"))


def _text(held: object, kind: str) -> object:
    """Return the text that a column holds, or its bytes if that is none."""
    try:
        return held.decode() if isinstance(held, bytes) and kind == "text" else held
    except UnicodeDecodeError:
        return held


def _read(
    table: Table, columns: Sequence[Any], document: int, unreadable: list[Damage], connection: Connection
) -> list[Any]:
    """Return a document's rows by ascending id; put down as `unreadable` those that the database can't get at."""
    id: Column[Any] = table.c.id
    query: Select[Any] = select(*columns).order_by(id)
    try:
        return _fetch(connection, query.where(table.c.document_id == document))
    except DBAPIError as error:
        _insist_on_damage(error)
    try:
        # The index has the ids, and stands on other pages than the rows.
        ids = _fetch(connection, select(id).where(table.c.document_id == document).order_by(id))
    except DBAPIError as error:
        unreadable.append(Damage(table.name, None, f"rows that cannot be found: {_insist_on_damage(error)}"))
        return []
    found: list[Any] = []
    for (number,) in ids:
        try:
            found += _fetch(connection, query.where(id == number))
        except DBAPIError as error:
            unreadable.append(Damage(table.name, number, _insist_on_damage(error)))
    return found


def _is_orphan(table: Table) -> ColumnElement[bool]:
    return ~select(documents.c.id).where(documents.c.id == table.c.document_id).exists()


def _fetch(connection: Connection, query: Select[Any]) -> list[Any]:
    # A savepoint, since PostgreSQL ends a transaction at its first error.
    with connection.begin_nested():
        return list(connection.execute(query))


def _insist_on_damage(error: DBAPIError) -> str:
    """Return what the database says of its own damage; raise anything else."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None and code & 0xFF == sqlite3.SQLITE_CORRUPT:
        return str(error.orig)
    # Class XX: "internal error, data corrupted, index corrupted". Its DETAIL might quote a row.
    if str(getattr(error.orig, "sqlstate", "")).startswith("XX") and error.orig is not None:
        return str(getattr(error.orig.__cause__, "args", ["damaged"])[0])
    raise error
