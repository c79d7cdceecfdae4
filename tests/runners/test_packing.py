"""Results on their way to the journal."""

import json

import pytest

from penstock.engine.aggregate import Aggregation
from penstock.engine.jsonable import Encoder
from penstock.records import Failure, LineResult, Metric, NodeRun, Status, Usage
from penstock.runners import frames
from penstock.runners.packing import pack_aggregation, pack_failure, pack_result, unpack_aggregation, unpack_result
from penstock.runners.runner import LineInput

ENCODE = Encoder().encode


def unpacked(frame):
    ((kind, body),) = frames.Splitter().feed(frame)
    assert kind == frames.RESULT
    return unpack_result(body)


@pytest.mark.parametrize("cost", [None, 0.25])
def test_numbers_travel_beside_the_record(cost):
    result = LineResult(5, Status.COMPLETED, {"a": 1}, {"b": "ü"}, usage=Usage(1, 2, 3, 4, cost), duration=0.5)
    delivered = unpacked(pack_result(result, ENCODE))
    assert (delivered.index, delivered.status, delivered.usage, delivered.duration) == (
        5, Status.COMPLETED, Usage(1, 2, 3, 4, cost), 0.5,
    )  # fmt: skip
    assert LineResult.from_json(json.loads(delivered.record)) == result


def test_attempt_is_in_the_record():
    result = LineResult(0, Status.COMPLETED, {}, {})
    assert json.loads(unpacked(pack_result(result, ENCODE, 2)).record)["attempts"] == 2


def test_result_that_cannot_be_said_becomes_a_failed_line(monkeypatch):
    def refuse(value):
        if value["output"]:
            raise OSError(28, "No space left on device")
        return ENCODE(value)

    delivered = unpacked(pack_result(LineResult(3, Status.COMPLETED, {"a": 1}, {"b": 2}), refuse))
    record = LineResult.from_json(json.loads(delivered.record))
    assert (delivered.status, record.status, record.failure.kind) == (Status.FAILED, Status.FAILED, "ResultNotStored")
    assert "No space left" in record.failure.message


def test_result_that_is_too_large_to_be_sent_becomes_a_failed_line(monkeypatch):
    monkeypatch.setattr(frames, "MAX_BODY", 2000)
    delivered = unpacked(pack_result(LineResult(3, Status.COMPLETED, {}, {"b": "x" * 5000}), ENCODE))
    assert delivered.status is Status.FAILED
    assert b"ResultNotStored" in delivered.record


def test_failure_outside_the_nodes_keeps_what_went_in():
    line = LineInput(4, {"x": 1}, attempt=2)
    record = json.loads(unpacked(pack_failure(line, Failure("ProcessCrashError", "gone"), ENCODE, 1.5)).record)
    assert (record["source"], record["attempts"], record["duration"]) == ({"x": 1}, 2, 1.5)
    assert record["failure"] == {"kind": "ProcessCrashError", "message": "gone"}


def test_aggregation_comes_back():
    found = Aggregation(
        (NodeRun("a", Status.FAILED, {"x": [1]}, failure=Failure("K", "m", "a")),), (Metric("m", 0.5, 3),)
    )
    assert unpack_aggregation(pack_aggregation(found, ENCODE)) == found
