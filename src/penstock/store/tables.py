"""The tables of the run index. SQLAlchemy is imported on first use: reading a journal needs none of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

# The newest revision in migrations/versions.
HEAD = "0002"


@dataclass(frozen=True, slots=True)
class Tables:
    """The index: one row a run, one row a metric of a run. Columns with JSON hold it as text, NaN tokens included.

    The others are the registry's, for every kind of thing that has versions and labels: ``entries`` a row a name,
    ``versions`` a row a version (never changed), ``labels`` where each label points now, ``moves`` every change of a label
    in order (only added to), ``protections`` which labels are not moved by accident.
    """

    metadata: sa.MetaData
    runs: sa.Table
    metrics: sa.Table
    entries: sa.Table
    versions: sa.Table
    labels: sa.Table
    moves: sa.Table
    protections: sa.Table


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
    return Tables(metadata, runs, metrics, *_registry(metadata))


def _registry(metadata: sa.MetaData) -> tuple[sa.Table, ...]:
    import sqlalchemy as sa

    def thing() -> list[sa.Column[str]]:
        return [sa.Column("kind", sa.String(20), primary_key=True), sa.Column("name", sa.String(200), primary_key=True)]

    def of_thing() -> sa.ForeignKeyConstraint:
        return sa.ForeignKeyConstraint(["kind", "name"], ["entries.kind", "entries.name"])

    entries = sa.Table(
        "entries",
        metadata,
        *thing(),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("deleted", sa.Double),
    )
    versions = sa.Table(
        "versions",
        metadata,
        *thing(),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "name", "hash", name="versions_by_content"),
        of_thing(),
    )
    labels = sa.Table(
        "labels",
        metadata,
        *thing(),
        sa.Column("label", sa.String(100), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["kind", "name", "version"], ["versions.kind", "versions.name", "versions.version"]),
    )
    moves = sa.Table(
        "moves",
        metadata,
        # Not more than 64 bits on PostgreSQL; SQLite numbers rows by itself only where the type is INTEGER.
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
        of_thing(),
    )
    sa.Index("moves_by_name", moves.c.kind, moves.c.name, moves.c.id)
    protections = sa.Table(
        "protections",
        metadata,
        sa.Column("kind", sa.String(20), primary_key=True),
        # The empty name stands for all names.
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("label", sa.String(100), primary_key=True),
        sa.Column("movers", sa.Text, nullable=False),
    )
    return entries, versions, labels, moves, protections
