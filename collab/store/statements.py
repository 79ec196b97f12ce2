"""The statements, the same for SQLite and for PostgreSQL; each function is work with one connection.

Not for transactions: whoever calls has begun one, unless the function only reads.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from sqlalchemy import Connection, Dialect, Table, case, delete, func, insert, or_, select, text

from collab.core.ports import NAMELESS, DocumentId, Entry
from collab.store import history
from collab.store.base import Compaction, Description, LogRow, RowKind, Segment
from collab.store.tables import clients, documents, log
from collab.store.tables import history as segments

# SQLite takes 32,766 parameters in a statement, PostgreSQL one more.
_IDS_AT_ONCE = 500

_CREATE = text(
    "INSERT INTO documents (name, lineage, created_at, owner) VALUES (:name, :lineage, :now, :owner)"
    " ON CONFLICT (name) DO NOTHING"
)
_CLAIM = text(
    "INSERT INTO clients (document_id, client_id, author)"
    " VALUES ((SELECT id FROM documents WHERE name = :name), :client, :author) ON CONFLICT DO NOTHING"
)
_APPEND = text(
    "INSERT INTO log (document_id, kind, author, created_at, data)"
    " VALUES ((SELECT id FROM documents WHERE name = :name), 0, :author, :now, :data)"
)
# Changes nothing, and is written all the same.
_PROBE = text("UPDATE alembic_version SET version_num = version_num")


def append_sql(dialect: Dialect) -> str:
    """Return what `append` gives to the driver: the hot path, and Core takes a quarter more CPU for twenty rows."""
    return str(_APPEND.compile(dialect=dialect))


def owner_of(entry: Entry) -> str | None:
    """Return whose a document is that begins with this; None of those of whom nobody knows who they are (K1)."""
    return None if not entry.author or entry.author.startswith(NAMELESS) else entry.author


def create(batch: Sequence[tuple[DocumentId, Entry]], now: float, connection: Connection) -> None:
    """Create those documents that there are not; whoever wrote first owns them (K1)."""
    first = dict(reversed(batch))
    # In one order everywhere, or two workers could wait for each other.
    rows = [
        {"name": name, "lineage": secrets.token_hex(16), "now": now, "owner": owner_of(first[name])}
        for name in sorted(first)
    ]
    connection.execute(_CREATE, rows)


def rows_of(batch: Sequence[tuple[DocumentId, Entry]], now: float) -> list[tuple[object, ...]]:
    """Return the parameters of `append_sql`."""
    return [(document, entry.author, now, entry.data) for document, entry in batch]


def append(sql: str, batch: Sequence[tuple[DocumentId, Entry]], now: float, connection: Connection) -> None:
    """Write the entries of documents that there are, and whose client ids are new in them."""
    connection.exec_driver_sql(sql, rows_of(batch, now))
    # In one order everywhere, or two workers could wait for each other.
    claims = [
        {"name": document, "client": client, "author": entry.author}
        for document, entry in batch
        for client in entry.clients
    ]
    if claims:
        connection.execute(_CLAIM, sorted(claims, key=itemgetter("name", "client")))


def load(most_updates: int | None, document: DocumentId, connection: Connection) -> list[LogRow]:
    """Return the rows of a document by ascending id, of its updates only so many."""
    query = (
        select(log.c.id, log.c.kind, log.c.data, log.c.author, log.c.created_at, log.c.survey)
        .join_from(log, documents)
        .where(documents.c.name == document)
        .order_by(log.c.id)
    )
    if most_updates is not None:
        updates = (
            select(log.c.id)
            .join_from(log, documents)
            .where(documents.c.name == document, log.c.kind == RowKind.UPDATE)
            .order_by(log.c.id)
            .limit(most_updates)
        )
        query = query.where(or_(log.c.kind != RowKind.UPDATE, log.c.id.in_(updates)))
    return [LogRow(number, RowKind(kind), *rest) for number, kind, *rest in connection.execute(query)]


def describe(document: DocumentId, connection: Connection) -> Description | None:
    """Return what is known of a document without its bytes, None if there is none."""
    # The length of bytes stands in the row's header: none of them is read.
    length = func.length(log.c.data)
    update = log.c.kind == RowKind.UPDATE
    query = (
        select(
            documents.c.lineage,
            documents.c.created_at,
            func.coalesce(func.max(log.c.created_at), documents.c.created_at).label("changed_at"),
            func.count(log.c.id).label("rows"),
            func.count(case((update, 1))).label("update_rows"),
            func.coalesce(func.sum(case((update, length))), 0).label("update_bytes"),
            func.coalesce(func.sum(case((~update, length))), 0).label("snapshot_bytes"),
        )
        .join_from(documents, log, isouter=True)
        .where(documents.c.name == document)
        .group_by(documents.c.id)
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else Description(document=document, **row)


def clients_of(document: DocumentId, connection: Connection) -> Mapping[int, str]:
    """Return who used each client id of a document first."""
    query = (
        select(clients.c.client_id, clients.c.author).join_from(clients, documents).where(documents.c.name == document)
    )
    return {row.client_id: row.author for row in connection.execute(query)}


def segments_of(document: DocumentId, connection: Connection) -> list[Segment]:
    """Return a document's segments, oldest first."""
    query = (
        select(segments.c.id, segments.c.data, segments.c.keyframe, segments.c.first_at, segments.c.last_at)
        .join_from(segments, documents)
        .where(documents.c.name == document)
        .order_by(segments.c.id)
    )
    return [Segment(*row) for row in connection.execute(query)]


