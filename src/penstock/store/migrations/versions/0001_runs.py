"""Runs and their metrics."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "runs",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("flow", sa.Text, nullable=False),
        sa.Column("data", sa.Text),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("variant", sa.Text, nullable=False),
        sa.Column("column_mapping", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("properties", sa.Text, nullable=False),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("started", sa.Double),
        sa.Column("ended", sa.Double),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("lines", sa.BigInteger),
        sa.Column("completed", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.Column("unscored", sa.BigInteger, nullable=False),
        sa.Column("usage", sa.Text, nullable=False),
        sa.Column("system_metrics", sa.Text, nullable=False),
        sa.Column("failure", sa.Text),
        sa.Column("offline", sa.Boolean, nullable=False),
    )
    op.create_index("runs_by_age", "runs", ["created"])
    op.create_table(
        "metrics",
        sa.Column("run", sa.String(200), sa.ForeignKey("runs.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("lines", sa.BigInteger),
    )


def downgrade() -> None:
    """Drop the tables; the run folders still hold every run."""
    op.drop_table("metrics")
    op.drop_table("runs")
