"""The tables of the run index. SQLAlchemy is imported on first use: reading a journal needs none of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

# The newest revision in migrations/versions.
HEAD = "0001"


@dataclass(frozen=True, slots=True)
class Tables:
    """The index: one row a run, one row a metric of a run. Columns with JSON hold it as text, NaN tokens included."""

    metadata: sa.MetaData
    runs: sa.Table
    metrics: sa.Table


@lru_cache(maxsize=1)
def tables() -> Tables:
    """The tables as they are at ``HEAD``."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    runs = sa.Table(
        "runs",
        metadata,
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
    sa.Index("runs_by_age", runs.c.created)
    metrics = sa.Table(
        "metrics",
        metadata,
        sa.Column("run", sa.String(200), sa.ForeignKey("runs.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("lines", sa.BigInteger),
    )
    return Tables(metadata, runs, metrics)
