"""A ``Run`` as a row of the index, and back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.records import Metric, Run
from penstock.store.jsonl import json_bytes

_JSON = ("run", "variant", "column_mapping", "tags", "properties", "usage", "system_metrics")
_TEXT = ("status", "flow", "data", "display_name", "description", "folder")


def run_row(run: Run) -> dict[str, Any]:
    """The columns of ``run``."""
    row = run.to_json()
    del row["metrics"]
    for column in _JSON:
        row[column] = _json_text(row[column])
    row["failure"] = None if row["failure"] is None else _json_text(row["failure"])
    for column in _TEXT:
        if row[column] is not None:
            row[column] = _storable(str(row[column]))
    return row


def metric_rows(run: Run) -> list[dict[str, Any]]:
    """The rows of ``run``'s metrics, in their order."""
    return [
        {
            "run": run.name,
            "position": position,
            "name": _storable(metric.name),
            "value": _json_text(metric.value),
            "lines": metric.lines,
        }
        for position, metric in enumerate(run.metrics)
    ]


def run_from(row: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> Run:
    """The run of a row.

    Raises:
        ValueError: The row is damaged.
        TypeError: Likewise.
    """
    data = dict(row)
    for column in (*_JSON, "failure"):
        data[column] = None if data[column] is None else json.loads(data[column])
    for column in ("archived", "offline"):
        data[column] = bool(data[column])
    found = tuple(Metric(str(metric["name"]), json.loads(metric["value"]), metric["lines"]) for metric in metrics)
    return dataclasses.replace(Run.from_json(data), metrics=found)


def _json_text(value: Any) -> str:
    return json_bytes(value).decode("utf-8")


def _storable(text: str) -> str:
    """``text`` without what a database cannot hold: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
