"""The lines of a stored run as the page shows them: the run's own record first, images where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.records import LineResult, Run
from penstock.runs.report.pictures import with_pictures
from penstock.runs.resume import IMAGES
from penstock.store.journal import RUN_RECORD

if TYPE_CHECKING:
    from penstock.store.store import Store


def report_lines(store: Store, run: Run) -> Iterator[LineResult]:
    """What ``write_report`` reads of ``run``."""
    folder = Path(run.folder) / IMAGES.parent
    with store.view_journal(run.name) as journal:
        whole = journal.read(RUN_RECORD)
        if whole is not None:
            yield with_pictures(whole.result(), folder)
        for entry in journal.in_order():
            yield with_pictures(entry.result(), folder)
