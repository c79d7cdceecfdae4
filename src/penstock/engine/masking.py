"""Known secrets out of records, just before they are written: only what users' values and words make up is touched.

Names of nodes and ports, states and numbers stay as they are, so that a record can always be read back, whatever the
secrets are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.connections.redact import Redactor


def mask(record: Any, redactor: Redactor) -> Any:
    """A line's, a node's or an aggregation's record, or any other JSON value, without secrets."""
    if not isinstance(record, Mapping):
        return redactor.value(record)
    if isinstance(record.get("metrics"), list):
        metrics = [{**metric, "value": redactor.value(metric["value"])} for metric in record["metrics"]]
        return {**record, "nodes": [mask_node(node, redactor) for node in record["nodes"]], "metrics": metrics}
    if "index" in record and "nodes" in record:
        return mask_line(record, redactor)
    return mask_node(record, redactor) if "node" in record and "status" in record else redactor.value(record)


def mask_line(record: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    """``LineResult.to_json`` as plain JSON values, without secrets."""
    return {
        **record,
        **_values(record, redactor, "inputs", "output", "source"),
        **_failure(record, redactor),
        "nodes": [mask_node(node, redactor) for node in record.get("nodes") or ()],
    }


def mask_node(record: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    """``NodeRun.to_json`` as plain JSON values, without secrets."""
    masked = {
        **record,
        **_values(record, redactor, "inputs", "output"),
        **_failure(record, redactor),
    }
    if record.get("calls"):
        masked["calls"] = [
            {**call, **_values(call, redactor, "request", "response", "error")} for call in record["calls"]
        ]
    if record.get("logs"):
        masked["logs"] = {stream: redactor.text(text) for stream, text in record["logs"].items()}
    return masked


def _values(record: Mapping[str, Any], redactor: Redactor, *names: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        value = record.get(name)
        if isinstance(value, Mapping):  # the names of ports and parameters are the flow's own words
            found[name] = {key: redactor.value(item) for key, item in value.items()}
        elif value is not None:
            found[name] = redactor.value(value)
    return found


def _failure(record: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    failure = record.get("failure")
    if not failure:
        return {}
    told = {name: redactor.text(failure[name]) for name in ("message", "traceback") if failure.get(name)}
    return {"failure": {**failure, **told}}
