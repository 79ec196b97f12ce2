"""Taking damaged rows out of a document, and putting in what was recovered: the statements.

Each function is work with one connection in a transaction that has begun. Nothing is deleted that is not
kept: a row moves into the table `damaged` as it is, inside the database. Not for: what is damaged, and
what can be recovered (`collab.doctor`). The rules are D of docs/spec.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Table,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    null,
    select,
    update,
)

from collab.core.ports import DocumentId, Entry
from collab.errors import CollabError
from collab.store import statements
from collab.store.base import RowKind
from collab.store.census import DOCUMENT, HISTORY, LOG, Damage, misnamed, missing_documents
from collab.store.tables import damaged, documents, history, log

_TABLES = {LOG: log, HISTORY: history}


class ChangedError(CollabError):
    """A document has lost rows that it had when it was examined. Nothing of the repair was written."""


@dataclass(frozen=True, slots=True)
class Mend:
    """A row of the log whose bytes are good, and something beside them is not."""

    damage: Damage
    author: str
    """What to write in its place; nobody if that is what was damaged."""
    created_at: float | None
    """The same of its time; None for that of the repair."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What to write anew of the document itself: `lineage`, `created_at`, or both."""

    reason: str
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Repair:
    """What to change in one document, all or nothing."""

    document: int
    seen: Mapping[str, frozenset[int]]
    """By table: the ids of all rows that were examined. Others may have come since."""
    aside: tuple[Damage, ...]
    """Rows to take out; each has an id."""
    added: tuple[tuple[bytes, str], ...]
    """Updates to put in, each with its author."""
    surveys: tuple[tuple[int, bytes], ...]
    """What to keep beside snapshots, by the row's id."""
    keyframe: bytes | None
    """A segment that holds the repaired document, so that history goes on from it; None if nothing of it was lost."""
    mended: tuple[Mend, ...] = ()
    """Rows that stay, with another author or time."""
    renewal: Renewal | None = None


def carry_out(repair: Repair, now: float, connection: Connection) -> None:
    """Write a repair.

    Raises:
        ChangedError: a row that was examined is gone; the transaction must not be committed.
    """
    # On PostgreSQL, compactors wait (FOR NO KEY UPDATE), or are waited for; whoever appends needn't.
    connection.execute(select(documents.c.id).where(documents.c.id == repair.document).with_for_update(key_share=True))
    for place, seen in repair.seen.items():
        _insist_on(_TABLES[place], repair.document, seen, connection)
    for damage in repair.aside:
        _set_aside(_TABLES[damage.place], repair.document, damage, now, connection)
    for mend in repair.mended:
        _mend(repair.document, mend, now, connection)
    if repair.renewal is not None:
        _renew(repair.document, repair.renewal, now, connection)
    if repair.added:
        name = connection.scalar(select(documents.c.name).where(documents.c.id == repair.document))
        batch = [(DocumentId(str(name)), Entry(data, author)) for data, author in repair.added]
        statements.append(statements.append_sql(connection.dialect), batch, now, connection)
    for row, kept in repair.surveys:
        connection.execute(update(log).where(log.c.id == row, log.c.document_id == repair.document).values(survey=kept))
    if repair.keyframe is not None:
        segment = {"keyframe": True, "first_at": now, "last_at": now, "data": repair.keyframe}
        connection.execute(insert(history), {"document_id": repair.document, **segment})


def _insist_on(table: Table, document: int, seen: frozenset[int], connection: Connection) -> None:
    """Raise if something was compacted or pruned: then a keyframe would lack what came and went in between."""
    gone = seen.difference(connection.scalars(select(table.c.id).where(table.c.document_id == document)))
    if gone:
        raise ChangedError(f"row {min(gone)} of the {table.name} is gone, a server was at work: look again")


