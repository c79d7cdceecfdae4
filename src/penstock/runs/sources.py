"""Where the rows of a run's lines come from: data sets, and the runs that a run refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.errors import InputError
from penstock.records import Status
from penstock.runs.dataset import Dataset
from penstock.runs.spill import Spill
from penstock.store.journal import Entry, Journal

LINE_NUMBER = "line_number"
# Lines of a run that are looked at for its output columns.
_SAMPLE = 100


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row of a source. ``values`` is None where the row is known to be missing: a line of a run that failed."""

    line: int
    values: dict[str, Any] | None
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One named source of rows.

    Attributes:
        name: As column mappings call it: ``data``, ``run.outputs``, ``run.inputs``, ``runs.NAME.outputs``, …
        rows: Gives the rows, ascending by line, as often as it is called.
        columns: The column names, as far as known without reading everything.
        run: The referenced run that the rows belong to; empty for data. Rows of one run belong together line by line.
        aligned: Whether a row's line is just its position, so that all such sources must be equally long.
        count: Number of rows, None where not known beforehand.
    """

    name: str
    rows: Callable[[], Iterator[SourceRow]]
    columns: tuple[str, ...] = ()
    run: str = ""
    aligned: bool = False
    count: int | None = None


def data_source(name: str, dataset: Dataset, *, run: str = "") -> Source:
    """Rows of a data set, by position, or by their ``line_number`` column where they have one.

    ``run`` names the referenced run whose data this is (for ``run.inputs``).
    """
    columns = tuple(dataset.columns())
    if LINE_NUMBER in columns:
        return Source(name, lambda: _numbered(name, dataset), columns, run)
    return Source(name, lambda: _positioned(dataset), columns, run, aligned=True, count=dataset.count())


def outputs_source(name: str, journal: Journal, *, run: str) -> Source:
    """Outputs of a run's lines; a line that did not complete is a row without values, to be told as unscored."""
    columns: dict[str, None] = {}
    for number, entry in enumerate(journal.in_order()):
        if entry.status == Status.COMPLETED:
            columns.update(dict.fromkeys(entry.json().get("output") or {}))
        if number >= _SAMPLE:
            break
    folder = journal.path.parent / "flow_outputs"
    return Source(name, lambda: (_output(entry, folder) for entry in journal.in_order()), tuple(columns), run)


def _output(entry: Entry, folder: Path) -> SourceRow:
    if entry.status != Status.COMPLETED:
        return SourceRow(entry.index, None)
    return SourceRow(entry.index, {LINE_NUMBER: entry.index, **(entry.json().get("output") or {})}, folder)


def _positioned(dataset: Dataset) -> Iterator[SourceRow]:
    for row in dataset.rows():
        yield SourceRow(row.index, row.values, row.folder)


def _numbered(name: str, dataset: Dataset) -> Iterator[SourceRow]:
    with Spill() as spill:
        for row in dataset.rows():
            if LINE_NUMBER in row.values:  # prompt flow leaves the others out of such data too
                spill.put(_number(name, row.index, row.values[LINE_NUMBER]), [row.values, str(row.folder)])
        for line in spill.numbers():
            values, folder = spill.get(line)
            yield SourceRow(line, values, Path(folder))


def _number(name: str, position: int, value: Any) -> int:
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise InputError(
            f"Row {position + 1} of {name!r}: line_number must be a whole number from 0, not {value!r}; rename the "
            "column if it means something else.",
            code="InputMappingError",
        )
    return value
