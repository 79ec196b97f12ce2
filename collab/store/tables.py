"""The tables of the database; `migrations/` makes them, and a test compares the two.

Not for queries. The types are those that SQLite and PostgreSQL both take: 64-bit ids, since a client
id has 53 bits; double-precision Unix times; bytes.

Ids are never used again, neither those of rows (S5) nor those of documents. The bytes stand last,
since SQLite would have to walk through them to reach a column behind them.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

# SQLite counts up only a column that is called INTEGER, and that has 64 bits, too.
_Id = BigInteger().with_variant(Integer(), "sqlite")
_Time = Float(53)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

documents = Table(
    "documents",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("lineage", Text, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("owner", Text, index=True),
    sqlite_autoincrement=True,
)

log = Table(
    "log",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("document_id", _Id, ForeignKey(documents.c.id), nullable=False, index=True),
    Column("kind", SmallInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("survey", LargeBinary),
    Column("data", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

clients = Table(
    "clients",
    metadata,
    Column("document_id", _Id, ForeignKey(documents.c.id), primary_key=True),
    Column("client_id", BigInteger, primary_key=True, autoincrement=False),
    Column("author", Text, nullable=False),
    sqlite_with_rowid=False,
)

history = Table(
    "history",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("document_id", _Id, ForeignKey(documents.c.id), nullable=False, index=True),
    Column("keyframe", Boolean, nullable=False),
    Column("first_at", _Time, nullable=False),
    Column("last_at", _Time, nullable=False),
    Column("data", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

damaged = Table(
    "damaged",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("document_id", _Id, ForeignKey(documents.c.id), nullable=False, index=True),
    # The table that it stood in, and its id there.
    Column("place", Text, nullable=False),
    Column("row_id", BigInteger, nullable=False),
    # As they were found, so nothing is certain of them.
    Column("kind", SmallInteger),
    Column("author", Text),
    Column("created_at", _Time),
    Column("reason", Text, nullable=False),
    Column("moved_at", _Time, nullable=False),
    Column("data", LargeBinary),
    sqlite_autoincrement=True,
)

grants = Table(
    "grants",
    metadata,
    Column("document_id", _Id, ForeignKey(documents.c.id), primary_key=True),
    Column("principal", Text, primary_key=True, index=True),
    Column("role", Text, nullable=False),
    Column("granted_at", _Time, nullable=False),
    Column("granted_by", Text, nullable=False),
    sqlite_with_rowid=False,
)

links = Table(
    "links",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("document_id", _Id, ForeignKey(documents.c.id), nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", _Time),
    Column("revoked_at", _Time),
    Column("key_hash", LargeBinary, nullable=False, unique=True),
    sqlite_autoincrement=True,
)

revocations = Table(
    "revocations",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("revoked_at", _Time, nullable=False),
    UniqueConstraint("kind", "value"),
    sqlite_autoincrement=True,
)
