"""``flow test --detail DIR``: prompt flow's records of a single call, for tools that read them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penstock.connections.redact import Redactor
from penstock.engine.aggregate import Aggregation
from penstock.engine.jsonable import Encoder
from penstock.records import LineResult, NodeRun
from penstock.store.export import detail, log_text, node_detail


def write_detail(
    folder: Path, redactor: Callable[[], Redactor], result: LineResult, aggregation: Aggregation | None
) -> None:
    """Write ``flow.detail.json``, ``flow.output.json``, ``flow.log`` and, where there are any, ``flow.metrics.json``."""
    encoder = Encoder(redactor=redactor)
    record = detail(secrets.token_hex(16), result, aggregation.nodes if aggregation else ())
    _write(folder / "flow.detail.json", encoder, record)
    _write(folder / "flow.output.json", Encoder(), result.output)
    if aggregation and aggregation.metrics:
        metrics = {metric.name: metric.value for metric in aggregation.metrics}
        _write(folder / "flow.metrics.json", encoder, metrics)
    (folder / "flow.log").write_text(redactor().text(log_text(result)), encoding="utf-8", errors="backslashreplace")


def write_node_detail(folder: Path, redactor: Callable[[], Redactor], run: NodeRun) -> None:
    """Write ``flow-NODE.node.detail.json`` and ``flow-NODE.node.output.json``."""
    record = node_detail(secrets.token_hex(16), run)
    _write(folder / f"flow-{run.node}.node.detail.json", Encoder(redactor=redactor), record)
    _write(folder / f"flow-{run.node}.node.output.json", Encoder(), run.output)


def _write(path: Path, encoder: Encoder, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(json.loads(encoder.encode(value)), indent=2, ensure_ascii=False)
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
