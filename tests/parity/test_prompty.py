"""Prompties of our own, each with what prompt flow 1.18.5 was measured to do with it, called and as a flow.

A call says what came back (``value``, ``stream``: the pieces joined, ``whole``: the whole answer) or which ``error`` was
raised, and the requests that the model got. Every request was answered with the case's ``answer``.
"""

import base64
import json
from pathlib import Path

import pytest

from penstock import Prompty, load
from penstock.errors import PenstockError
from penstock.tracing.notes import NOTES, Notes

CASES = [
    pytest.param(case, id=case["name"])
    for case in map(json.loads, (Path(__file__).parent / "prompty.jsonl").read_text(encoding="utf-8").splitlines())
]
# What prompt flow fails on in ways that help nobody, and what becomes of it here: works, or another error.
BETTER = {
    "fence_of_many_dashes": None,
    "ruler_in_body": None,
    "heading_in_body": None,
    "no_parameters": None,
    "no_type": None,
    "unknown_model_key": "InvalidPrompty",
    "json_broken": "JSONDecodeError",
    "no_header": None,
    "no_role": "ChatAPIInvalidRole",
    "flow_sample": None,
}


@pytest.fixture
def make(tmp_path, monkeypatch, settings):
    """``make(case)`` writes the case's files, sets its variables, and gives the prompty and the offline rules."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "AZURE_OPENAI_ENDPOINT",
        "AZURE_OPENAI_API_KEY",
        "OPENAI_API_VERSION",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)

    def written(case):
        for name, value in case["files"].items():
            content = base64.b64decode(value["base64"]) if isinstance(value, dict) else value.encode()
            (tmp_path / name).write_bytes(content)
        for name, value in {"MOCK": "http://<mock>", "MOCKV1": "http://<mock>/v1", **case.get("env", {})}.items():
            monkeypatch.setenv(name, value.replace("<mock>", "127.0.0.1:9"))
        rules = tmp_path / "rules.json.yaml"
        answer = {"text": case.get("answer", "fixed answer")}
        if "mock" in case:
            answer = {"tool_calls": case["mock"]["rules"][0]["reply_tool_calls"]}
        rules.write_text(json.dumps({"default": answer}))
        return tmp_path / "x.prompty", {"offline": str(rules), "settings": settings}

    return written


@pytest.mark.parametrize("case", CASES)
def test_a_prompty_does_what_prompt_flow_was_measured_to_do(make, case):
    path, options = make(case)
    for call in case["calls"]:
        expected = BETTER.get(case["name"], call.get("error")) if "error" in call else None
        notes = Notes()
        token = NOTES.set(notes)
        try:
            got, error = _called(case, path, options, call["inputs"]), None
        except PenstockError as caught:
            got, error = None, caught
        finally:
            NOTES.reset(token)
        assert (error.code if error is not None else None) == expected, error or got
        if "error" not in call:
            _compare(got, call)
            assert [_sent(one) for one in notes.calls] == [_wanted(one) for one in call.get("requests", ())]


def _called(case, path, options, inputs):
    if case.get("mode") == "flow":
        flow = load(path, **options)
        try:
            result = flow.invoke(inputs)
        finally:
            flow.close()
        if result.failure is not None:
            raise PenstockError(result.failure.message, code=result.failure.kind)
        NOTES.get().calls.extend(call for node in result.nodes for call in node.calls)
        whole = result.output
        return whole["output"] if set(whole) == {"output"} else whole
    got = Prompty.load(path, **case.get("load", {}), **options)(**inputs)
    return "".join(got) if hasattr(got, "__next__") else got


def _compare(got, call):
    if "whole" in call:
        assert got.choices[0].message.content == call["whole"]["choices"][0]["message"]["content"]
        assert got.model_dump()["choices"][0]["finish_reason"] == "stop"
    elif "stream" in call:
        assert got == call["stream"].strip()
    else:
        wanted = call["value"]
        assert got == (wanted.strip() if isinstance(wanted, str) else wanted)


def _sent(call):
    request = {key: value for key, value in call.request.items() if not key.startswith("extra_")}
    return {"api": {"chat": "completions", "completion": "completions"}[call.api], "model": call.model, **request}


def _wanted(request):
    return {"api": request["api"], **request["body"]}
