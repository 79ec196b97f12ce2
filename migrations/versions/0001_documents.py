"""Documents, their log, whose their client ids are, and their history."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# As in collab/store/tables.py at that time: a step that has been released is never changed.
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Time = sa.Float(53)


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("id", _Id, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("lineage", sa.Text, nullable=False),
        sa.Column("created_at", _Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("name", name="uq_documents_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "log",
        sa.Column("id", _Id, nullable=False),
        sa.Column("document_id", _Id, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("created_at", _Time, nullable=False),
        sa.Column("survey", sa.LargeBinary),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_log_document_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_log_document_id", "log", ["document_id"])
    op.create_table(
        "clients",
        sa.Column("document_id", _Id, nullable=False),
        sa.Column("client_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("document_id", "client_id", name="pk_clients"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_clients_document_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "history",
        sa.Column("id", _Id, nullable=False),
        sa.Column("document_id", _Id, nullable=False),
        sa.Column("keyframe", sa.Boolean, nullable=False),
        sa.Column("first_at", _Time, nullable=False),
        sa.Column("last_at", _Time, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_history"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_history_document_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_history_document_id", "history", ["document_id"])


def downgrade() -> None:
    raise NotImplementedError("an older release does not read a newer database: restore a backup")
