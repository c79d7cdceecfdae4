"""One line through a program: the only executor there is, for every kind of flow.

A node runs as soon as what it refers to is settled (completed or bypassed). The first failure ends the line. The rules of
``activate`` and bypass are prompt flow's to the letter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

from penstock.cache import ContentCache, content_key
from penstock.connections.redact import Redactor
from penstock.engine.capture import BUFFER
from penstock.engine.converse import converse
from penstock.engine.each import as_items, run_items
from penstock.engine.failure import failure_of
from penstock.engine.host import Host
from penstock.engine.inputs import convert_inputs
from penstock.engine.jsonable import unserializable
from penstock.engine.line import BYPASSED, Line, Notes, spans_of, total
from penstock.engine.program import Condition, OutputPlan, Program, Step
from penstock.engine.streams import is_stream, wrap
from penstock.errors import InputError, PenstockError
from penstock.graph.flow import Around
from penstock.prompts.provenance import LINE_DATA
from penstock.records import NO_USAGE, Failure, LineResult, NodeRun, Status
from penstock.tracing.notes import NOTES


async def execute(
    program: Program,
    values: Mapping[str, Any],
    host: Host,
    *,
    index: int | None = None,
    folder: Path | None = None,
    streaming: bool = False,
    live: bool = False,
) -> LineResult:
    """Run one line.

    Args:
        program: The bound flow.
        values: Flow inputs as mapped or given, not yet converted.
        host: Calls the tools.
        index: Line number of the data; None for a single call.
        folder: Where relative image paths in ``values`` start.
        streaming: Leave generators among the outputs unconsumed instead of joining them to text.
        live: Outputs may be any objects, because they stay in this process.

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
    if program.speakers:
        output, problem, runs = await converse(program, inputs, partial(_part, host=host, index=index))
    elif program.flow.around is not None:
        output, problem, runs = await _watched(program, program.flow.around, inputs, host, streaming, live)
    else:
        output, problem, runs = await _nodes(program, inputs, host, streaming, live)
    usage = NO_USAGE
    for run in runs:
        if run.usage.calls:
            usage += run.usage
    status = Status.COMPLETED if problem is None else Status.FAILED
    spent = time.perf_counter() - clock
    return LineResult(number, status, inputs, output, problem, runs, usage, started, spent)


async def _part(program: Program, values: Mapping[str, Any], *, host: Host, index: int | None) -> LineResult:
    """A flow within a line of another flow."""
    return await execute(program, values, host, index=index)


async def _watched(
    program: Program, around: Around, inputs: Mapping[str, Any], host: Host, streaming: bool, live: bool
) -> tuple[dict[str, Any] | None, Failure | None, tuple[NodeRun, ...]]:
    output: dict[str, Any] | None = None
    problem: Failure | None = None
    runs: tuple[NodeRun, ...] = ()
    try:
        end = around(inputs)
        try:
            output, problem, runs = await _nodes(program, inputs, host, streaming, live)
        finally:
            end(output, None if problem is None else problem.node)
    except Exception as error:
        # Who watches may fail as a node may; the line says so.
        return None, failure_of(error, None, program.redactor), runs
    return output, problem, runs


async def _nodes(
    program: Program, inputs: Mapping[str, Any], host: Host, streaming: bool, live: bool
) -> tuple[dict[str, Any] | None, Failure | None, tuple[NodeRun, ...]]:
    line = Line(program, inputs)
    output: dict[str, Any] | None = None
    problem = await _run_nodes(line, host)
    if problem is None:
        output, problem = await _outputs(line, host, streaming, live)
    if problem is None and program.aggregates:
        output, problem = _columns(line, output)
    return output, problem, line.records()


async def _run_nodes(line: Line, host: Host) -> Failure | None:
    program = line.program
    steps = program.steps[program.given : program.line_steps]
    if program.sequential or host.concurrency == 1:
        for step in steps:
            failure = await run_step(line, step, host)
            if failure is not None:
                return failure
        return None
    return await _run_parallel(line, steps, host)


async def _run_parallel(line: Line, steps: tuple[Step, ...], host: Host) -> Failure | None:
    given = line.program.given
    waiting = {step.position: sum(parent >= given for parent in step.parents) for step in steps}
    ready = [step for step in steps if not waiting[step.position]]
    running: dict[Any, Step] = {}
    try:
        while ready or running:
            if len(ready) == 1 and not running:
                step = ready.pop()
                finished = [(step, await run_step(line, step, host))]
            else:
                finished = await _some(line, ready, running, host)
            for step, failure in finished:
                if failure is not None:
                    return failure
                for child in step.children:
                    if child in waiting:
                        waiting[child] -= 1
                        if not waiting[child]:
                            ready.append(line.program.steps[child])
            ready.sort(key=_position)
    finally:
        # After a failure, or when this line itself is cancelled because its time is over.
        _cancel(line, running)
    return None


async def _some(line: Line, ready: list[Step], running: dict[Any, Step], host: Host) -> list[tuple[Step, Any]]:
    """Start what is ready, as far as there is room, and wait for the first to end."""
    while ready and len(running) < host.concurrency:
        step = ready.pop(0)
        running[host.start(run_step(line, step, host))] = step
    done = await host.first(running)
    finished = [(running.pop(handle), handle.result()) for handle in done]
    # Of several that failed at once the line always reports the same one.
    return sorted(finished, key=lambda pair: pair[0].position)


def _position(step: Step) -> int:
    return step.position


def _cancel(line: Line, running: dict[Any, Step]) -> None:
    for handle, step in running.items():
        handle.cancel()
        if line.runs[step.position] is None and step.block is None:
            line.runs[step.position] = NodeRun(step.name, Status.CANCELED, item=line.item)
    running.clear()


