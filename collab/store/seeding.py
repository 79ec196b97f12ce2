"""A document made with its first row, once: whoever comes second is refused by the unique key of its name.

Not for documents that begin with somebody typing: `append` creates those. The rules are N of
docs/spec.md.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, text

from collab.core.ports import DocumentId, Entry
from collab.store import statements

_CREATE = text(
    "INSERT INTO documents (name, lineage, created_at, owner) VALUES (:name, :lineage, :now, :owner)"
    " ON CONFLICT (name) DO NOTHING RETURNING id"
)


def create(append_sql: str, document: DocumentId, entry: Entry, now: float, connection: Connection) -> bool:
    """Create a document and write its first row; False, and nothing done, if it is there already (N1)."""
    row = {"name": document, "lineage": secrets.token_hex(16), "now": now, "owner": statements.owner_of(entry)}
    if connection.scalar(_CREATE, row) is None:
        return False
    statements.append(append_sql, [(document, entry)], now, connection)
    return True
