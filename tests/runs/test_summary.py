"""What a run says of itself."""

import pytest

from penstock.records import Failure, LineResult, ModelCall, NodeRun, Status, Usage
from penstock.runs.summary import Tally
from penstock.store.journal import RUN_RECORD, Journal


def line(index, duration, *, failed=False, output="x", usage=None):
    status = Status.FAILED if failed else Status.COMPLETED
    failure = Failure("ToolExecutionError", "no", "b") if failed else None
    calls = (ModelCall("chat", "m", {}, {}, usage),) if usage else ()
    nodes = (
        NodeRun("a", Status.COMPLETED, {}, output, 0.0, duration / 2, usage=usage or Usage(), calls=calls),
        NodeRun("b", status, {}, None if failed else output * 2, 0.0, duration / 2, failure),
        NodeRun("c", Status.BYPASSED),
    )
    return LineResult(
        index, status, {"i": index}, None if failed else {"o": 1}, failure, nodes, usage or Usage(), 0.0, duration
    )


def tally(lines, inputs=(), nodes=()):
    found = Tally(inputs, nodes)
    for one in lines:
        found.add(one.to_json())
    return found


def test_counts_states_and_usage():
    found = tally(
        [
            line(0, 1.0, usage=Usage(10, 5, 15, 1, 0.25)),
            line(1, 2.0, usage=Usage(1, 2, 3, 1, 0.5)),
            line(2, 3.0, failed=True),
        ]
    )
    metrics = found.system_metrics(9.0)
    assert (found.completed, found.failed) == (2, 1)
    assert found.usage == Usage(11, 7, 18, 2, 0.75)
    assert {name: metrics[name] for name in ("duration", "prompt_tokens", "total_tokens", "model_calls", "cost")} == {
        "duration": 9.0,
        "prompt_tokens": 11,
        "total_tokens": 18,
        "model_calls": 2,
        "cost": 0.75,
    }
    assert metrics["lines"]["completed"] == 2
    assert metrics["nodes"]["b"]["completed"] == 2
    assert metrics["nodes"]["b"]["failed"] == 1
    assert metrics["nodes"]["c"] == {"bypassed": 3}


def test_unknown_price_makes_the_cost_unknown():
    found = tally([line(0, 1.0, usage=Usage(1, 1, 2, 1, 0.1)), line(1, 1.0, usage=Usage(1, 1, 2, 1, None))])
    assert found.usage.cost is None
    assert found.system_metrics(1.0)["cost"] is None


def test_percentiles_of_lines_and_nodes():
    found = tally([line(index, float(index + 1)) for index in range(101)])
    lines = found.system_metrics(1.0)["lines"]
    assert lines["p50"] == pytest.approx(51.0, rel=0.01)
    assert lines["p95"] == pytest.approx(96.0, rel=0.01)
    assert lines["max"] == 101
    assert found.system_metrics(1.0)["nodes"]["a"]["p50"] == pytest.approx(25.5, rel=0.01)


def test_no_lines_have_no_percentiles():
    assert tally([]).system_metrics(0.0)["lines"] == {"completed": 0, "failed": 0}


def test_columns_are_those_of_completed_lines_in_their_order(tmp_path):
    with Journal.open(tmp_path) as journal:
        for one in (line(2, 1.0, output="two"), line(0, 1.0, output="zero"), line(1, 1.0, failed=True)):
            journal.append([one.to_json()])
        journal.append_raw(RUN_RECORD, b'{"index": -1, "status": "Completed"}')
        found = Tally(["i"], ["a", "c"])
        found.read(journal)
    assert found.inputs == {"i": [0, 2]}
    assert found.outputs == {"a": ["zero", "two"], "c": [None, None]}
    assert (found.completed, found.failed) == (2, 1)