async def run_step(line: Line, step: Step, host: Host) -> Failure | None:
    """Run or bypass one node and settle it on ``line``; returns its failure, if it failed."""
    try:
        if _bypassed(line, step):
            line.bypass(step)
            return None
        if step.block is not None:
            return await run_items(line, step, host, _run_nodes)
        arguments = _arguments(line, step)
    except Exception as error:
        # A comparison or a property of the user's own objects may raise anything.
        return failure_of(error, step.name, line.program.redactor)
    return await call_step(line, step, arguments, host)


async def call_step(line: Line, step: Step, arguments: dict[str, Any], host: Host) -> Failure | None:
    """Call the tool of ``step`` and settle it on ``line``."""
    notes = line.notes[step.position] = Notes(line.program.redactor, line.item)
    calls = notes.calls
    # Not ``with notes.taking()``: this is done for every node of every line.
    notes_token, buffer_token, data_token = NOTES.set(notes), BUFFER.set(notes.buffer), LINE_DATA.set(line.data)
    started, clock = time.time(), time.perf_counter()
    failure: Failure | None = None
    value: Any = None
    cached = False
    try:
        key = content_key(step.bound.fingerprint, arguments) if step.cache and host.cache is not None else None
        found = host.cache.get(key) if key is not None and host.cache is not None else None
        if found is not None:
            value, cached = found[0], True
            notes.prompts.extend(used.told() for used in step.bound.prompts)
        else:
            data = line.data() if step.bound.wants_data else None
            value = wrap(await host.invoke(step.bound, arguments, data))
            if step.expands:
                value = await as_items(value, host, step.name)
            if key is not None and host.cache is not None:
                _keep(host.cache, key, value, line.program.redactor())
    except Exception as error:
        failure = failure_of(error, step.name, line.program.redactor)
    finally:
        LINE_DATA.reset(data_token)
        NOTES.reset(notes_token)
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
        notes.buffer.logs(),
        cached,
        spans_of(notes.spans) if notes.spans else (),
        tuple(notes.prompts),
        line.item,
    )
    if failure is None:
        line.settle(step, run, value)
    else:
        line.runs[step.position] = run
    return failure


def _keep(cache: ContentCache, key: str, value: Any, redactor: Redactor) -> None:
    # A value with a secret in it could only be kept masked, and would come back changed.
    if not (redactor and redactor.hits(repr(value))):
        cache.put(key, value)


def _bypassed(line: Line, step: Step) -> bool:
    condition = step.condition
    if condition is not None:
        if condition.parent is not None and line.settled[condition.parent] == BYPASSED:
            return True
        # A condition that is met runs the node even if everything it refers to was bypassed.
        return not _condition_value(line, condition, step) == condition.equals  # ruff: ignore[negate-equal-op]  an object's own == decides
    if step.block is not None:
        return line.settled[step.block.imports[0].parent] == BYPASSED
    parents = step.from_nodes
    return bool(parents) and all(line.settled[source.parent] == BYPASSED for source in parents)


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
    # A tool may change the lists and maps that it gets; the next line must not see that.
    arguments = {name: _fresh(value) for name, value in step.bound.constants.items()}
    inputs = line.inputs
    for source in step.from_inputs:
        if source.input in inputs:  # else it is optional, and the code's own default applies
            arguments[source.parameter] = inputs[source.input]
    for parent in step.from_nodes:
        if line.settled[parent.parent] == BYPASSED:
            if parent.parameter not in step.bound.optional:
                arguments[parent.parameter] = None
            continue
        value = line.outputs[parent.parent]
        arguments[parent.parameter] = value if parent.read is None else parent.read(value)
    return arguments


def _fresh(value: Any) -> Any:
    if type(value) is list:
        return [_fresh(item) for item in value]
    return {key: _fresh(item) for key, item in value.items()} if type(value) is dict else value


def _columns(line: Line, output: dict[str, Any] | None) -> tuple[dict[str, Any] | None, Failure | None]:
    """``output`` again, unless an aggregation node refers to something that this line does not have: then it fails."""
    program = line.program
    for step in program.steps[program.line_steps :]:
        for source in step.from_nodes:
            if source.read is not None and source.parent < program.line_steps:
                try:
                    source.read([line.outputs[source.parent]])
                except Exception as error:
                    return None, failure_of(error, program.steps[source.parent].name, program.redactor)
    return output, None


def _plans(line: Line) -> list[OutputPlan]:
    """Outputs of a flow whose outputs only its value tells: one an item of a map, else ``output``."""
    position = line.program.whole
    assert position is not None, "asked for such flows only"
    value = line.outputs[position]
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if not isinstance(value, Mapping):
        return [OutputPlan("output", position)]
    return [OutputPlan(str(name), position, read=_always(item)) for name, item in value.items()]


def _always(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


async def _outputs(line: Line, host: Host, streaming: bool, live: bool) -> tuple[dict[str, Any] | None, Failure | None]:
    output: dict[str, Any] = {}
    for plan in line.program.outputs if line.program.whole is None else _plans(line):
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
                value = await line.consume(plan.parent, value, host)
        except Exception as error:
            node = line.program.steps[plan.parent].name if plan.parent is not None else None
            return None, failure_of(error, node, line.program.redactor)
        reason = None if live or is_stream(value) else unserializable(value)
        if reason is not None:
            return None, Failure(
                "FlowOutputUnserializable",
                f"The output {plan.name!r} for flow is incorrect. The output value is not JSON serializable. JSON dump"
                f" failed: {reason}. Return plain values (texts, numbers, lists, maps) from the node.",
            )
        output[plan.name] = value
    return output, None
