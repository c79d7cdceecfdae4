"""Prompts put into a flow: in place of a node's template, of a function, or of an input."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from penstock.errors import LoadError, UsageError
from penstock.graph.check import nearest
from penstock.graph.flow import Flow
from penstock.graph.node import Activate, Call, Node
from penstock.graph.prompt import PinnedPrompt, Pins
from penstock.graph.reference import Reference

# Nodes that have a template of their own, which another prompt takes the place of.
TEMPLATED = ("llm", "prompt", "custom_llm", "prompty")


def asked_prompts(flow: Flow) -> tuple[str, ...]:
    """References to the store in the flow's nodes, as they are written there."""
    return tuple(dict.fromkeys(node.call.prompt for node in flow.nodes if isinstance(node.call.prompt, str)))


def pin_prompts(flow: Flow, pins: Pins) -> Flow:
    """The flow with every prompt in its place.

    A name in ``pins`` may be a node with a template (which it replaces), any other node (which becomes a prompt node with the
    same inputs as variables), a flow input (whose value it is in every line) or ``node.input``. It always wins.

    Raises:
        UsageError: A name that is none of these.
        LoadError: A node asks for a prompt that ``pins`` does not have, or gives a sequence and cannot be replaced.
    """
    nodes = {node.name: node for node in flow.nodes}
    inputs: dict[str, PinnedPrompt] = {}
    changed: dict[str, Node] = {}
    for name, pinned in pins.names.items():
        owner, dot, parameter = name.rpartition(".")
        if name in nodes:
            changed[name] = _replaced(flow, changed.get(name, nodes[name]), pinned)
        elif name in flow.inputs:
            inputs[name] = pinned
        elif dot and owner in nodes:
            changed[owner] = _with_literal(changed.get(owner, nodes[owner]), parameter, pinned)
        else:
            raise UsageError(
                f"There is no node or input {name!r} in {flow.source.file} that a prompt could stand in for."
                f" {nearest(name, [*nodes, *flow.inputs])}"
            )
    flow = flow.replace_nodes(_resolved(flow, changed.get(node.name, node), pins) for node in flow.nodes)
    return dataclasses.replace(_without_inputs(flow, inputs), pins=pins)


def _replaced(flow: Flow, node: Node, pinned: PinnedPrompt) -> Node:
    if node.call.type in TEMPLATED:
        return _with_settings(
            flow, dataclasses.replace(node, call=dataclasses.replace(node.call, prompt=pinned)), pinned
        )
    if node.expands:
        raise LoadError(
            f"{flow.source.file}:{node.line}: node {node.name!r} gives a sequence, for which no prompt can stand in.",
            code="InvalidPrompt",
        )
    return dataclasses.replace(node, call=Call("prompt", "prompt", prompt=pinned), cache=False)


def _with_literal(node: Node, parameter: str, pinned: PinnedPrompt) -> Node:
    return dataclasses.replace(
        node,
        inputs={**node.inputs, parameter: pinned.text},
        prompts={**node.prompts, parameter: dataclasses.replace(pinned.use(), source=_given(pinned))},
    )


def _given(pinned: PinnedPrompt) -> str:
    return "input" if pinned.source == "inline" else pinned.source


def _resolved(flow: Flow, node: Node, pins: Pins) -> Node:
    wanted = node.call.prompt
    if not isinstance(wanted, str):
        return node
    pinned = pins.references.get(wanted)
    if pinned is None:
        raise LoadError(
            f"{flow.source.file}:{node.line}: node {node.name!r} asks for the prompt {wanted!r}, which was not looked up.",
            code="PromptNotFound",
        )
    return _with_settings(flow, dataclasses.replace(node, call=dataclasses.replace(node.call, prompt=pinned)), pinned)


def _with_settings(flow: Flow, node: Node, pinned: PinnedPrompt) -> Node:
    """The settings that were stored with the prompt, except where the run was told otherwise."""
    if node.call.type != "llm" or not pinned.settings:
        return node
    told = flow.source.connections.get(node.name, {})
    settings = {key: value for key, value in pinned.settings.items() if key not in told}
    return dataclasses.replace(node, inputs={**node.inputs, **settings})


def _without_inputs(flow: Flow, given: Mapping[str, PinnedPrompt]) -> Flow:
    """The flow with these inputs' texts wherever they are referred to; they are inputs no longer."""
    if not given:
        return flow

    def value(found: Any) -> Any:
        if isinstance(found, Reference) and found.kind == "input" and found.name in given:
            return given[found.name].text
        return found

    nodes = []
    for node in flow.nodes:
        used = {
            parameter: dataclasses.replace(pinned.use(), name=found.name, source=_given(pinned))
            for parameter, found in node.inputs.items()
            if isinstance(found, Reference) and found.kind == "input" and (pinned := given.get(found.name)) is not None
        }
        when = node.activate
        nodes.append(
            dataclasses.replace(
                node,
                inputs={parameter: value(found) for parameter, found in node.inputs.items()},
                activate=None if when is None else Activate(value(when.when), when.equals),
                prompts={**node.prompts, **used},
            )
        )
    outputs = {name: dataclasses.replace(port, value=value(port.value)) for name, port in flow.outputs.items()}
    inputs = {name: port for name, port in flow.inputs.items() if name not in given}
    return dataclasses.replace(flow, nodes=tuple(nodes), outputs=outputs, inputs=inputs)
