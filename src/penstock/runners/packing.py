"""A line's result on its way from where it ran to the journal: numbers that are counted, then the record as JSON text."""

from __future__ import annotations

import dataclasses
import json
import math
import struct
import time
from collections.abc import Callable
from typing import Any

from penstock.engine.aggregate import Aggregation
from penstock.records import Failure, LineResult, Metric, NodeRun, Status, Usage
from penstock.runners import frames
from penstock.runners.runner import Delivered, LineInput

# Index, status, calls, prompt tokens, completion tokens, total tokens, cost (NaN: unknown), duration.
_HEAD = struct.Struct("!QBIQQQdd")
_STATUS = list(Status)

Encode = Callable[[Any], str]


def pack_result(result: LineResult, encode: Encode, attempt: int = 1) -> bytes:
    """A result as a frame. One that cannot be said, saved or sent makes a failed line that says why, never an exception."""
    try:
        return _pack(result, encode, attempt)
    except Exception as error:
        return _pack(_without_values(result, error), encode, attempt)


def pack_failure(line: LineInput, failure: Failure, encode: Encode, seconds: float = 0.0) -> bytes:
    """The frame of a line that failed outside its nodes, after ``seconds``."""
    started = time.time() - seconds
    result = LineResult(
        line.index, Status.FAILED, None, None, failure, (), started=started, duration=seconds, source=line.values
    )
    return pack_result(result, encode, line.attempt)


def unpack_result(body: bytes) -> Delivered:
    """What ``pack_result`` packed; the record is not parsed."""
    index, status, calls, prompt, completion, total, cost, duration = _HEAD.unpack_from(body)
    usage = Usage(prompt, completion, total, calls, None if math.isnan(cost) else cost)
    return Delivered(index, _STATUS[status], body[_HEAD.size :], usage, duration)


def pack_aggregation(found: Aggregation, encode: Encode) -> bytes:
    """The body of an aggregation's frame."""
    metrics = [metric.to_json() for metric in found.metrics]
    return encode({"nodes": [run.to_json() for run in found.nodes], "metrics": metrics}).encode()


def unpack_aggregation(body: bytes) -> Aggregation:
    """What ``pack_aggregation`` packed."""
    data = json.loads(body)
    return Aggregation(
        tuple(NodeRun.from_json(node) for node in data["nodes"]),
        tuple(Metric.from_json(metric) for metric in data["metrics"]),
    )


def _pack(result: LineResult, encode: Encode, attempt: int) -> bytes:
    if attempt != 1:
        result = dataclasses.replace(result, attempts=attempt)
    usage = result.usage
    head = _HEAD.pack(
        result.index,
        _STATUS.index(result.status),
        usage.calls,
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        math.nan if usage.cost is None else usage.cost,
        result.duration,
    )
    return frames.pack(frames.RESULT, head + encode(result.to_json()).encode())


def _without_values(result: LineResult, error: Exception) -> LineResult:
    failure = Failure(
        "ResultNotStored",
        f"Line {result.index} ran, but its result cannot be stored: ({type(error).__name__}) {error}",
        cause=type(error).__name__,
    )
    # Nothing of the values is kept: whichever of them was the reason would be it again.
    return dataclasses.replace(
        result, status=Status.FAILED, inputs=None, output=None, nodes=(), failure=failure, source=None
    )
