"""A part of a flow: what the asked outputs need, and nothing else; nodes may be given instead of run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from penstock.errors import UsageError
from penstock.graph.blocks import Scope, items_of, scopes
from penstock.graph.check import nearest
from penstock.graph.flow import Flow, FlowInput, FlowOutput
from penstock.graph.node import Activate, Call, Node
from penstock.graph.reference import Reference


def slice(flow: Flow, outputs: Sequence[str], given: Iterable[str] = ()) -> Flow:
    """The part of ``flow`` that its ``outputs`` need.

    Args:
        flow: Any flow.
        outputs: Names of outputs, or of nodes, whose whole value is then the output.
        given: Names of nodes (or of outputs that are a part of a node's value) that become inputs of the flow. A node that
            gives the items of a sequence is given the whole of it.

    Raises:
        UsageError: A name that is none of these, or one that both is given and asked for.
    """
    names = dict.fromkeys(given)
    ports = {name: _output(flow, name) for name in outputs}
    nodes, inputs = _with_given(flow, names)
    asked = {name: dataclasses.replace(port, value=_rewired(port.value, names, flow)) for name, port in ports.items()}
    kept = _needed(nodes, asked.values())
    used = {reference.name for node in kept for reference in node.references() if reference.kind == "input"}
    used |= {
        port.value.name for port in asked.values() if isinstance(port.value, Reference) and port.value.kind == "input"
    }
    ports_in = {name: port for name, port in {**flow.inputs, **inputs}.items() if name in used}
    return dataclasses.replace(flow, nodes=tuple(kept), outputs=asked, inputs=ports_in, whole=None)


def _output(flow: Flow, name: str) -> FlowOutput:
    if name in flow.outputs:
        return flow.outputs[name]
    if flow.node(name) is not None:
        return FlowOutput(name, Reference("node", name))
    known = dict.fromkeys([*flow.outputs, *(node.name for node in flow.nodes)])
    raise UsageError(f"{flow.source.file or flow.name}: there is no output {name!r}. {nearest(name, known)}")


def _with_given(flow: Flow, given: Mapping[str, None]) -> tuple[list[Node], dict[str, FlowInput]]:
    if not given:
        return list(flow.nodes), {}
    by_name = {node.name: node for node in flow.nodes}
    inputs: dict[str, FlowInput] = {}
    for name in given:
        if name in flow.inputs:
            raise UsageError(f"{name!r} is an input of the flow already; give it as one.")
        if name not in by_name and name not in flow.outputs:
            known = dict.fromkeys([*by_name, *flow.outputs])
            raise UsageError(
                f"{flow.source.file or flow.name}: there is no node {name!r} to override. {nearest(name, known)}"
            )
        inputs[name] = FlowInput(name, converted=False)
    standing = _standing(flow, given)
    nodes = []
    for node in flow.nodes:
        if node.name in standing:
            nodes.append(standing[node.name])
        elif node.name not in given:
            nodes.append(_node_rewired(node, lambda value: _rewired(value, given, flow, standing)))
    return nodes, inputs


def _standing(flow: Flow, given: Mapping[str, None]) -> dict[str, Node]:
    """Given nodes that stay nodes, which hand on what they are given: whose parts or items others take."""
    inside: Mapping[str, Scope] = {}
    if any(node.expands or node.collects for node in flow.nodes):
        inside = scopes([node for node in flow.nodes if node.scope == "line"])
    parted = {
        reference.name
        for node in flow.nodes
        for reference in node.references()
        if reference.kind == "node" and reference.steps and not _is_output(flow, reference, given)
    }
    parted |= {
        port.value.name
        for port in flow.outputs.values()
        if isinstance(port.value, Reference)
        and port.value.kind == "node"
        and port.value.steps
        and port.name not in given
    }
    known = {node.name: node for node in flow.nodes}
    found = {}
    for name in given:
        node = known.get(name)
        if node is not None and (node.expands or name in parted or inside.get(name)):
            inputs: dict[str, Any] = {"value": Reference("input", name)}
            if inside.get(name):
                # It still runs once an item: what collects it takes as many values as there are items.
                inputs["item"] = _item(inside[name][-1], known, inside)
            call = Call("function", "code", target=f"{__name__}:handed_on", function=handed_on)
            found[name] = Node(name, call, inputs, expands=node.expands, line=node.line, description=node.description)
    return found


def _item(expander: str, known: Mapping[str, Node], inside: Mapping[str, Scope]) -> Reference:
    assert items_of(known[expander], inside)[-1] == expander, "the scope of a node is that of its innermost expander"
    return Reference("node", expander)


def handed_on(value: Any, item: Any = None) -> Any:  # ruff: ignore[unused-function-argument]  says how often it runs
    """What stands in for a node whose value is given."""
    return value


def _is_output(flow: Flow, reference: Reference, given: Mapping[str, None]) -> str | None:
    """The given output that ``reference`` means, if one does: a field with a name of its own."""
    return next((name for name in given if name in flow.outputs and flow.outputs[name].value == reference), None)


def _rewired(value: Any, given: Mapping[str, None], flow: Flow, standing: Mapping[str, Node] | None = None) -> Any:
    if not given or not isinstance(value, Reference) or value.kind != "node":
        return value
    if (name := _is_output(flow, value, given)) is not None and name not in (standing or {}):
        return Reference("input", name)
    if value.name in given and value.name not in (standing or {}):
        return Reference("input", value.name)
    return value


def _node_rewired(node: Node, change: Callable[[Any], Any]) -> Node:
    when = node.activate
    inputs = {parameter: change(value) for parameter, value in node.inputs.items()}
    if inputs == node.inputs and (when is None or change(when.when) == when.when):
        return node
    collects = frozenset(
        name for name in node.collects if isinstance(inputs[name], Reference) and inputs[name].kind == "node"
    )
    activate = None if when is None else Activate(change(when.when), when.equals)
    return dataclasses.replace(node, inputs=inputs, activate=activate, collects=collects)


def _needed(nodes: Sequence[Node], outputs: Iterable[FlowOutput]) -> list[Node]:
    known = {node.name: node for node in nodes}
    todo = [port.value.name for port in outputs if isinstance(port.value, Reference) and port.value.kind == "node"]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in found and name in known:
            found.add(name)
            todo.extend(known[name].parents())
    return [node for node in nodes if node.name in found]
