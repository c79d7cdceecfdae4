"""What a run was made of, so that two runs can be compared: data, code, prompts, models. Counted while the lines stream by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from penstock.records import LineResult, NodeRun, PromptUse, Run

Axis = Literal["data", "code", "prompt", "model"]
AXES: tuple[Axis, ...] = ("data", "code", "prompt", "model")

# Of a model call the prompt itself, which the axis of prompts and data tells.
_SENT = frozenset({"messages", "input", "prompt", "instructions", "system"})
_SHORT = 12
# So many different prompts or settings a node are told apart.
_MOST = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs between two runs; ``node`` is None for the run as a whole."""

    axis: Axis
    node: str | None
    before: str
    after: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"axis": self.axis, "node": self.node, "before": self.before, "after": self.after}


class Axes:
    """What one run was made of.

    Attributes:
        commit: The git commit of its flow, None for none.
        code: The identity of each node's own code.
        prompts: How often each node used which prompt, as people are told it.
        models: How often each node asked which model with which parameters.
    """

    def __init__(self, run: Run) -> None:
        self.commit: str | None = run.properties.get("commit")
        self.code: dict[str, str] = dict(run.properties.get("closures") or {})
        self.prompts: dict[str, dict[str, int]] = {}
        self.models: dict[str, dict[str, int]] = {}
        self._mapping = run.column_mapping
        self._data: dict[str, int] = {}
        self._lines = 0

    def add(self, line: LineResult) -> None:
        """Count one line, or the run's own record with its aggregation nodes (a negative index)."""
        for node in line.nodes:
            self._node(node)
        if line.index >= 0:
            self._lines += 1
            inputs = line.inputs if line.inputs is not None else line.source
            for name, value in (inputs or {}).items():
                text = json.dumps([line.index, name, value], sort_keys=True, default=str)
                # A sum, for lines come in any order.
                digest = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
                self._data[name] = self._data.get(name, 0) + digest

    def _node(self, node: NodeRun) -> None:
        for use in node.prompts:
            _count(self.prompts.setdefault(node.node, {}), told(use))
        for call in node.calls:
            parameters = {key: value for key, value in call.request.items() if key not in _SENT and key != "model"}
            shown = f"{call.model} {json.dumps(parameters, sort_keys=True, default=str)}" if parameters else call.model
            _count(self.models.setdefault(node.node, {}), shown)

    def data(self, beside: Axes) -> str:
        """Of the lines' inputs that the flow of ``beside`` has as well, in whatever order they came.

        An input that only one of two flows has is a change of the flow. Where they share none, all of them count.
        """
        names = self._data.keys() & beside._data.keys() or self._data.keys()
        total = sum(self._data[name] for name in names)
        return f"{self._lines} lines, {total % (1 << 128):032x}"[: len(str(self._lines)) + 8 + _SHORT]


def told(use: PromptUse) -> str:
    """A prompt as people are told it: ``greet@prod, version 3, 652b7c016734``."""
    parts = [use.reference or use.name]
    if use.version is not None:
        parts.append(f"version {use.version}")
    if use.template is not None:
        parts.append(use.template[:_SHORT])
    return ", ".join(parts)


def changes(before: Axes, after: Axes) -> list[Change]:
    """What differs, by axis and node; a node that only one of the runs had counts as changed code."""
    found: list[Change] = []
    old_data, new_data = before.data(after), after.data(before)
    if old_data != new_data:
        found.append(Change("data", None, old_data, new_data))
    for node in _either(before.code, after.code):
        old, new = before.code.get(node, ""), after.code.get(node, "")
        if old != new:
            found.append(Change("code", node, old[:_SHORT], new[:_SHORT]))
    pairs: tuple[tuple[Axis, Mapping[str, Mapping[str, int]], Mapping[str, Mapping[str, int]]], ...] = (
        ("prompt", before.prompts, after.prompts),
        ("model", before.models, after.models),
    )
    for axis, olds, news in pairs:
        for node in _either(olds, news):
            one, other = olds.get(node, {}), news.get(node, {})
            if one.keys() != other.keys():
                found.append(Change(axis, node, " | ".join(one), " | ".join(other)))
    return found


def prompt_digests(line: LineResult) -> tuple[str, str]:
    """What the line's prompts were: one text for their templates, one for what they were rendered to."""
    uses = [(node.label, use) for node in line.nodes for use in node.prompts]
    return _digest((name, use.name, use.template) for name, use in uses), _digest(
        (name, use.rendered) for name, use in uses
    )


def _digest(items: Iterable[Any]) -> str:
    return hashlib.blake2b(json.dumps(sorted(map(list, items), key=str)).encode(), digest_size=6).hexdigest()


def _either(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([*one, *other]))


def _count(counts: dict[str, int], key: str) -> None:
    if key in counts or len(counts) < _MOST:
        counts[key] = counts.get(key, 0) + 1
