"""Aggregation nodes: once a run, over the columns that its completed lines left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.engine.execute import run_step
from penstock.engine.host import Host
from penstock.engine.line import Line
from penstock.engine.program import Program, Step
from penstock.records import Failure, Metric, NodeRun, Status
from penstock.tools.metric import collecting


@dataclass(frozen=True, slots=True)
class Columns:
    """What the completed lines left for the aggregation: a list an input, a list a node, all of one length and order."""

    inputs: Mapping[str, Sequence[Any]]
    outputs: Mapping[str, Sequence[Any]]
    lines: int


@dataclass(frozen=True, slots=True)
class Aggregation:
    """How the aggregation nodes fared, and the metrics that they logged."""

    nodes: tuple[NodeRun, ...]
    metrics: tuple[Metric, ...]


def needed(program: Program) -> tuple[set[str], set[str]]:
    """The flow inputs and the line nodes whose columns the aggregation reads."""
    inputs: set[str] = set()
    nodes: set[str] = set()
    for step in program.steps[program.line_steps :]:
        inputs.update(source.input for source in step.from_inputs)
        nodes.update(
            program.steps[source.parent].name for source in step.from_nodes if source.parent < program.line_steps
        )
        if step.condition is not None and step.condition.input is not None:
            inputs.add(step.condition.input)
    return inputs, nodes


async def aggregate(
    program: Program,
    columns: Columns,
    host: Host,
    *,
    limit: float | None = None,
    begins: Callable[[int], None] | None = None,
) -> Aggregation:
    """Run the aggregation nodes; a failed one is in the result and keeps only those that refer to it from running.

    Args:
        program: The bound flow.
        columns: What its lines left.
        host: Calls the tools.
        limit: Seconds that each node may take.
        begins: Told the position of each node before it is called.
    """
    line = Line(program, columns.inputs)
    for step in program.steps[: program.line_steps]:
        line.settle(step, NodeRun(step.name, Status.COMPLETED), columns.outputs.get(step.name))
    failed: set[int] = set()
    runs: list[NodeRun] = []
    with collecting() as metrics:
        for step in program.steps[program.line_steps :]:
            if failed.intersection(step.parents):
                failed.add(step.position)
                continue
            if begins is not None:
                begins(step.position)
            failure = await _run(line, step, host, limit)
            run = line.runs[step.position]
            if failure is not None:
                failed.add(step.position)
                run = run or NodeRun(step.name, Status.FAILED, failure=failure)
            if run is not None:
                runs.append(run)
    found = tuple(Metric(name, value, columns.lines) for name, value in metrics.items())
    return Aggregation(tuple(runs), found)


def timed_out(node: str, seconds: float) -> Failure:
    """Why an aggregation node that took too long failed."""
    said = f"Aggregation node {node!r} execution timeout for exceeding {seconds:g} seconds"
    return Failure("AggregationNodeExecutionTimeoutError", said, node)


async def _run(line: Line, step: Step, host: Host, limit: float | None) -> Failure | None:
    task = asyncio.create_task(run_step(line, step, host))
    # Not wait_for, which would wait on for a node that does not let itself be cancelled.
    done, _ = await asyncio.wait({task}, timeout=limit)
    if done or limit is None:
        return task.result()
    task.cancel()
    task.add_done_callback(_look_at)
    return timed_out(step.name, limit)


def _look_at(task: asyncio.Task[Failure | None]) -> None:
    if not task.cancelled():
        task.exception()
