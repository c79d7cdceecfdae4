"""Node inputs replaced from outside, by ``nodes.NODE.inputs.INPUT``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from penstock.errors import LoadError, UsageError
from penstock.graph.check import nearest
from penstock.graph.flow import Flow
from penstock.graph.node import Node
from penstock.graph.reference import parse


def override_inputs(flow: Flow, changes: Mapping[str, Any]) -> Flow:
    """The flow with node inputs replaced; a value may be a literal or a ``${…}`` reference.

    Raises:
        UsageError: A key of another form.
        LoadError: A node that is not there.
    """
    nodes = {node.name: node for node in flow.nodes}
    changed: dict[str, Node] = {}
    for key, value in changes.items():
        match key.split(".", 3):
            case ["nodes", name, "inputs", parameter]:
                if name not in nodes:
                    raise LoadError(
                        f"There is no node {name!r} to override. {nearest(name, nodes)}", code="InvalidFlow"
                    )
                node = changed.get(name, nodes[name])
                changed[name] = dataclasses.replace(node, inputs={**node.inputs, parameter: parse(value) or value})
            case _:
                raise UsageError(f"An override reads nodes.NODE.inputs.INPUT, not {key!r}.")
    # Two nodes of one name stay two, for the check that refuses them.
    return flow.replace_nodes(changed.get(node.name, node) for node in flow.nodes)
