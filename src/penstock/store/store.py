"""The store: every run's record in an SQL index, every run's lines in a folder of its own."""

from __future__ import annotations

import dataclasses
import difflib
import shutil
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from penstock.errors import RunExists, RunNotFound, StoreError
from penstock.records import Run, Status
from penstock.settings import Settings
from penstock.store.journal import FILE, Journal
from penstock.store.lock import FolderLock, owner_of
from penstock.store.names import check_name, folder_in
from penstock.store.rows import metric_rows, run_from, run_row
from penstock.store.runfolder import RECORD, read_record, with_truth, write_record
from penstock.store.schema import connect, ensure, schema_version, writing
from penstock.store.tables import tables

if TYPE_CHECKING:
    import sqlalchemy as sa

Archived = Literal["exclude", "include", "only"]

# What a person may change while the run is running: the run's own saves leave these as they are stored.
_PERSONAL = ("display_name", "description", "tags", "archived")
# How many names are compared to find the nearest ones.
_NAMES = 5000


def open_store(settings: Settings) -> Store:
    """The store that ``settings`` point at, made on first use.

    A SQLite index that is lost is made again from the run folders; one that is damaged is first moved aside.

    Raises:
        StoreError: The home folder or the database cannot be read or written.
        MissingDependency: PostgreSQL without its driver.
    """
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        (home / "runs").mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"{home} cannot be used as home folder: {error.strerror}; set PENSTOCK_HOME.") from error
    store = Store(connect(settings.store, home), home)
    try:
        return store._prepare()
    except BaseException:
        store.close()
        raise


