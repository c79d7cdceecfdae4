"""The files prompt flow's users and tools look for in a run's folder, written when the run ends."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import IO, Any

from penstock.records import Failure, Run, Status
from penstock.store.error_json import error_json
from penstock.store.journal import RUN_RECORD, Journal
from penstock.store.jsonl import json_bytes, replacing, write_json


def write_results(folder: Path, run: Run, journal: Journal) -> None:
    """Write ``flow_outputs/output.jsonl``, ``metrics.json``, ``meta.json`` and, where something failed, ``error.json``.

    Lines stream from the journal one at a time, so memory does not grow with the run.

    Raises:
        StoreError: The folder cannot be written.
    """
    failed, first = _write_outputs(folder / "flow_outputs" / "output.jsonl", journal)
    write_json(folder / "metrics.json", {metric.name: metric.value for metric in run.metrics})
    write_json(folder / "meta.json", {"batch_size": 1})
    _write_error(folder / "error.json", run, journal, failed, first)


def _write_outputs(path: Path, journal: Journal) -> tuple[array[int], Failure | None]:
    """Completed lines' outputs; which lines failed, and how the first of them did."""
    failed: array[int] = array("Q")
    first: Failure | None = None
    with replacing(path) as file:
        for entry in journal.in_order():
            status = entry.status
            if status == Status.COMPLETED:
                output = entry.json().get("output") or {}
                file.write(json_bytes({"line_number": entry.index, **output}) + b"\n")
            elif status == Status.FAILED:
                failed.append(entry.index)
                first = first or entry.result().failure
    return failed, first


def _write_error(path: Path, run: Run, journal: Journal, failed: array[int], first: Failure | None) -> None:
    whole = journal.read(RUN_RECORD)
    nodes = whole.result().nodes if whole else ()
    aggregation = [(node.node, node.failure) for node in nodes if node.failure is not None]
    first = first or (aggregation[0][1] if aggregation else run.failure)
    if not failed and not aggregation and run.failure is None:
        path.unlink(missing_ok=True)
        return
    message = f"First error message is: {first.message if first else 'not known'}"
    if failed:
        message = f"Failed to run {len(failed)}/{run.lines or len(journal)} lines. {message}"
    with replacing(path) as file:
        head = {
            "message": message,
            "messageFormat": "",
            "messageParameters": {},
            "referenceCode": "Runtime",
            "code": "UserError",
            "innerError": {"code": "SDKError", "innerError": {"code": "BulkRunException", "innerError": None}},
        }
        file.write(json_bytes(head)[:-1] + b',"additionalInfo":[{"type":"BulkRunErrors","info":{"errors":[')
        _write_errors(file, journal, failed, aggregation)
        debug = error_json(run.failure)["debugInfo"] if run.failure else _debug(message)
        file.write(b']}}],"debugInfo":' + json_bytes(debug) + b"}\n")


def _write_errors(
    file: IO[bytes], journal: Journal, failed: array[int], aggregation: list[tuple[str, Failure]]
) -> None:
    comma = b""
    for line in failed:
        entry = journal.read(line)
        failure = entry.result().failure if entry else None
        error = error_json(failure or Failure("UnexpectedError", "The line failed without saying why."))
        file.write(comma + json_bytes({"line_number": line, "error": error}))
        comma = b","
    for node, failure in aggregation:
        file.write(comma + json_bytes({"error": error_json(failure), "aggregation_node_name": node}))
        comma = b","


def _debug(message: str) -> dict[str, Any]:
    return {"type": "BulkRunException", "message": message, "stackTrace": "", "innerException": None}
