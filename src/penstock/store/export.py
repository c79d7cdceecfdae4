"""A run in prompt flow's whole folder layout, for tools that read that: one record file a line, one a node and line."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from penstock.errors import StoreError
from penstock.records import Failure, LineResult, NodeRun, Run, Status
from penstock.store.error_json import error_json
from penstock.store.files import write_results
from penstock.store.journal import RUN_RECORD, Journal
from penstock.store.jsonl import json_bytes, replacing
from penstock.store.names import safe_name


def export(run: Run, journal: Journal, target: Path) -> Path:
    """Write the whole layout of ``run`` into ``target`` (made if it is not there) and return ``target``.

    Raises:
        StoreError: ``target`` holds something already, or cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{target} is not empty; name a folder that does not exist yet.")
    try:
        for name in ("flow_artifacts", "node_artifacts", "flow_logs", "flow_outputs"):
            (target / name).mkdir(parents=True, exist_ok=True)
        write_results(target, run, journal)
        _write_lines(run, journal, target)
        _copy_kept(run, target)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror}.") from error
    return target


def _write_lines(run: Run, journal: Journal, target: Path) -> None:
    with replacing(target / "inputs.jsonl") as inputs, replacing(target / "outputs.jsonl") as outputs:
        for entry in journal.in_order():
            line = entry.result()
            number = f"{line.index:09}"
            _write(target / "flow_artifacts" / f"{number}_{number}.jsonl", _line_record(run, line))
            for node in line.nodes:
                _write(_node_file(target, node, line.index), _node_record(run, line.index, node))
            given = line.inputs if line.inputs is not None else line.source
            inputs.write(json_bytes({**(given or {}), "line_number": line.index}) + b"\n")
            if line.output is not None:
                outputs.write(json_bytes({**line.output, "line_number": line.index}) + b"\n")
            (target / "flow_logs" / f"{number}.log").write_text(log_text(line), encoding="utf-8", errors="replace")
    whole = journal.read(RUN_RECORD)
    for node in whole.result().nodes if whole else ():
        _write(_node_file(target, node, 0), _node_record(run, None, node))


def _copy_kept(run: Run, target: Path) -> None:
    """What the run's folder holds in prompt flow's form already: the snapshot, the log, files beside the outputs."""
    kept = Path(run.folder) if run.folder else None
    if kept is not None and (kept / "snapshot").is_dir():
        shutil.copytree(kept / "snapshot", target / "snapshot", symlinks=True)
    if kept is not None and (kept / "flow_outputs").is_dir():
        for file in (kept / "flow_outputs").iterdir():
            if file.is_file() and not file.is_symlink() and file.name != "output.jsonl":
                shutil.copyfile(file, target / "flow_outputs" / file.name)
    if kept is not None and (kept / "logs.txt").is_file():
        shutil.copyfile(kept / "logs.txt", target / "logs.txt")
    else:
        text = f"Run {run.name}: {run.status}, {run.completed} lines completed, {run.failed} failed.\n"
        (target / "logs.txt").write_text(text, encoding="utf-8")


def _node_file(target: Path, node: NodeRun, line: int) -> Path:
    place = "".join(f"_{item}" for item in node.item)
    return target / "node_artifacts" / safe_name(node.node) / f"{line:09}{place}.jsonl"


