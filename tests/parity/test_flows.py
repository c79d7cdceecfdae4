"""Flows of our own, one file of ``measured/`` a subject, each with what prompt flow 1.18.5 was measured to do with it.

A case says what became of the flow: ``refused`` (it could not be loaded, and by which of prompt flow's errors), or the
``status``, the ``output``, what each node did, what the aggregation made of the one line, and the requests that models got.
Every request was answered with the same text.
"""

import base64
import json
import math
from pathlib import Path

import pytest

from penstock.api.flows import load
from penstock.engine.jsonable import Encoder, recorded
from penstock.errors import LoadError
from penstock.records import Status

MEASURED = Path(__file__).parent / "measured"
CASES = [
    pytest.param(case, id=f"{file.stem}-{case['name']}")
    for file in sorted(MEASURED.glob("*.jsonl"))
    for case in map(json.loads, file.read_text(encoding="utf-8").splitlines())
]
CONNECTIONS = {
    "open_ai_connection": {"type": "open_ai", "api_key": "k", "base_url": "http://127.0.0.1:9/v1"},
    "aoai": {"type": "azure_open_ai", "api_key": "k", "api_base": "http://127.0.0.1:9", "api_version": "2024-02-01"},
    "custom_connection": {
        "type": "custom",
        "configs": {"key1": "value1", "api_base": "http://<mock>", "url": "http://<mock>", "name": "n"},
        "secrets": {"api_key": "k", "key2": "value2"},
    },
    "serp": {"type": "serp", "api_key": "k"},
}
# Sent or left out, these mean the same to the endpoint.
DEFAULTS = {
    "temperature": 1, "top_p": 1, "n": 1, "stream": False, "stop": None, "logit_bias": {}, "user": "", "best_of": 1,
    "echo": False, "logprobs": None, "suffix": None, "max_tokens": None, "seed": None, "encoding_format": "base64",
    "response_format": {"type": "text"}, "presence_penalty": 0, "frequency_penalty": 0,
}  # fmt: skip


@pytest.fixture
def run(write_flow, tmp_path, settings):
    """``run(case)`` makes the case's flow and calls it once: the function, the result, and the aggregation."""
    opened = []

    def once(case):
        files = {name: _content(value) for name, value in case["files"].items()}
        folder = write_flow(files.pop("flow.dag.yaml"), {})
        for name, content in files.items():  # as they are: byte order marks, line ends and all
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        connections = {name: CONNECTIONS[name] for name in case.get("connections", ())}
        offline = None
        if case.get("requests"):
            (tmp_path / "rules.yaml").write_text("default: {text: fixed answer, embeddings: true}\n")
            offline = str(tmp_path / "rules.yaml")
        flow = load(folder, connections=connections, offline=offline, settings=settings)
        opened.append(flow)
        program = flow.inline.program
        result = flow.invoke(case.get("inputs", {}))
        aggregates = program.aggregates and result.failure is None
        return flow, result, flow.inline.aggregate(result) if aggregates else None

    yield once
    for flow in opened:
        flow.close()


def _content(value):
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value.encode()


@pytest.mark.parametrize("case", CASES)
def test_a_flow_does_what_prompt_flow_was_measured_to_do(run, case):
    if "refused" in case:
        with pytest.raises(LoadError):
            run(case)
        return
    flow, result, aggregation = run(case)
    assert result.status.value == case["status"], result.failure
    if result.status is Status.FAILED:
        return
    if "output" in case:
        assert _same(_json(flow, result.output), case["output"])
    assert _nodes(flow, result.nodes, case["nodes"]) == {}
    if "metrics" in case:
        assert _same({metric.name: metric.value for metric in aggregation.metrics}, case["metrics"])
        assert _nodes(flow, aggregation.nodes, case["aggregated"]) == {}
    if "requests" in case:
        sent = [_body(call) for node in result.nodes for call in node.calls]
        assert sorted(map(_text, sent)) == sorted(map(_text, map(_stripped, case["requests"])))


def _nodes(flow, runs, expected):
    """What differs, by node."""
    found = {run.node: run for run in runs}
    wrong = {name: "not run" for name in expected.keys() - found.keys()}
    for name, want in expected.items():
        run = found.get(name)
        if run is None:
            continue
        if run.status.value != want["status"]:
            wrong[name] = run.status.value
        elif "output" in want and not _same(_json(flow, recorded(run.output)), want["output"]):
            wrong[name] = run.output
    return wrong


def _json(flow, value):
    return json.loads(Encoder(redactor=flow.inline.redactor).encode(value))


def _body(call):
    return _stripped({**json.loads(Encoder().encode(dict(call.request))), "model": call.model})


def _stripped(body):
    kept = {key: value for key, value in body.items() if not (key in DEFAULTS and value == DEFAULTS[key])}
    for message in kept.get("messages", ()):
        parts = message.get("content")
        if isinstance(parts, list) and all(part.get("type") == "text" for part in parts):
            message["content"] = "\n".join(part["text"] for part in parts)
        if parts is None:
            message.pop("content", None)
    return kept


def _text(value):
    return json.dumps(value, sort_keys=True)


def _same(mine, measured):
    if isinstance(mine, float) and isinstance(measured, float) and math.isnan(mine):
        return math.isnan(measured)
    if isinstance(mine, dict) and isinstance(measured, dict):
        return mine.keys() == measured.keys() and all(_same(mine[key], measured[key]) for key in mine)
    if isinstance(mine, list) and isinstance(measured, list):
        return len(mine) == len(measured) and all(map(_same, mine, measured))
    return mine == measured and isinstance(mine, bool) == isinstance(measured, bool)
