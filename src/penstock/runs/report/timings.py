"""How long each node took over a whole run, and what it consumed: counted while the lines stream by."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from penstock.records import NO_USAGE, LineResult, NodeRun, Status, Usage
from penstock.runs.report.clip import Clip
from penstock.runs.report.rows import usage_of
from penstock.runs.report.sample import Thinned

_SAMPLE = 5_000
_MAX_NODES = 500


@dataclass
class _Node:
    """One node's tally."""

    statuses: dict[str, int] = field(default_factory=dict[str, int])
    durations: Thinned[float] = field(default_factory=lambda: Thinned[float](_SAMPLE))
    usage: Usage = NO_USAGE
    cached: int = 0

    def add(self, run: NodeRun) -> None:
        self.statuses[run.status.value] = self.statuses.get(run.status.value, 0) + 1
        self.usage += run.usage
        self.cached += run.cached
        if run.status is not Status.BYPASSED and not math.isnan(run.duration):
            self.durations.add(run.duration)


class Timings:
    """Per node and for whole lines: counts, and the 50th and 95th percentile of the duration.

    Percentiles are exact up to 10,000 lines and taken from an even sample beyond; memory does not grow with the run.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._lines: Thinned[float] = Thinned(_SAMPLE)
        self.completed = 0
        self.failed = 0

    def add(self, line: LineResult) -> None:
        """Count one line."""
        self.completed += line.status is Status.COMPLETED
        self.failed += line.status is Status.FAILED
        if not math.isnan(line.duration):
            self._lines.add(line.duration)
        for node in line.nodes:
            tally = self._nodes.get(node.node)
            if tally is None:
                if len(self._nodes) >= _MAX_NODES:
                    continue
                tally = self._nodes[node.node] = _Node()
            tally.add(node)

    def to_page(self, clip: Clip) -> dict[str, Any]:
        """The page's form: ``{"line": {p50, p95}, "nodes": [...]}``, durations in seconds."""
        return {
            "line": _percentiles(self._lines),
            "nodes": [
                {
                    "name": clip.value(name),
                    "statuses": node.statuses,
                    "cached": node.cached,
                    "usage": usage_of(node.usage),
                    **_percentiles(node.durations),
                }
                for name, node in self._nodes.items()
            ],
        }


def _percentiles(durations: Thinned[float]) -> dict[str, float | None]:
    ordered = sorted(value for value in durations.items() if math.isfinite(value))
    return {"p50": _percentile(ordered, 0.5), "p95": _percentile(ordered, 0.95)}


def _percentile(ordered: list[float], part: float) -> float | None:
    """Linear interpolation between the two nearest values, as numpy does it."""
    if not ordered:
        return None
    place = part * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
