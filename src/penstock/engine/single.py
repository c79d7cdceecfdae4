"""One node of a flow on its own, with its surroundings given by hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.connections.resolve import Connections
from penstock.engine.bind import bind
from penstock.engine.execute import call_step
from penstock.engine.host import Host
from penstock.engine.inputs import convert_input
from penstock.engine.line import Line
from penstock.engine.program import Step
from penstock.errors import InputError, UsageError
from penstock.graph.check import nearest
from penstock.graph.flow import Flow, FlowInput
from penstock.graph.node import Node
from penstock.graph.reference import Reference, getter
from penstock.models.pool import Models
from penstock.prompts.image import load_images
from penstock.records import NodeRun


async def call_node(
    flow: Flow, name: str, values: Mapping[str, Any], *, connections: Connections, models: Models, host: Host
) -> NodeRun:
    """Run the node called ``name``.

    ``values`` may name a flow input (``text`` or ``inputs.text``), an input of the node, or what another node gave
    (``other.output``, ``other.output.key``).

    Raises:
        UsageError: There is no such node.
        InputError: A value that the node refers to is not given, or does not fit its type.
        LoadError: The node cannot be made ready.
    """
    node = flow.node(name)
    if node is None:
        raise UsageError(f"There is no node {name!r}. {nearest(name, (item.name for item in flow.nodes))}")
    if flow.group is not None:
        raise UsageError(f"{name!r} is a role, not a node: test its flow, penstock flow test --flow {node.call.path}.")
    given = _inputs(flow, node, values)
    literals = {key: value for key, value in node.inputs.items() if key not in given}
    alone = dataclasses.replace(node, inputs=literals, activate=None, scope="line")
    # A flow of this node alone: what it does not refer to need not load.
    single = dataclasses.replace(flow, nodes=(alone,), outputs={}, inputs={}, modules=())
    program = bind(single, connections=connections, models=models)
    step: Step = program.steps[0]
    line = Line(program, values)
    await call_step(line, step, {**step.bound.constants, **given}, host)
    run = line.runs[0]
    assert run is not None, "a called step has a record"
    return run


def _inputs(flow: Flow, node: Node, values: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for parameter, value in node.inputs.items():
        if not isinstance(value, Reference):
            if parameter in values:
                result[parameter] = _parsed(values[parameter])
            continue
        found = _value(flow, node, parameter, value, values)
        wrap = node.scope == "run" and not (value.kind == "node" and _is_aggregation(flow, value.name))
        result[parameter] = [found] if wrap else found
    return result


def _is_aggregation(flow: Flow, name: str) -> bool:
    node = flow.node(name)
    return node is not None and node.scope == "run"


def _value(flow: Flow, node: Node, parameter: str, reference: Reference, values: Mapping[str, Any]) -> Any:
    if reference.kind == "input":
        port = flow.inputs.get(reference.name)
        for key in (f"inputs.{reference.name}", reference.name, parameter):
            if key in values:
                return _flow_input(flow, port, values[key]) if port else values[key]
        if port is not None and port.has_default:
            return _flow_input(flow, port, port.default)
        raise _missing(node, parameter, reference)
    whole = f"{reference.name}.output"
    exact = f"{whole}.{reference.path}" if reference.path else whole
    if exact in values:
        return _parsed(values[exact])
    if whole in values:
        read = getter(reference)
        folder = Path(flow.source.file).parent
        value = load_images(_parsed(values[whole]), folder=folder, message_format=flow.message_format)
        return value if read is None else read(value)
    if parameter in values:
        return _parsed(values[parameter])
    raise _missing(node, parameter, reference)


def _flow_input(flow: Flow, port: FlowInput, value: Any) -> Any:
    folder = Path(flow.source.file).parent
    return convert_input(port.name, port.type, value, folder=folder, message_format=flow.message_format)


def _parsed(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _missing(node: Node, parameter: str, reference: Reference) -> InputError:
    return InputError(
        f"The input for node is incorrect. Input {parameter!r} of node {node.name!r} needs {reference}, which is not given.",
        code="InputNotFound",
    )
