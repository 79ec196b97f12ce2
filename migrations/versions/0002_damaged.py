"""What repairing a document took out of its log or its history, kept as it was."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# As in collab/store/tables.py at that time: a step that has been released is never changed.
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Time = sa.Float(53)


def upgrade() -> None:
    op.create_table(
        "damaged",
        sa.Column("id", _Id, nullable=False),
        sa.Column("document_id", _Id, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("row_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=True),
        sa.Column("author", sa.Text, nullable=True),
        sa.Column("created_at", _Time, nullable=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("moved_at", _Time, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_damaged"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_damaged_document_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_damaged_document_id", "damaged", ["document_id"])


def downgrade() -> None:
    raise NotImplementedError("an older release does not read a newer database: restore a backup")