def _write(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(json_bytes(record) + b"\n")


def detail(name: str, line: LineResult, extra: Iterable[NodeRun] = ()) -> dict[str, Any]:
    """What prompt flow's flow.detail.json says of one call of a flow; ``extra`` are its aggregation nodes."""
    given = line.inputs if line.inputs is not None else line.source
    return {
        "flow_runs": [{**_line_info(name, line), "inputs": given}],
        "node_runs": [
            *(_node_info(name, line.index, node) for node in line.nodes),
            *(_node_info(name, None, node) for node in extra),
        ],
    }


def node_detail(name: str, node: NodeRun) -> dict[str, Any]:
    """The same of one node that was called alone."""
    return {"flow_runs": [], "node_runs": [_node_info(name, 0, node)]}


def _line_record(run: Run, line: LineResult) -> dict[str, Any]:
    return {
        "line_number": line.index,
        "run_info": _line_info(run.name, line),
        "start_time": _time(line.started),
        "end_time": _time(line.started + line.duration),
        "name": "",
        "description": "",
        "status": line.status.value,
        "tags": None,
    }


def _line_info(name: str, line: LineResult) -> dict[str, Any]:
    tokens = line.usage
    given = line.inputs if line.inputs is not None else line.source
    return {
        "run_id": f"{name}_{line.index}",
        "status": line.status.value,
        "error": _error(line.failure),
        "inputs": None if given is None else {**given, "line_number": line.index},
        "output": line.output,
        "metrics": None,
        "request": None,
        "parent_run_id": name,
        "root_run_id": name,
        "source_run_id": None,
        "flow_id": "default_flow_id",
        "start_time": _time(line.started) + "Z",
        "end_time": _time(line.started + line.duration) + "Z",
        "index": line.index,
        "api_calls": [_call(node) for node in line.nodes if node.status is not Status.BYPASSED],
        "name": "",
        "description": "",
        "tags": None,
        "system_metrics": {
            "duration": line.duration,
            "prompt_tokens": tokens.prompt_tokens,
            "completion_tokens": tokens.completion_tokens,
            "total_tokens": tokens.total_tokens,
        },
        "result": line.output,
        "upload_metrics": False,
        "otel_trace_id": "",
        "message_format": "",
    }


def _node_record(run: Run, line: int | None, node: NodeRun) -> dict[str, Any]:
    return {
        "NodeName": node.node,
        "line_number": line,
        "run_info": _node_info(run.name, line, node),
        "start_time": _time(node.started),
        "end_time": _time(node.started + node.duration),
        "status": node.status.value,
    }


def _node_info(name: str, line: int | None, node: NodeRun) -> dict[str, Any]:
    end = node.started + node.duration
    return {
        "node": node.node,
        "flow_run_id": name,
        "run_id": f"{name}_{node.label}_{'reduce' if line is None else line}",
        "status": node.status.value,
        "inputs": node.inputs,
        "output": node.output,
        "metrics": None,
        "error": _error(node.failure),
        "parent_run_id": name if line is None else f"{name}_{line}",
        "start_time": _time(node.started) + "Z",
        "end_time": _time(end) + "Z",
        "index": line,
        "api_calls": [] if node.status is Status.BYPASSED else [_call(node)],
        "cached_run_id": None,
        "cached_flow_run_id": None,
        "logs": {"stdout": "", "stderr": "", **(node.logs or {})},
        "system_metrics": {"duration": node.duration, **_tokens(node)},
        "result": node.output,
        "message_format": "",
    }


def _call(node: NodeRun) -> dict[str, Any]:
    children = [
        {
            "name": f"{call.api}.{call.model}",
            "type": "LLM",
            "inputs": dict(call.request),
            "output": call.response,
            "start_time": call.started,
            "end_time": call.started + call.duration,
            "error": None if call.error is None else {"message": call.error, "type": "ModelError"},
            "children": None,
            "node_name": None,
            "system_metrics": {"duration": call.duration, "total_tokens": call.usage.total_tokens},
        }
        for call in node.calls
    ]
    failed = node.failure
    return {
        "name": node.node,
        "type": "Tool",
        "inputs": node.inputs,
        "output": node.output,
        "start_time": node.started,
        "end_time": node.started + node.duration,
        "error": None if failed is None else {"message": failed.message, "type": failed.cause or failed.kind},
        "children": children,
        "node_name": node.node,
    }


def _tokens(node: NodeRun) -> dict[str, int]:
    if not node.usage.calls:
        return {}
    return {
        "prompt_tokens": node.usage.prompt_tokens,
        "completion_tokens": node.usage.completion_tokens,
        "total_tokens": node.usage.total_tokens,
    }


def log_text(line: LineResult) -> str:
    """What the nodes of a line printed, and why it failed, as prompt flow's log of that line."""
    lines = []
    for node in line.nodes:
        for stream, level in (("stdout", "INFO"), ("stderr", "WARNING")):
            for text in (node.logs or {}).get(stream, "").splitlines():
                lines.append(f"{_time(node.started)} +0000 execution.flow     {level:<8} [{node.node}] {text}\n")
    if line.failure is not None:
        lines.append(
            f"{_time(line.started + line.duration)} +0000 execution          ERROR    {line.failure.message}\n"
        )
    return "".join(lines)


def _error(failure: Failure | None) -> dict[str, Any] | None:
    return None if failure is None else error_json(failure)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
