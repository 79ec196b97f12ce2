"""Ids of SQLite's tables that are near their end: behind the last one no row can be added, as if the disk were full.

No life is long enough to get there, but one damaged byte is. PostgreSQL counts apart from its rows. Each function is
work with one connection. Not for: rows whose bytes are damaged (`repair`).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, Table, func, select, text, update

from collab.store.tables import documents, metadata

FAR: Final = 1 << 62
"""From here on an id is damage: half of those that there are, a million a second for 146,000 years."""

_COUNTED: Final = tuple(t for t in metadata.sorted_tables if t.dialect_options["sqlite"]["autoincrement"])


def exhausted(connection: Connection) -> list[str]:
    """Return which tables are out of ids, or will be."""
    if connection.dialect.name != "sqlite":
        return []
    return [
        f"the table {table.name} has come to id {last}: before long, no row can be added to it"
        for table in _COUNTED
        if (last := max(_noted(table, connection), _highest(table, connection))) >= FAR
    ]


def renumber(connection: Connection) -> list[str]:
    """Give rows with ids near the end those that come next, in their order; return in which tables that was done."""
    if connection.dialect.name != "sqlite":
        return []
    # Of a document with another id, its rows have that a moment later.
    connection.execute(text("PRAGMA defer_foreign_keys=ON"))
    return [table.name for table in _COUNTED if _renumber(table, connection)]


def _renumber(table: Table, connection: Connection) -> bool:
    far = connection.scalars(select(table.c.id).where(table.c.id >= FAR).order_by(table.c.id)).all()
    noted = _noted(table, connection)
    if not far and noted < FAR:
        return False
    last = _highest(table, connection, below=FAR)
    if noted < FAR:
        last = max(last, noted)
    for id in far:
        last += 1
        connection.execute(update(table).where(table.c.id == id).values(id=last))
        for other in metadata.sorted_tables if table is documents else ():
            if "document_id" in other.c:
                connection.execute(update(other).where(other.c.document_id == id).values(document_id=last))
    connection.execute(
        text("UPDATE sqlite_sequence SET seq = :last WHERE name = :name"), {"name": table.name, "last": last}
    )
    return True


def _noted(table: Table, connection: Connection) -> int:
    """Return the last id that SQLite knows to have given."""
    # In its own table SQLite takes a text, or a fraction, for the number that it looks like.
    query = text("SELECT max(CAST(seq AS INTEGER)) FROM sqlite_sequence WHERE name = :name")
    return connection.scalar(query, {"name": table.name}) or 0


def _highest(table: Table, connection: Connection, below: int = 1 << 63) -> int:
    # SQLite has no number beyond the last id.
    query = select(func.max(table.c.id)).where(table.c.id <= below - 1)
    return connection.scalar(query) or 0