def compact(compaction: Compaction, connection: Connection) -> bool:
    """Replace the rows; False if one of them is missing, and then the transaction must not be committed."""
    # Compactors of one document take turns on PostgreSQL (FOR NO KEY UPDATE); whoever appends to it needn't wait.
    of_document = select(documents.c.id).where(documents.c.name == compaction.document).with_for_update(key_share=True)
    document = connection.scalar(of_document)
    replaced = set(compaction.replaced)
    # Deleted first, and counted: on PostgreSQL another compactor may be at the same rows.
    if document is None or delete_rows(log, document, sorted(replaced), connection) < len(replaced):
        return False
    snapshot = {
        "document_id": document,
        "kind": RowKind.SNAPSHOT,
        "author": "",
        "created_at": compaction.created_at,
        "survey": compaction.survey,
        "data": compaction.snapshot,
    }
    connection.execute(insert(log), snapshot)
    if compaction.segment is not None:
        segment = {
            "document_id": document,
            "keyframe": compaction.keyframe,
            "first_at": compaction.first_at,
            "last_at": compaction.created_at,
            "data": compaction.segment,
        }
        connection.execute(insert(segments), segment)
    return True


def disposable(before: float, connection: Connection) -> list[tuple[int, list[int]]]:
    """Return the segments that `prune` may delete: each document's id with theirs."""
    query = select(
        segments.c.document_id, segments.c.id, segments.c.keyframe, segments.c.first_at, segments.c.last_at
    ).order_by(segments.c.document_id, segments.c.id)
    found = []
    for document, rows in groupby(connection.execute(query), itemgetter(0)):
        spans = [Segment(number, b"", *span) for _, number, *span in rows]
        if ids := [segment.id for segment in history.disposable(spans, before)]:
            found.append((document, ids))
    return found


def delete_rows(table: Table, document: int, ids: Sequence[int], connection: Connection) -> int:
    """Delete exactly these rows, never "up to" one (hazard S4); return how many there were."""
    of_document = delete(table).where(table.c.document_id == document)
    return sum(
        connection.execute(of_document.where(table.c.id.in_(ids[at : at + _IDS_AT_ONCE]))).rowcount
        for at in range(0, len(ids), _IDS_AT_ONCE)
    )


def probe(connection: Connection) -> None:
    """Write something that changes nothing."""
    connection.execute(_PROBE)
