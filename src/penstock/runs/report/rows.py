"""Records in the page's own form: a short row for the table, a detail that is decoded when a line is opened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from penstock.records import Failure, LineResult, ModelCall, NodeRun, Run, Span, Usage
from penstock.runs.axes import Axes, changes, prompt_digests, told
from penstock.runs.report.clip import Clip, number

_MOST_PROMPTS = 100
_MESSAGE_FIELDS = ("messages", "input", "prompt")


def row_of(line: LineResult, clip: Clip) -> dict[str, Any]:
    """What the table, its search and the top of the detail show of one line."""
    inputs = line.inputs if line.inputs is not None else line.source
    output = clip.fields(line.output) if line.output is not None else None
    row: dict[str, Any] = {
        "line": line.index,
        "status": line.status.value,
        "took": number(line.duration),
        "digest": _digest(line, output),
        "inputs": clip.fields(inputs) if inputs is not None else None,
        "output": output,
    }
    if line.inputs is None and line.source is not None:
        row["refused"] = True
    if line.failure is not None:
        row["failure"] = _failure(line.failure, clip, traceback=False)
    if line.usage.calls:
        row["usage"] = usage_of(line.usage)
    if line.attempts != 1:
        row["attempts"] = line.attempts
    if any(node.prompts for node in line.nodes):
        row["prompts"] = list(prompt_digests(line))
    return row


def detail_of(line: LineResult, clip: Clip) -> dict[str, Any]:
    """What is shown once a line is opened: its nodes with everything they did, and the traceback."""
    detail: dict[str, Any] = {"started": number(line.started), "nodes": [node_of(node, clip) for node in line.nodes]}
    if line.failure is not None and line.failure.traceback:
        detail["traceback"] = clip.value(line.failure.traceback)
    return detail


def run_of(run: Run, clip: Clip) -> dict[str, Any]:
    """The head of a run. Its properties and its folder stay out: they may name things of the machine it ran on."""
    return {
        "name": clip.value(run.name),
        "display_name": clip.value(run.display_name),
        "description": clip.value(run.description),
        "status": run.status.value,
        "flow": clip.value(run.flow),
        "data": clip.value(run.data),
        "run": clip.value(list(run.run)),
        "variant": clip.value(list(run.variant)),
        "column_mapping": clip.fields(run.column_mapping),
        "tags": clip.fields(run.tags),
        "created": number(run.created),
        "started": number(run.started),
        "ended": number(run.ended),
        "lines": run.lines,
        "completed": run.completed,
        "failed": run.failed,
        "unscored": run.unscored,
        "usage": usage_of(run.usage),
        "metrics": [
            {"name": clip.value(metric.name), "value": clip.value(metric.value), "lines": metric.lines}
            for metric in run.metrics
        ],
        "failure": _failure(run.failure, clip, traceback=True) if run.failure else None,
        "offline": run.offline,
    }


def made_of(axes: Axes, first: Axes, clip: Clip) -> dict[str, Any]:
    """What a run was made of, and how that differs from the first run of the page."""
    found = [] if axes is first else changes(first, axes)
    return {
        "commit": clip.value(axes.commit),
        "prompts": [
            {"node": clip.value(node), "told": clip.value(text), "uses": count}
            for node, uses in axes.prompts.items()
            for text, count in uses.items()
        ][:_MOST_PROMPTS],
        "changed": [
            {
                "axis": change.axis,
                "node": clip.value(change.node),
                "before": clip.value(change.before),
                "after": clip.value(change.after),
            }
            for change in found
        ][:_MOST_PROMPTS],
        "compared": axes is not first,
    }


def usage_of(usage: Usage) -> dict[str, Any]:
    """Tokens and cost."""
    return {
        "calls": usage.calls,
        "prompt": usage.prompt_tokens,
        "completion": usage.completion_tokens,
        "total": usage.total_tokens,
        "cost": number(usage.cost),
    }


def _failure(failure: Failure, clip: Clip, *, traceback: bool) -> dict[str, Any]:
    data = {
        "kind": clip.value(failure.kind),
        "message": clip.value(failure.message),
        "node": clip.value(failure.node),
        "cause": clip.value(failure.cause),
    }
    if traceback:
        data["traceback"] = clip.value(failure.traceback)
    return {key: value for key, value in data.items() if value is not None}


def node_of(node: NodeRun, clip: Clip) -> dict[str, Any]:
    """One node with everything it did."""
    data: dict[str, Any] = {
        "node": clip.value(node.label),
        "status": node.status.value,
        "started": number(node.started),
        "took": number(node.duration),
        "inputs": clip.fields(node.inputs) if node.inputs is not None else None,
        "output": clip.value(node.output),
    }
    if node.failure is not None:
        data["failure"] = _failure(node.failure, clip, traceback=True)
    if node.usage.calls:
        data["usage"] = usage_of(node.usage)
    if node.calls:
        data["calls"] = [_call(call, clip) for call in node.calls]
    if node.logs and any(node.logs.values()):
        data["logs"] = clip.fields({name: text for name, text in node.logs.items() if text})
    if node.cached:
        data["cached"] = True
    if node.prompts:
        data["prompts"] = [
            {
                "told": clip.value(told(use)),
                "source": use.source,
                "template": use.template,
                "rendered": use.rendered,
                "closure": use.closure,
                "commit": use.commit,
            }
            for use in node.prompts
        ]
    if node.spans:
        data["spans"] = [_span(span, clip) for span in node.spans]
    if node.item:
        data["of"] = clip.value(node.node)
    return data


def _span(span: Span, clip: Clip) -> dict[str, Any]:
    return {
        "id": clip.value(span.id),
        "parent": clip.value(span.parent),
        "name": clip.value(span.name),
        "type": clip.value(span.type),
        "inputs": clip.fields(span.inputs) if span.inputs is not None else None,
        "output": clip.value(span.output),
        "error": clip.value(span.error),
        "started": number(span.started),
        "took": number(span.duration),
    }


def _call(call: ModelCall, clip: Clip) -> dict[str, Any]:
    request = dict(call.request)
    sent = {name: _prompt(request.pop(name), clip) for name in _MESSAGE_FIELDS if name in request}
    return {
        "api": clip.value(call.api),
        "model": clip.value(call.model),
        "sent": sent,
        "params": clip.fields(request),
        "response": clip.fields(call.response) if isinstance(call.response, Mapping) else clip.value(call.response),
        "usage": usage_of(call.usage),
        "started": number(call.started),
        "took": number(call.duration),
        "attempts": call.attempts,
        "offline": call.offline,
        "error": clip.value(call.error),
        **({"span": clip.value(call.span)} if call.span is not None else {}),
    }


def _prompt(sent: Any, clip: Clip) -> Any:
    return clip.items(sent) if isinstance(sent, list | tuple) else clip.value(sent)


def _digest(line: LineResult, shown: dict[str, Any] | None) -> str:
    """Tells whether two runs answered the same, also where the page shows only the beginning of the answer."""
    try:
        text = json.dumps(line.output, sort_keys=True, default=str)
    except (ValueError, TypeError, RecursionError):
        # Nested too deeply, or a number too long: what the page shows of it is compared.
        text = json.dumps(shown, sort_keys=True)
    return hashlib.blake2b(f"{line.status.value}\n{text}".encode(), digest_size=6).hexdigest()
