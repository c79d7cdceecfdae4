"""The resolved nodes of a Hamilton graph as a flow: those that the asked-for values need."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.errors import LoadError, UsageError
from penstock.frontends.hamilton_calls import (
    Adapters,
    HamiltonNode,
    call_of,
    collected,
    expands,
    input_type,
    no_task,
    task_name,
)
from penstock.graph.blocks import scopes
from penstock.graph.check import nearest
from penstock.graph.flow import Flow, FlowInput, FlowOutput, Source
from penstock.graph.node import Call, Node
from penstock.graph.reference import Reference
from penstock.graph.slice import slice as slice_flow


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of a graph.

    Attributes:
        outputs: Names of nodes or inputs, in the order of the flow's outputs.
        given: Nodes whose values come from outside, as flow inputs of the same name: overrides.
        also: Inputs that no node takes and that are asked for all the same.
        converted: Values of inputs are converted to their annotated types, as those of a command line or a data file are.
        tasks: Adapters are told the part of the execution that a node runs in, as Hamilton's dynamic execution does.
    """

    outputs: tuple[str, ...]
    given: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()
    converted: bool = True
    tasks: bool = False


def flow_of(
    nodes: Mapping[str, HamiltonNode], config: Mapping[str, Any], asked: Asked, adapters: Adapters, source: Source
) -> Flow:
    """The flow that computes what is asked for.

    Args:
        nodes: Hamilton's nodes by name, as ``driver.graph.nodes`` has them.
        config: What the graph was built with; its values are the nodes' inputs of the same names.
        asked: What is wanted.
        adapters: What is called around each node.
        source: Where the flow comes from.

    Raises:
        UsageError: An asked-for or given name is none of the graph's.
        LoadError: The nodes cannot be told into the blocks of a map.
    """
    for name in asked.outputs:
        if name not in nodes and name not in config and name not in asked.also:
            raise UsageError(f"There is no function {name!r} to ask for. {nearest(name, nodes)}")
    needed = _needed(nodes, asked.outputs)
    inner = [node for node in needed if not is_input(node)]
    bare = {node.name: _node(node, nodes, config) for node in inner}
    mapped = any(node.expands or node.collects for node in bare.values())
    around = scopes(list(bare.values())) if mapped else {}
    made = []
    for node in inner:
        task = task_name(node, around.get(node.name, ())) if asked.tasks else no_task
        call = Call("function", function=call_of(node, adapters, task))
        made.append(dataclasses.replace(bare[node.name], call=call))
    flow = Flow(
        name=source.file,
        inputs=_inputs(needed, config, asked),
        outputs={name: FlowOutput(name, _value(name, nodes, config)) for name in asked.outputs},
        nodes=tuple(made),
        source=source,
    )
    given = [name for name in asked.given if name in bare]
    return _required_only(slice_flow(flow, asked.outputs, given), nodes) if given else flow


def is_input(node: HamiltonNode) -> bool:
    """Whether the value of ``node`` comes from outside the graph."""
    return bool(node.node_role.name in ("EXTERNAL", "PRIOR_RUN"))


def leaves(nodes: Mapping[str, HamiltonNode]) -> tuple[str, ...]:
    """The functions that no other function takes: what a flow gives where nobody says.

    Raises:
        LoadError: There are none.
    """
    taken = {name for node in nodes.values() for name in node.input_types}
    found = tuple(name for name, node in nodes.items() if not is_input(node) and name not in taken)
    if not found:
        raise LoadError("The modules define no function whose value could be asked for.")
    return found


def _needed(nodes: Mapping[str, HamiltonNode], outputs: Sequence[str]) -> list[HamiltonNode]:
    """The asked-for nodes and all that they need, as they stand in the graph."""
    found: set[str] = set()
    waiting = [name for name in outputs if name in nodes]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(parent for parent in nodes[name].input_types if parent in nodes)
    return [node for name, node in nodes.items() if name in found]


def _node(node: HamiltonNode, nodes: Mapping[str, HamiltonNode], config: Mapping[str, Any]) -> Node:
    arguments = {name: _value(name, nodes, config) for name in node.input_types}
    return Node(
        name=node.name,
        call=Call("function"),
        inputs=arguments,
        line=_line(node),
        expands=expands(node),
        collects=frozenset(name for name in collected(node) if _is_node(arguments[name])),
        tags=dict(node.tags),
        description=(node.documentation or "").strip().partition("\n")[0].strip(),
    )


def _value(name: str, nodes: Mapping[str, HamiltonNode], config: Mapping[str, Any]) -> Any:
    if name in nodes and not is_input(nodes[name]):
        return Reference("node", name)
    return config[name] if name in config else Reference("input", name)


def _is_node(value: Any) -> bool:
    return isinstance(value, Reference) and value.kind == "node"


def _inputs(needed: Iterable[HamiltonNode], config: Mapping[str, Any], asked: Asked) -> dict[str, FlowInput]:
    found: dict[str, FlowInput] = {}
    required = {name for node in needed for name in _required(node)}
    for node in needed:
        if is_input(node) and node.name not in config:
            kind = input_type(node.type) if asked.converted else "any"
            found[node.name] = FlowInput(node.name, kind, optional=node.name not in required, converted=kind != "any")
    for name in asked.also:
        found.setdefault(name, FlowInput(name, "any", optional=True, converted=False))
    return found


def _required(node: HamiltonNode) -> Iterable[str]:
    return (name for name, (_, need) in node.input_types.items() if need.name == "REQUIRED")


def _required_only(flow: Flow, nodes: Mapping[str, HamiltonNode]) -> Flow:
    """``flow`` without demands for inputs that only nodes would need that are not run."""
    required = {name for node in flow.nodes if node.call.source is None for name in _required(nodes[node.name])}
    ports = {
        name: dataclasses.replace(
            port, optional=port.optional or (name in nodes and is_input(nodes[name]) and name not in required)
        )
        for name, port in flow.inputs.items()
    }
    return dataclasses.replace(flow, inputs=ports)


def _line(node: HamiltonNode) -> int | None:
    functions = node.originating_functions or ()
    code = getattr(functions[0], "__code__", None) if functions else None
    return getattr(code, "co_firstlineno", None)
