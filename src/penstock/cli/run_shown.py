"""How a run is shown: as JSON with prompt flow's names, and as a block of text."""

from __future__ import annotations

import datetime
from typing import Any

from penstock.cli.output import plain
from penstock.records import Run


def shown(run: Run) -> dict[str, Any]:
    """A run as JSON: prompt flow's keys first, then ours."""
    properties = {
        key: value
        for key, value in run.properties.items()
        if key not in ("notes", "variables") and value not in (None, {}, [])
    }
    return {
        "name": run.name,
        "created_on": when(run.created),
        "status": run.status.value,
        "display_name": run.display_name or run.name,
        "description": run.description,
        "tags": dict(run.tags),
        "properties": {
            "flow_path": run.flow,
            "output_path": run.folder,
            "run": run.run[0] if run.run else None,
            "node_variant": run.variant[0] if run.variant else None,
            "column_mapping": dict(run.column_mapping),
            "system_metrics": dict(run.system_metrics),
            **properties,
        },
        "flow_name": run.flow,
        "data": run.data,
        "output": run.folder,
        "start_time": when(run.started),
        "end_time": when(run.ended),
        "archived": run.archived,
        "lines": run.lines,
        "completed": run.completed,
        "failed": run.failed,
        "unscored": run.unscored,
        "usage": run.usage.to_json(),
        "metrics": {metric.name: metric.value for metric in run.metrics},
        "offline": run.offline,
        "error": run.failure.to_json() if run.failure else None,
    }


def summary(run: Run) -> str:
    """The block that ends a streamed run."""
    duration = (run.ended or 0) - (run.started or 0) if run.ended and run.started else None
    lines = [
        "======= Run Summary =======",
        "",
        f'Run name: "{run.name}"',
        f'Run status: "{run.status.value}"',
        f'Start time: "{when(run.started)}"',
        f'Duration: "{datetime.timedelta(seconds=duration) if duration is not None else "-"}"',
        f'Output path: "{run.folder}"',
        f"Lines: {run.completed} completed, {run.failed} failed"
        + (f", {run.unscored} unscored" if run.unscored else ""),
    ]
    if run.usage.calls:
        lines.append(f"Model calls: {run.usage.calls}, {run.usage.total_tokens} tokens, {money(run.usage.cost)}")
    if run.offline:
        lines.append("Offline: no model was asked; answers are scripted or replayed.")
    if run.metrics:
        lines += ["", "Metrics:"]
        width = max(len(metric.name) for metric in run.metrics)
        for metric in run.metrics:
            behind = f"   (from {metric.lines} lines)" if metric.lines is not None else ""
            lines.append(f"  {metric.name.ljust(width)}  {number(metric.value)}{behind}")
    return plain("\n".join(lines)) + "\n"


def number(value: Any) -> str:
    """A metric's value for reading."""
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) and value == value else str(value)


def money(cost: float | None) -> str:
    """US dollars for reading."""
    return "cost not known" if cost is None else f"${cost:.4f}"


def when(seconds: float | None) -> str | None:
    """A moment as ISO text in local time."""
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).astimezone().isoformat()