def _set_aside(table: Table, document: int, damage: Damage, now: float, connection: Connection) -> None:
    """Move a row into `damaged`. Its bytes stay in the database: what they are need not be understood here."""
    here = (table.c.id == damage.id) & (table.c.document_id == document)
    columns = {
        "document_id": table.c.document_id,
        "place": literal(table.name),
        "row_id": table.c.id,
        "kind": table.c.get("kind", null()),
        "author": table.c.get("author", null()),
        "created_at": table.c.created_at if "created_at" in table.c else table.c.last_at,
        "data": table.c.data,
    }
    _keep(columns, here, damage.reason, now, connection)
    if connection.execute(delete(table).where(here)).rowcount != 1:
        raise ChangedError(f"row {damage.id} of the {table.name} is gone, a server was at work: look again")


def _mend(document: int, mend: Mend, now: float, connection: Connection) -> None:
    """Write anew what stands beside the bytes of a row, and keep what stood there. The bytes stay where they are."""
    here = (log.c.id == mend.damage.id) & (log.c.document_id == document)
    columns = {
        "document_id": log.c.document_id,
        "place": literal(LOG),
        "row_id": log.c.id,
        "kind": log.c.kind,
        "author": log.c.author,
        "created_at": log.c.created_at,
    }
    _keep(columns, here, mend.damage.reason, now, connection)
    values: dict[str, Any] = {
        "author": mend.author,
        "created_at": now if mend.created_at is None else mend.created_at,
        # SQLite may have them as a text.
        "data": cast(log.c.data, LargeBinary),
        "survey": case((log.c.kind == RowKind.SNAPSHOT, log.c.survey)),
    }
    if connection.execute(update(log).where(here).values(values)).rowcount != 1:
        raise ChangedError(f"row {mend.damage.id} of the log is gone, a server was at work: look again")


def _renew(document: int, renewal: Renewal, now: float, connection: Connection) -> None:
    """Draw another lineage, or set another time, and keep what stood there."""
    here = documents.c.id == document
    columns = {
        "document_id": documents.c.id,
        "place": literal(DOCUMENT),
        "row_id": documents.c.id,
        "created_at": documents.c.created_at,
        "data": cast(documents.c.lineage, LargeBinary) if "lineage" in renewal.columns else null(),
    }
    _keep(columns, here, renewal.reason, now, connection)
    # Nobody can have a copy with a lineage that cannot be read (L2).
    values = {"lineage": secrets.token_hex(16), "created_at": now}
    connection.execute(update(documents).where(here).values({name: values[name] for name in renewal.columns}))


def _keep(
    columns: Mapping[str, ColumnElement[Any]],
    where: ColumnElement[bool],
    reason: str,
    now: float,
    connection: Connection,
) -> None:
    """Copy what is damaged into `damaged`, inside the database."""
    columns = {**columns, "reason": literal(reason), "moved_at": literal(now)}
    connection.execute(insert(damaged).from_select([*columns], select(*columns.values()).where(where)))


def adopt(now: float, connection: Connection) -> Sequence[str]:
    """Give rows whose document is missing a document again; return the names of these.

    Such a document has a name of ours and a lineage of its own, since nobody knows what they were.
    """
    names = []
    for owner in sorted(missing_documents(connection)):
        name = _free_name(owner, connection)
        row = {"id": owner, "name": name, "lineage": secrets.token_hex(16), "created_at": now}
        connection.execute(insert(documents), row)
        names.append(name)
    return names


def rename(now: float, connection: Connection) -> Sequence[str]:
    """Give documents another name whose own nobody can ask for, and keep that; return the new names."""
    names = []
    name = documents.c.name
    sqlite = connection.dialect.name == "sqlite"
    for found in misnamed(connection):
        here = documents.c.id == found.id
        columns = {
            "document_id": documents.c.id,
            "place": literal(DOCUMENT),
            "row_id": documents.c.id,
            # Where a text is always one, a cast would read it as PostgreSQL writes bytes.
            "data": cast(name, LargeBinary) if sqlite else func.convert_to(name, "UTF8"),
        }
        _keep(columns, here, found.reason, now, connection)
        names.append(_free_name(found.id, connection))
        connection.execute(update(documents).where(here).values(name=names[-1]))
    return names


def _free_name(document: int, connection: Connection) -> str:
    name = f"recovered document {document}"
    while connection.scalar(select(func.count()).where(documents.c.name == name)):
        name += "'"
    return name