class Store:
    """Runs by name. Made by ``open_store``; safe to use from several processes at once.

    Attributes:
        home: The home folder.
        notes: What was found and mended when the store was opened, as sentences.
    """

    def __init__(self, engine: sa.Engine, home: Path) -> None:
        self.home = home
        self.notes: tuple[str, ...] = ()
        self._engine = engine
        self._local = engine.dialect.name == "sqlite"

    def _prepare(self) -> Self:
        try:
            with self._talk():
                made = ensure(self._engine, self.home)
        except _Damaged:
            self._move_aside()
            with self._talk():
                made = ensure(self._engine, self.home)
        if made and self._local and any((self.home / "runs").iterdir()):
            self.reindex()
        return self

    # Folders and journals

    def folder_for(self, name: str) -> Path:
        """Where the files of run ``name`` are, or would be; raises ``UsageError`` for a name no run may have."""
        return folder_in(self.home / "runs", name)

    def open_journal(self, name: str, *, sync: float | None = 0.05) -> Journal:
        """The journal of run ``name``, to append; raises like ``Journal.open`` and ``get_run``."""
        return Journal.open(Path(self.get_run(name).folder), sync=sync)

    def view_journal(self, name: str) -> Journal:
        """The journal of run ``name``, to read."""
        return Journal.view(Path(self.get_run(name).folder))

    # Writing

    def create_run(self, run: Run) -> Run:
        """Add ``run`` and make its folder; the run comes back with ``folder`` and ``created`` filled in.

        Raises:
            RunExists: The name is taken.
            UsageError: The name may not be a run's.
            StoreError: The folder or the index cannot be written.
        """
        import sqlalchemy as sa

        folder = Path(run.folder).absolute() if run.folder else self.folder_for(run.name)
        run = dataclasses.replace(
            run, name=check_name(run.name), folder=str(folder), created=run.created or time.time()
        )
        if (folder / RECORD).exists() or (folder / FILE).exists():
            raise RunExists(f"{folder} already holds a run; choose another name than {run.name!r}, or delete that run.")
        try:
            with self._write() as connection:
                connection.execute(sa.insert(tables().runs), run_row(run))
                self._write_metrics(connection, run)
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_record(run)
        except sa.exc.IntegrityError as error:
            raise RunExists(f"A run called {run.name!r} exists; choose another name, or delete it first.") from error
        except OSError as error:
            raise StoreError(f"{folder} cannot be made: {error.strerror}.") from error
        return run

    def save_run(self, run: Run) -> Run:
        """Store how ``run`` fares; what comes back is the run as stored.

        Display name, description, tags and ``archived`` stay as they are stored, since a person may have changed them
        while the run was running; ``update_run`` and ``set_archived`` change those.

        Raises:
            RunNotFound: Nobody created it, or somebody deleted it.
            StoreError: The folder or the index cannot be written.
        """
        row = {key: value for key, value in run_row(run).items() if key not in (*_PERSONAL, "name", "created")}
        return self._change(run.name, row, run)

    def update_run(
        self,
        name: str,
        *,
        display_name: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> Run:
        """Change what is given, leave the rest; ``tags`` replaces all tags. Raises like ``save_run``."""
        given = {"display_name": display_name, "description": description, "tags": tags}
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        row = run_row(dataclasses.replace(Run(name), **changes))
        return self._change(name, {key: row[key] for key in changes})

    def set_archived(self, name: str, archived: bool = True) -> Run:
        """Hide the run from listings, or show it again. Raises like ``save_run``."""
        return self._change(name, {"archived": archived})

    def delete_run(self, name: str) -> None:
        """Remove the run and its folder for good.

        Raises:
            RunNotFound: There is none of that name.
            StoreError: It is being written, or its folder cannot be removed.
        """
        import sqlalchemy as sa

        folder = Path(self.get_run(name).folder)
        owner = owner_of(folder)
        if owner is not None and owner.alive:
            raise StoreError(
                f"Run {name!r} is being written by process {owner.pid}; stop it before you delete the run."
            )
        grave = folder.with_name(f".deleted-{folder.name}-{time.time_ns()}")
        try:
            # Renamed first: if this process dies half-way, no half-deleted run is ever listed or indexed again.
            if folder.is_dir() and not folder.is_symlink() and (folder / RECORD).exists():
                folder.rename(grave)
            with self._write() as connection:
                connection.execute(sa.delete(tables().metrics).where(tables().metrics.c.run == name))
                connection.execute(sa.delete(tables().runs).where(tables().runs.c.name == name))
            if grave.exists():
                shutil.rmtree(grave)
        except OSError as error:
            raise StoreError(f"{folder} cannot be removed: {error.strerror}.") from error

    def reindex(self) -> int:
        """Make the rows of all run folders in ``home`` again; how many runs were found."""
        found = 0
        for folder in sorted((self.home / "runs").iterdir()):
            if folder.is_symlink() or not folder.is_dir():
                continue
            if folder.name.startswith(".deleted-"):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            run = read_record(folder)
            if run is None or run.name != folder.name:
                continue
            self._put(run)
            found += 1
        return found

    def _put(self, run: Run) -> None:
        import sqlalchemy as sa

        with self._write() as connection:
            connection.execute(sa.delete(tables().metrics).where(tables().metrics.c.run == run.name))
            connection.execute(sa.delete(tables().runs).where(tables().runs.c.name == run.name))
            connection.execute(sa.insert(tables().runs), run_row(run))
            self._write_metrics(connection, run)

    def _change(self, name: str, row: Mapping[str, Any], run: Run | None = None) -> Run:
        """Update columns, and with ``run`` its metrics too, then the folder's copy."""
        import sqlalchemy as sa

        table = tables().runs
        with self._write() as connection:
            changed = connection.execute(sa.update(table).where(table.c.name == name).values(**row)) if row else None
            if changed is not None and changed.rowcount:
                if run is not None:
                    self._write_metrics(connection, run)
                stored = self._read(connection, sa.select(table).where(table.c.name == name))[0]
                if Path(stored.folder).is_dir():
                    write_record(stored)
                return with_truth(stored, local=self._local)
        return self.get_run(name)  # nothing to change; or it tells the nearest names

    def _write_metrics(self, connection: sa.Connection, run: Run) -> None:
        import sqlalchemy as sa

        connection.execute(sa.delete(tables().metrics).where(tables().metrics.c.run == run.name))
        rows = metric_rows(run)
        if rows:
            connection.execute(sa.insert(tables().metrics), rows)

    # Reading

    def get_run(self, name: str) -> Run:
        """The run called ``name``; one whose process died while it ran comes back Canceled and ``interrupted``.

        Raises:
            RunNotFound: There is none; the message names the nearest.
        """
        import sqlalchemy as sa

        with self._talk(), self._engine.connect() as connection:
            found = self._read(connection, sa.select(tables().runs).where(tables().runs.c.name == name))
            if found:
                return with_truth(found[0], local=self._local)
            newest = sa.select(tables().runs.c.name).order_by(tables().runs.c.created.desc()).limit(_NAMES)
            names = list(connection.execute(newest).scalars())
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[:3]
        hint = f"the nearest are: {', '.join(near)}" if near else "there are no runs yet"
        raise RunNotFound(f"There is no run called {name!r}; {hint}.")

    def list_runs(self, limit: int | None = 50, archived: Archived = "exclude") -> list[Run]:
        """Runs, newest first. A run whose row is damaged is told from its folder, or as far as it can be read."""
        import sqlalchemy as sa

        table = tables().runs
        query = sa.select(table).order_by(table.c.created.desc(), table.c.name.desc())
        if archived != "include":
            query = query.where(table.c.archived.is_(archived == "only"))
        if limit is not None:
            query = query.limit(limit)
        with self._talk(), self._engine.connect() as connection:
            return [with_truth(run, local=self._local) for run in self._read(connection, query)]

    def _read(self, connection: sa.Connection, query: sa.Select[Any]) -> list[Run]:
        import sqlalchemy as sa

        rows = [dict(row) for row in connection.execute(query).mappings()]
        table = tables().metrics
        metrics: dict[str, list[Mapping[str, Any]]] = {}
        for start in range(0, len(rows), 500):  # SQLite allows no more than so many values in one IN (...)
            names = [row["name"] for row in rows[start : start + 500]]
            wanted = sa.select(table).where(table.c.run.in_(names)).order_by(table.c.run, table.c.position)
            for metric in connection.execute(wanted).mappings():
                metrics.setdefault(metric["run"], []).append(dict(metric))
        return [self._run(row, metrics.get(row["name"], [])) for row in rows]

    def _run(self, row: dict[str, Any], metrics: list[Mapping[str, Any]]) -> Run:
        folder = Path(str(row["folder"]))
        moved = self.home / "runs" / str(row["name"])
        if self._local and not folder.is_dir() and moved.is_dir():
            row["folder"] = str(moved)  # the home folder was moved with everything in it
        try:
            return run_from(row, metrics)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            damage = f"its row in the index cannot be read: {error}"
        name = str(row["name"])
        run = read_record(Path(row["folder"])) or Run(name, Status.FAILED, folder=str(row["folder"]))
        return dataclasses.replace(run, name=name, properties={**run.properties, "damaged": damage})

    # The database

    @contextmanager
    def transaction(self, *, write: bool = False) -> Generator[sa.Connection]:
        """A transaction on the index, for what is kept there besides runs; one that writes is alone on SQLite.

        Raises:
            StoreError: The index does not answer.
        """
        if write:
            with self._write() as connection:
                yield connection
        else:
            with self._talk(), self._engine.begin() as connection:
                yield connection

    @property
    def local(self) -> bool:
        """Whether the index is a file in the home folder that nobody else keeps a copy of."""
        return self._local

    @contextmanager
    def _write(self) -> Generator[sa.Connection]:
        with self._talk(), writing(self._engine).begin() as connection:
            yield connection

    @contextmanager
    def _talk(self) -> Generator[None]:
        """Turn what the database says into a sentence; a taken name goes through as it is."""
        import sqlalchemy as sa

        try:
            yield
        except sa.exc.IntegrityError:
            raise
        except sa.exc.SQLAlchemyError as error:
            said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            if self._local and ("not a database" in said or "malformed" in said):
                raise _Damaged(
                    f"The run index {self._engine.url.database} is damaged ({said}); try again: the index is "
                    "then made again from the run folders."
                ) from error
            where = self._engine.url.render_as_string(hide_password=True)
            raise StoreError(f"The run index {where} does not answer: {said}.") from error

    def _move_aside(self) -> None:
        file = Path(str(self._engine.url.database))
        aside = file.with_name(f"{file.name}.damaged-{time.time_ns()}")
        with FolderLock(self.home):
            if not self._is_damaged():
                return  # somebody else mended it while this process waited for the lock
            self._engine.dispose()
            try:
                file.rename(aside)
                for suffix in ("-wal", "-shm"):
                    file.with_name(file.name + suffix).unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(f"{file} is damaged and cannot be moved aside: {error.strerror}.") from error
        self.notes = (f"The run index was damaged; it was kept as {aside} and made again from the run folders.",)

    def _is_damaged(self) -> bool:
        try:
            with self._talk():
                schema_version(self._engine)
        except _Damaged:
            return True
        return False

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Damaged(StoreError):
    """The SQLite file is no database any more."""
