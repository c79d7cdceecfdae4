"""The sources that a run specification names, opened."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import InputError, UsageError
from penstock.records import Run, Status
from penstock.runs.dataset import Dataset
from penstock.runs.sources import Source, data_source, outputs_source

if TYPE_CHECKING:
    from penstock.store.store import Store


def open_data(paths: Mapping[str, str]) -> dict[str, Dataset]:
    """Data sets by source name."""
    return {name: Dataset.open(path) for name, path in paths.items()}


def open_sources(
    datasets: Mapping[str, Dataset], runs: tuple[str, ...], wanted: frozenset[str], store: Store, stack: ExitStack
) -> list[Source]:
    """Every source of a run: its data, the outputs of the runs it refers to, and those runs' inputs where ``wanted``.

    The journals that are read stay open until ``stack`` is closed.

    Raises:
        UsageError: Neither data nor a run.
        InputError: A referenced run that is not completed, or whose data is gone.
        RunNotFound: A referenced run that is not there.
    """
    if not datasets and not runs:
        raise UsageError("At least one of data or run must be provided.")
    found = [data_source(name, dataset) for name, dataset in datasets.items()]
    for position, name in enumerate(runs):
        run = store.get_run(name)
        if run.status is not Status.COMPLETED:
            raise InputError(
                f"Referenced run {name!r} is not completed, its status is {run.status.value}; resume it first with"
                f" --resume-from {name}.",
                code="InvalidRunStatusError",
            )
        for prefix in ["run", f"runs.{name}"] if position == 0 else [f"runs.{name}"]:
            if prefix == "run" or any(source.startswith(prefix) for source in wanted):
                journal = stack.enter_context(store.view_journal(name))
                found.append(outputs_source(f"{prefix}.outputs", journal, run=name))
            if f"{prefix}.inputs" in wanted:
                found.append(_inputs(f"{prefix}.inputs", run, store))
    return found


def _inputs(source: str, run: Run, store: Store) -> Source:
    origin = run
    while origin.data is None and origin.run:
        origin = store.get_run(origin.run[0])
    if origin.data is None or not Path(origin.data).exists():
        raise InputError(
            f"The data of referenced run {run.name!r} ({origin.data}) is gone; please make sure it exists and is not"
            " deleted.",
            code="DataNotFound",
        )
    return data_source(source, Dataset.open(origin.data), run=run.name)
