"""One line through a program: the only executor there is, for every kind of flow.

A node runs as soon as what it refers to is settled (completed or bypassed). The first failure ends the line. The rules of
``activate`` and bypass are prompt flow's to the letter.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.cache import content_key
from penstock.engine.capture import BUFFER, Buffer
from penstock.engine.failure import failure_of
from penstock.engine.host import Host
from penstock.engine.inputs import convert_inputs
from penstock.engine.jsonable import unserializable
from penstock.engine.program import Condition, Program, Step
from penstock.engine.streams import is_stream, joined, wrap
from penstock.errors import InputError, PenstockError
from penstock.records import NO_USAGE, Failure, LineResult, ModelCall, NodeRun, Status, Usage
from penstock.tracing.calls import CALLS

_PENDING, _DONE, _BYPASSED = 0, 1, 2


async def execute(
    program: Program,
    values: Mapping[str, Any],
    host: Host,
    *,
    index: int | None = None,
    folder: Path | None = None,
    streaming: bool = False,
) -> LineResult:
    """Run one line.

    Args:
        program: The bound flow.
        values: Flow inputs as mapped or given, not yet converted.
        host: Calls the tools.
        index: Line number of the data; None for a single call.
        folder: Where relative image paths in ``values`` start.
        streaming: Leave generators among the outputs unconsumed instead of joining them to text.

    Returns:
        The result; a failure is in it, never raised.
    """
    started, clock = time.time(), time.perf_counter()
    number = index or 0
    try:
        inputs = convert_inputs(program, values, index=index, folder=folder)
    except PenstockError as error:
        failure = Failure(error.code, error.message)
        spent = time.perf_counter() - clock
        return LineResult(number, Status.FAILED, None, None, failure, (), NO_USAGE, started, spent, dict(values))
    line = Line(program, inputs)
    output: dict[str, Any] | None = None
    problem = await _run_nodes(line, host)
    if problem is None:
        output, problem = await _outputs(line, host, streaming)
    runs = line.records()
    usage = NO_USAGE
    for run in runs:
        if run.usage.calls:
            usage += run.usage
    status = Status.COMPLETED if problem is None else Status.FAILED
    spent = time.perf_counter() - clock
    return LineResult(number, status, inputs, output, problem, runs, usage, started, spent)


class Line:
    """What is known while a line runs."""

    __slots__ = ("inputs", "outputs", "program", "runs", "settled")

    def __init__(self, program: Program, inputs: Mapping[str, Any]) -> None:
        count = len(program.steps)
        self.program = program
        self.inputs = inputs
        self.outputs: list[Any] = [None] * count
        self.settled = [_PENDING] * count
        self.runs: list[NodeRun | None] = [None] * count

    def settle(self, step: Step, run: NodeRun, value: Any) -> None:
        """Note that ``step`` completed with ``value``."""
        self.runs[step.position] = run
        self.outputs[step.position] = value
        self.settled[step.position] = _DONE

    def bypass(self, step: Step) -> None:
        """Note that ``step`` was not run."""
        self.runs[step.position] = NodeRun(step.name, Status.BYPASSED)
        self.settled[step.position] = _BYPASSED

    def records(self) -> tuple[NodeRun, ...]:
        """The nodes that began or were bypassed; text of consumed streams in place of the streams."""
        return tuple(run for run in self.runs if run is not None)

    def data(self) -> list[Any]:
        """What came from outside the flow: its inputs and the answers of models."""
        answers = [
            self.outputs[step.position]
            for step in self.program.steps
            if step.kind in ("llm", "custom_llm") and self.settled[step.position] == _DONE
        ]
        return [*self.inputs.values(), *answers]


async def _run_nodes(line: Line, host: Host) -> Failure | None:
    program = line.program
    steps = program.steps[: program.line_steps]
    if program.sequential or host.concurrency == 1:
        for step in steps:
            failure = await run_step(line, step, host)
            if failure is not None:
                return failure
        return None
    return await _run_parallel(line, steps, host)


async def _run_parallel(line: Line, steps: tuple[Step, ...], host: Host) -> Failure | None:
    waiting = {step.position: len(step.parents) for step in steps}
    ready = [step for step in steps if not step.parents]
    running: dict[Any, Step] = {}
    while ready or running:
        if len(ready) == 1 and not running:
            step = ready.pop()
            failure = await run_step(line, step, host)
            finished = [(step, failure)]
        else:
            while ready and len(running) < host.concurrency:
                step = ready.pop(0)
                running[host.start(run_step(line, step, host))] = step
            done = await host.first(running)
            finished = [(running.pop(handle), handle.result()) for handle in done]
        for step, failure in finished:
            if failure is not None:
                _cancel(line, running)
                return failure
            for child in step.children:
                if child in waiting:
                    waiting[child] -= 1
                    if not waiting[child]:
                        ready.append(line.program.steps[child])
        ready.sort(key=_position)
    return None


def _position(step: Step) -> int:
    return step.position


def _cancel(line: Line, running: dict[Any, Step]) -> None:
    for handle, step in running.items():
        handle.cancel()
        if line.runs[step.position] is None:
            line.runs[step.position] = NodeRun(step.name, Status.CANCELED)


async def run_step(line: Line, step: Step, host: Host) -> Failure | None:
    """Run or bypass one node and settle it on ``line``; returns its failure, if it failed."""
    try:
        if _bypassed(line, step):
            line.bypass(step)
            return None
        arguments = _arguments(line, step)
    except (PenstockError, TypeError) as error:
        return failure_of(error, step.name)
    return await call_step(line, step, arguments, host)


async def call_step(line: Line, step: Step, arguments: dict[str, Any], host: Host) -> Failure | None:
    """Call the tool of ``step`` and settle it on ``line``."""
    calls: list[ModelCall] = []
    buffer = Buffer()
    calls_token, buffer_token = CALLS.set(calls), BUFFER.set(buffer)
    started, clock = time.time(), time.perf_counter()
    failure: Failure | None = None
    value: Any = None
    cached = False
    try:
        key = content_key(step.bound.fingerprint, arguments) if step.cache and host.cache is not None else None
        found = host.cache.get(key) if key is not None and host.cache is not None else None
        if found is not None:
            value, cached = found[0], True
        else:
            data = line.data() if step.bound.wants_data else None
            value = wrap(await host.invoke(step.bound, arguments, data))
            if key is not None and host.cache is not None:
                host.cache.put(key, value)
    except Exception as error:
        failure = failure_of(error, step.name)
    finally:
        CALLS.reset(calls_token)
        BUFFER.reset(buffer_token)
    run = NodeRun(
        step.name,
        Status.COMPLETED if failure is None else Status.FAILED,
        arguments,
        value,
        started,
        time.perf_counter() - clock,
        failure,
        total(calls) if calls else NO_USAGE,
        tuple(calls),
        buffer.logs(),
        cached,
    )
    if failure is None:
        line.settle(step, run, value)
    else:
        line.runs[step.position] = run
    return failure


def total(calls: list[ModelCall]) -> Usage:
    """What all of ``calls`` consumed."""
    usage = NO_USAGE
    for call in calls:
        usage += call.usage
    return usage


def _bypassed(line: Line, step: Step) -> bool:
    condition = step.condition
    if condition is not None:
        if condition.parent is not None and line.settled[condition.parent] == _BYPASSED:
            return True
        # A condition that is met runs the node even if everything it refers to was bypassed.
        return bool(_condition_value(line, condition, step) != condition.equals)
    parents = step.from_nodes
    return bool(parents) and all(line.settled[source.parent] == _BYPASSED for source in parents)


def _condition_value(line: Line, condition: Condition, step: Step) -> Any:
    if condition.input is not None:
        if condition.input not in line.inputs:
            raise InputError(
                f"The activate condition of node {step.name!r} refers to the flow input {condition.input!r}, which is not"
                " provided.",
                code="InputNotFound",
            )
        return line.inputs[condition.input]
    if condition.parent is not None:
        value = line.outputs[condition.parent]
        return value if condition.read is None else condition.read(value)
    return condition.value


def _arguments(line: Line, step: Step) -> dict[str, Any]:
    arguments = dict(step.bound.constants)
    for source in step.from_inputs:
        arguments[source.parameter] = line.inputs[source.input]
    for parent in step.from_nodes:
        if line.settled[parent.parent] == _BYPASSED:
            if parent.parameter not in step.bound.optional:
                arguments[parent.parameter] = None
            continue
        value = line.outputs[parent.parent]
        arguments[parent.parameter] = value if parent.read is None else parent.read(value)
    return arguments


async def _outputs(line: Line, host: Host, streaming: bool) -> tuple[dict[str, Any] | None, Failure | None]:
    output: dict[str, Any] = {}
    for plan in line.program.outputs:
        try:
            if plan.parent is not None:
                value = line.outputs[plan.parent]
                if plan.read is not None:
                    value = plan.read(value)
            elif plan.input is not None:
                value = line.inputs.get(plan.input)
            else:
                value = plan.value
            value = wrap(value)
            if is_stream(value) and not streaming:
                await host.drain(value)
                value = joined(value)
        except Exception as error:
            node = line.program.steps[plan.parent].name if plan.parent is not None else None
            return None, failure_of(error, node)
        reason = None if is_stream(value) else unserializable(value)
        if reason is not None:
            return None, Failure(
                "FlowOutputUnserializable",
                f"The output {plan.name!r} for flow is incorrect. The output value is not JSON serializable. JSON dump"
                f" failed: {reason}. Return plain values (texts, numbers, lists, maps) from the node.",
            )
        output[plan.name] = value
    return output, None
