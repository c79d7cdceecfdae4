"""A run's own folder: its copy of the record, and what can be told about a run whose process died."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

from penstock.errors import StoreError
from penstock.records import Failure, Run, Status
from penstock.store.journal import FILE, Journal
from penstock.store.jsonl import write_json
from penstock.store.lock import owner_of

RECORD = "run.json"
# Between making the folder and taking its lock a run looks dead; nobody needs to hear of it so early.
_GRACE = 30.0


def write_record(run: Run) -> None:
    """Replace the folder's ``run.json``; raises ``StoreError`` where it cannot be written."""
    write_json(Path(run.folder) / RECORD, run.to_json(), indent=1)


def read_record(folder: Path) -> Run | None:
    """The run in ``folder``: from ``run.json``, else from the journal; None where there is neither."""
    try:
        data = json.loads((folder / RECORD).read_bytes())
        return dataclasses.replace(Run.from_json(data), folder=str(folder))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return _from_journal(folder)


def with_truth(run: Run, *, local: bool) -> Run:
    """``run``, told as interrupted where it says it is running and its process is gone.

    Args:
        run: As it is stored.
        local: Whether the index itself is on this machine, so that a missing folder means a lost one.
    """
    if run.status is not Status.RUNNING:
        return run
    folder = Path(run.folder)
    if not folder.is_dir():
        dead = local
    else:
        owner = owner_of(folder)
        dead = owner.alive is False if owner else time.time() - run.created > _GRACE
    if not dead:
        return run
    return dataclasses.replace(
        run,
        status=Status.CANCELED,
        properties={**run.properties, "interrupted": True},
        failure=Failure(
            "RunInterrupted",
            f"The process of run {run.name!r} ended before the run did; its finished lines are kept: "
            f"resume it with --resume-from {run.name}.",
        ),
    )


def _from_journal(folder: Path) -> Run | None:
    if not (folder / FILE).is_file():
        return None
    try:
        with Journal.view(folder) as journal:
            states = [entry.status for entry in journal.in_order()]
        created = (folder / FILE).stat().st_mtime
    except (StoreError, OSError, ValueError):
        return None
    return Run(
        folder.name,
        Status.CANCELED,
        created=created,
        folder=str(folder),
        completed=states.count(Status.COMPLETED),
        failed=states.count(Status.FAILED),
        properties={"recovered": f"{RECORD} was missing or damaged; the counts come from the journal."},
    )
