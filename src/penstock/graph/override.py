"""Node inputs replaced from outside, by ``nodes.NODE.inputs.INPUT``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from penstock.errors import LoadError, UsageError
from penstock.graph.check import nearest
from penstock.graph.flow import Flow
from penstock.graph.reference import parse


def override_inputs(flow: Flow, changes: Mapping[str, Any]) -> Flow:
    """The flow with node inputs replaced; a value may be a literal or a ``${…}`` reference.

    Raises:
        UsageError: A key of another form.
        LoadError: A node that is not there.
    """
    nodes = {node.name: node for node in flow.nodes}
    for key, value in changes.items():
        match key.split(".", 3):
            case ["nodes", name, "inputs", parameter]:
                if name not in nodes:
                    raise LoadError(
                        f"There is no node {name!r} to override. {nearest(name, nodes)}", code="InvalidFlow"
                    )
                inputs = {**nodes[name].inputs, parameter: parse(value) or value}
                nodes[name] = dataclasses.replace(nodes[name], inputs=inputs)
            case _:
                raise UsageError(f"An override reads nodes.NODE.inputs.INPUT, not {key!r}.")
    return flow.replace_nodes(nodes.values())
