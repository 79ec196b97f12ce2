"""Who created a document, to whom it was granted, its share links, and what was revoked."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# As in collab/store/tables.py at that time: a step that has been released is never changed.
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Time = sa.Float(53)


def upgrade() -> None:
    op.add_column("documents", sa.Column("owner", sa.Text, nullable=True))
    op.create_index("ix_documents_owner", "documents", ["owner"])
    op.create_table(
        "grants",
        sa.Column("document_id", _Id, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("granted_at", _Time, nullable=False),
        sa.Column("granted_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("document_id", "principal", name="pk_grants"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_grants_document_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_grants_principal", "grants", ["principal"])
    op.create_table(
        "links",
        sa.Column("id", _Id, nullable=False),
        sa.Column("document_id", _Id, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created_at", _Time, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("expires_at", _Time, nullable=True),
        sa.Column("revoked_at", _Time, nullable=True),
        sa.Column("key_hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_links"),
        sa.UniqueConstraint("key_hash", name="uq_links_key_hash"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_links_document_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_links_document_id", "links", ["document_id"])
    op.create_table(
        "revocations",
        sa.Column("id", _Id, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("revoked_at", _Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revocations"),
        sa.UniqueConstraint("kind", "value", name="uq_revocations_kind"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    raise NotImplementedError("an older release does not read a newer database: restore a backup")
