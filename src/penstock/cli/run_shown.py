"""How a run is shown: as JSON with prompt flow's names, and as a block of text."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from penstock.cli.output import counted, plain
from penstock.frontends.load import NAMES
from penstock.graph.prompt import Pins
from penstock.records import Run
from penstock.registry.pins import shown_pins
from penstock.runs.resume import PROMPTS


def shown(run: Run) -> dict[str, Any]:
    """A run as JSON: prompt flow's keys first, then ours."""
    # A flow's path is its folder, as prompt flow has it, unless the flow is another file than the folder's own.
    flow = Path(run.flow)
    flow = flow.parent if flow.name in NAMES else flow
    properties = {
        key: value
        for key, value in run.properties.items()
        if key not in ("notes", "variables", PROMPTS) and value not in (None, {}, [])
    }
    return {
        "name": run.name,
        "created_on": when(run.created),
        "status": run.status.value,
        "display_name": run.display_name or run.name,
        "description": run.description,
        "tags": dict(run.tags) or None,
        "properties": {
            "flow_path": str(flow),
            "output_path": run.folder,
            **({"run": run.run[0]} if run.run else {}),
            **({"node_variant": run.variant[0]} if run.variant else {}),
            "column_mapping": dict(run.column_mapping),
            "system_metrics": dict(run.system_metrics),
            **properties,
            **({PROMPTS: shown_pins(Pins.from_json(run.properties[PROMPTS]))} if run.properties.get(PROMPTS) else {}),
        },
        "flow_name": flow.name,
        "data": run.data,
        "output": str(Path(run.folder) / "flow_outputs"),
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
    lines = [
        "======= Run Summary =======",
        "",
        f'Run name: "{run.name}"',
        f'Run status: "{run.status.value}"',
        f'Start time: "{when(run.started)}"',
        f'Duration: "{duration(run) or "-"}"',
        f'Output path: "{run.folder}"',
        f"Lines: {run.completed:,} completed, {run.failed:,} failed"
        + (f", {run.unscored:,} unscored" if run.unscored else ""),
    ]
    if run.usage.calls:
        lines.append(f"Model calls: {run.usage.calls:,}, {run.usage.total_tokens:,} tokens, {money(run.usage.cost)}")
    if run.offline:
        lines.append("Offline: no model was asked; answers are scripted or replayed.")
    if run.metrics:
        lines += ["", "Metrics:"]
        width = max(len(metric.name) for metric in run.metrics)
        figures = max(len(number(metric.value)) for metric in run.metrics)
        for metric in run.metrics:
            behind = f"   (from {counted(metric.lines, 'line')})" if metric.lines is not None else ""
            lines.append(f"  {metric.name.ljust(width)}  {number(metric.value).ljust(figures)}{behind}".rstrip())
    return plain("\n".join(lines)) + "\n"


def duration(run: Run) -> str | None:
    """Wall time of a run that has ended, as ``0:00:04.828577``."""
    if run.started is None or run.ended is None:
        return None
    return str(datetime.timedelta(seconds=run.ended - run.started))


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
