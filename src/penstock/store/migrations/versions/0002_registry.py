"""Names with immutable versions and labels that move: prompts first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "entries",
        *_thing(),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("deleted", sa.Double),
    )
    op.create_table(
        "versions",
        *_thing(),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "name", "hash", name="versions_by_content"),
        sa.ForeignKeyConstraint(["kind", "name"], ["entries.kind", "entries.name"]),
    )
    op.create_table(
        "labels",
        *_thing(),
        sa.Column("label", sa.String(100), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["kind", "name", "version"], ["versions.kind", "versions.name", "versions.version"]),
    )
    op.create_table(
        "moves",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("before", sa.Integer),
        sa.Column("after", sa.Integer),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("forced", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(["kind", "name"], ["entries.kind", "entries.name"]),
    )
    op.create_index("moves_by_name", "moves", ["kind", "name", "id"])
    op.create_table(
        "protections",
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("label", sa.String(100), primary_key=True),
        sa.Column("movers", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables; what they held is lost, so export it before."""
    for table in ("protections", "moves", "labels", "versions", "entries"):
        op.drop_table(table)


def _thing() -> list[sa.Column[str]]:
    return [sa.Column("kind", sa.String(20), primary_key=True), sa.Column("name", sa.String(200), primary_key=True)]
