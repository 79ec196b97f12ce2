"""Taking damaged rows out of a document, and putting in what was recovered: the statements.

Each function is work with one connection in a transaction that has begun. Nothing is deleted that is not
kept: a row moves into the table `damaged` as it is, inside the database. Not for: what is damaged, and
what can be recovered (`collab.doctor`). The rules are D of docs/spec.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Table, delete, func, insert, literal, null, select, update

from collab.core.ports import DocumentId, Entry
from collab.errors import CollabError
from collab.store import statements
from collab.store.census import HISTORY, LOG, Damage, misnamed, missing_documents
from collab.store.tables import damaged, documents, history, log

_TABLES = {LOG: log, HISTORY: history}


class ChangedError(CollabError):
    """A document has lost rows that it had when it was examined. Nothing of the repair was written."""


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
        "reason": literal(damage.reason),
        "moved_at": literal(now),
        "data": table.c.data,
    }
    connection.execute(insert(damaged).from_select([*columns], select(*columns.values()).where(here)))
    if connection.execute(delete(table).where(here)).rowcount != 1:
        raise ChangedError(f"row {damage.id} of the {table.name} is gone, a server was at work: look again")


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


def rename(connection: Connection) -> Sequence[str]:
    """Give documents a name whose own is no text, so that nobody could open them; return the names."""
    names = []
    for listed in misnamed(connection):
        names.append(_free_name(listed.id, connection))
        connection.execute(update(documents).where(documents.c.id == listed.id).values(name=names[-1]))
    return names


def _free_name(document: int, connection: Connection) -> str:
    name = f"recovered document {document}"
    while connection.scalar(select(func.count()).where(documents.c.name == name)):
        name += "'"
    return name
