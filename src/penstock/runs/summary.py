"""What a finished run says of itself: counts, tokens, cost, and how long each node takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.records import Status, Usage
from penstock.runs.report.sample import Thinned
from penstock.store.journal import Journal

_SAMPLE = 5_000


class Tally:
    """One pass over a journal: system metrics, and the columns that the aggregation wants.

    Args:
        inputs: Flow inputs whose values are kept.
        nodes: Nodes whose outputs are kept.
    """

    def __init__(self, inputs: Sequence[str] = (), nodes: Sequence[str] = ()) -> None:
        self.completed = 0
        self.failed = 0
        self.inputs: dict[str, list[Any]] = {name: [] for name in inputs}
        self.outputs: dict[str, list[Any]] = {name: [] for name in nodes}
        self._durations: dict[str, _Durations] = {}
        self._states: dict[str, Counter[str]] = {}
        self._lines = _Durations()
        self._usage: Counter[str] = Counter()
        self._cost: float | None = 0.0

    def read(self, journal: Journal) -> None:
        """Take in every line of the journal, in the order of the lines."""
        for entry in journal.in_order():
            self.add(entry.json())

    def add(self, line: Mapping[str, Any]) -> None:
        """Take in one line."""
        done = line["status"] == Status.COMPLETED
        self.completed += done
        self.failed += not done
        self._lines.add(line.get("duration") or 0.0)
        kept = self.outputs if done else {}
        found = dict.fromkeys(kept)
        for node in line.get("nodes") or ():
            name, status = node["node"], node["status"]
            self._states.setdefault(name, Counter())[status] += 1
            if status in (Status.COMPLETED, Status.FAILED):
                self._durations.setdefault(name, _Durations()).add(node.get("duration") or 0.0)
            if name in found:
                found[name] = node.get("output")
        for name, value in found.items():
            self.outputs[name].append(value)
        if done:
            given = line.get("inputs") or {}
            for name, values in self.inputs.items():
                values.append(given.get(name))
        usage = line.get("usage")
        if usage:
            for name in ("prompt_tokens", "completion_tokens", "total_tokens", "calls"):
                self._usage[name] += usage.get(name) or 0
            cost = usage.get("cost")
            self._cost = None if cost is None or self._cost is None else self._cost + cost

    @property
    def usage(self) -> Usage:
        """What all model calls consumed."""
        counts = self._usage
        return Usage(
            counts["prompt_tokens"], counts["completion_tokens"], counts["total_tokens"], counts["calls"], self._cost
        )

    def system_metrics(self, seconds: float) -> dict[str, Any]:
        """Plain JSON: tokens, cost in US dollars, seconds, lines and nodes by state, p50 and p95 of their durations."""
        return {
            "duration": seconds,
            "prompt_tokens": self._usage["prompt_tokens"],
            "completion_tokens": self._usage["completion_tokens"],
            "total_tokens": self._usage["total_tokens"],
            "model_calls": self._usage["calls"],
            "cost": self._cost,
            "lines": {"completed": self.completed, "failed": self.failed, **self._lines.told()},
            "nodes": {
                name: {
                    **{state.lower(): count for state, count in sorted(states.items())},
                    **(self._durations[name].told() if name in self._durations else {}),
                }
                for name, states in self._states.items()
            },
        }


class _Durations:
    """Percentiles of seconds: exact up to 10,000 values, of an even sample beyond; memory does not grow with the run."""

    __slots__ = ("_longest", "_sample")

    def __init__(self) -> None:
        self._sample: Thinned[float] = Thinned(_SAMPLE)
        self._longest = 0.0

    def add(self, seconds: float) -> None:
        self._sample.add(seconds)
        self._longest = max(self._longest, seconds)

    def told(self) -> dict[str, float]:
        ordered = sorted(self._sample.items())
        return {"p50": _at(ordered, 0.5), "p95": _at(ordered, 0.95), "max": self._longest} if ordered else {}


def _at(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between the closest ranks (numpy's default)."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
