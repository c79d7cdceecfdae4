"""The run that a tracker writes: a record in the store, and a journal line for each execution of a driver."""

from __future__ import annotations

import dataclasses
import datetime
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.connections.redact import Redactor, secret_variables
from penstock.connections.resolve import Connections
from penstock.engine.jsonable import Encoder
from penstock.records import LineResult, Run, Status
from penstock.runs.summary import Tally
from penstock.settings import Settings
from penstock.store.files import write_results
from penstock.store.journal import Journal
from penstock.store.names import safe_name

if TYPE_CHECKING:
    from penstock.store.store import Store

_SAVED_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Described:
    """What a tracked run says of itself.

    Attributes:
        name: Its unique name; made from the module and the time where not given.
        flow: The file of the module.
        display_name: Shown instead of the name.
        description: Free text.
        tags: Free words.
        config: What the graph was built with.
    """

    name: str | None = None
    flow: str = ""
    display_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])


class TrackedRun:
    """A run that grows by a line with each execution, until it is closed. Threads may add lines at once.

    Args:
        settings: Where the store is.
        described: What the record says.

    Raises:
        RunExists: The name is taken.
        StoreError: The store cannot be written.
    """

    def __init__(self, settings: Settings, described: Described) -> None:
        from penstock.store.store import open_store  # brings SQLAlchemy: half a second that an import need not cost

        connections = Connections.open(settings)
        connections.also_secret(secret_variables(settings.env))
        self.redactor = connections.redactor
        self._encoder = Encoder(redactor=self.redactor)
        self._lock = threading.Lock()  # protects the journal, the record and what is counted
        self._store: Store = open_store(settings)
        self._run = self._store.create_run(_record(described, self.redactor()))
        self._journal: Journal = self._store.open_journal(self._run.name)
        self._tally = Tally()
        self._lines = 0
        self._saved = 0.0
        self._closed = False

    @property
    def name(self) -> str:
        """Of the run, as ``penstock run show`` takes it."""
        return self._run.name

    def begin(self) -> int:
        """The number of a new line."""
        with self._lock:
            self._lines += 1
            return self._lines - 1

    def add(self, line: LineResult) -> None:
        """Append a finished line; the record is brought up to date about once a second."""
        record = line.to_json()
        text = self._encoder.encode(record).encode()
        with self._lock:
            if self._closed:
                return
            self._journal.append_raw(line.index, text)
            self._tally.add(record)
            if time.monotonic() - self._saved > _SAVED_EVERY:
                self._save(Status.RUNNING)

    def close(self) -> None:
        """End the run; its files are written. Closing twice does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            run = self._save(Status.COMPLETED, ended=time.time())
            write_results(Path(run.folder), run, self._journal)
            self._journal.close()
            self._store.close()

    def _save(self, status: Status, ended: float | None = None) -> Run:
        self._saved = time.monotonic()
        tally = self._tally
        started = self._run.started or self._run.created
        return self._store.save_run(
            dataclasses.replace(
                self._run,
                status=status,
                ended=ended,
                lines=tally.completed + tally.failed,
                completed=tally.completed,
                failed=tally.failed,
                usage=tally.usage,
                system_metrics=tally.system_metrics((ended or time.time()) - started),
            )
        )


def _record(described: Described, redactor: Redactor) -> Run:
    now = datetime.datetime.now(datetime.UTC).astimezone()
    stem = Path(described.flow).stem if described.flow else "hamilton"
    name = described.name or safe_name(f"{stem}_hamilton_{now:%Y%m%d_%H%M%S_%f}")
    plain = {key: value for key, value in described.config.items() if isinstance(value, (str, int, float, bool))}
    return Run(
        name=name,
        status=Status.RUNNING,
        flow=described.flow,
        variant=tuple(redactor.text(f"config.{key}={value}") for key, value in plain.items()),
        display_name=described.display_name or name,
        description=described.description,
        tags=described.tags,
        properties={"source": "hamilton"},
        created=now.timestamp(),
        started=now.timestamp(),
    )
