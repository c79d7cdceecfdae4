"""Opening the run index: the engine, its schema made or brought up to date, once, whoever comes first."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import MissingDependency, StoreError
from penstock.store.lock import FolderLock
from penstock.store.tables import HEAD, tables

if TYPE_CHECKING:
    import sqlite3

    import sqlalchemy as sa

_BUSY_MS = 15_000
# Any number will do as long as every Penstock takes the same: PostgreSQL's lock for "I am changing the schema".
_ADVISORY = 0x70656E73


def connect(url: str | None, home: Path) -> sa.Engine:
    """An engine on ``url``, or on SQLite in ``home``; nothing is asked of the database yet.

    Raises:
        StoreError: A URL that SQLAlchemy cannot read, or a database that Penstock does not know.
        MissingDependency: PostgreSQL without its driver.
    """
    import sqlalchemy as sa

    try:
        parsed = sa.make_url(url) if url else sa.URL.create("sqlite", database=str(home / "penstock.sqlite"))
    except sa.exc.ArgumentError as error:
        raise StoreError("PENSTOCK_STORE is no database URL; write it as postgresql://user@host/database.") from error
    if parsed.get_backend_name() == "sqlite":
        _make_private(parsed.database)
        engine = sa.create_engine(parsed)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.get_backend_name() != "postgresql":
        raise StoreError(f"The store can be SQLite or PostgreSQL, not {parsed.get_backend_name()!r}.")
    try:
        return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ImportError as error:
        raise MissingDependency("A PostgreSQL store", "postgres") from error


def _make_private(database: str | None) -> None:
    """A new index is nobody else's to read; SQLite's own side files take over its mode."""
    if database and database != ":memory:" and not database.startswith("file:"):
        with contextlib.suppress(OSError):  # told when the database is opened
            Path(database).touch(mode=0o600)


def writing(engine: sa.Engine) -> sa.Engine:
    """``engine`` for transactions that write: on SQLite they take the write lock at once, so that waiting works."""
    return engine.execution_options(penstock_writes=True)


def ensure(engine: sa.Engine, home: Path) -> bool:
    """Make the schema or bring it up to date; whether it was made just now.

    Raises:
        StoreError: The index was made by a newer Penstock.
    """
    if schema_version(engine) == HEAD:
        return False
    with _alone(engine, home):
        version = schema_version(engine)
        if version is None:
            _create(engine)
            return True
        if version != HEAD:
            _upgrade(engine, version)
    return False


def upgrade(connection: sa.Connection) -> None:
    """Run Alembic's revisions up to the newest over ``connection``."""
    from alembic import command

    command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: sa.Connection | None = None) -> Any:
    """Alembic's configuration for the packaged revisions (``alembic.config.Config``)."""
    from alembic.config import Config

    config = Config()
    # Alembic reads the value through configparser, to which a percent sign in a path would be an interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not guessed by the driver
    # One damaged text must not make a whole listing unreadable.
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("penstock_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def schema_version(engine: sa.Engine) -> str | None:
    """The revision the index is at, None for an empty one."""
    import sqlalchemy as sa

    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return str(version) if version else None


def _create(engine: sa.Engine) -> None:
    import sqlalchemy as sa

    if engine.dialect.name == "sqlite":
        # Cannot change inside a transaction; stays with the file.
        raw = engine.raw_connection()
        raw.cursor().execute("PRAGMA journal_mode = WAL")
        raw.close()
    with writing(engine).begin() as connection:
        # Alembic takes 0.3 s to import; a test proves that the revisions make exactly these tables.
        tables().metadata.create_all(connection)
        connection.execute(
            sa.text(
                "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL, "
                "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            )
        )
        connection.execute(sa.text("DELETE FROM alembic_version"))
        connection.execute(sa.text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": HEAD})


def _upgrade(engine: sa.Engine, version: str) -> None:
    from alembic.util import CommandError

    try:
        with writing(engine).begin() as connection:
            upgrade(connection)
    except CommandError as error:
        raise StoreError(
            f"The run index has schema {version!r}, which this Penstock does not know: it was made by a newer one. "
            "Upgrade Penstock, or point PENSTOCK_HOME elsewhere."
        ) from error


@contextmanager
def _alone(engine: sa.Engine, home: Path) -> Generator[None]:
    import sqlalchemy as sa

    if engine.dialect.name == "sqlite":
        lock = FolderLock(home)
        lock.acquire(wait=_BUSY_MS / 1000)
        try:
            yield
        finally:
            lock.release()
        return
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY})
        try:
            yield
        finally:
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY})
