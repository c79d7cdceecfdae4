"""Which nodes run once an item: the blocks that expanding nodes open and collecting ones leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.errors import LoadError
from penstock.graph.check import order
from penstock.graph.node import Node
from penstock.graph.reference import Reference

Scope = tuple[str, ...]


def scopes(nodes: Sequence[Node]) -> dict[str, Scope]:
    """For each node the expanding nodes whose items it runs for, outermost first; empty for a node that runs once.

    Raises:
        LoadError: A node takes items of two sequences of which neither is inside the other, collects what is no item, or both
            collects a sequence and takes its items; or the nodes wait for each other in a circle.
    """
    known = {node.name: node for node in nodes}
    found: dict[str, Scope] = {}
    for node in order(nodes):
        scope: Scope = ()
        for parameter, value in node.inputs.items():
            if not isinstance(value, Reference) or value.name not in known or value.kind != "node":
                continue
            scope = _wider(node, scope, _reached(node, parameter, known[value.name], found))
        for parameter in node.collects:
            reference = node.inputs.get(parameter)
            if isinstance(reference, Reference) and reference.name in known:
                parent = known[reference.name]
                left = items_of(parent, found)[-1]
                if left in scope:
                    raise LoadError(
                        f"Node {node.name!r} both collects the items of {left!r} and takes one of them.",
                        code="InvalidMap",
                    )
        found[node.name] = scope
    return found


def items_of(node: Node, found: Mapping[str, Scope]) -> Scope:
    """The scope of what refers to ``node`` without collecting."""
    scope = found[node.name]
    return (*scope, node.name) if node.expands else scope


def _reached(node: Node, parameter: str, parent: Node, found: Mapping[str, Scope]) -> Scope:
    scope = items_of(parent, found)
    if parameter not in node.collects:
        return scope
    if not scope:
        raise LoadError(
            f"Node {node.name!r} collects {parent.name!r} through {parameter!r}, but that runs once and is no item of a"
            " sequence.",
            code="InvalidMap",
        )
    return scope[:-1]


def _wider(node: Node, one: Scope, other: Scope) -> Scope:
    short, long = sorted((one, other), key=len)
    if long[: len(short)] != short:
        raise LoadError(
            f"Node {node.name!r} takes items of {one[-1]!r} and of {other[-1]!r}, of which neither is inside the other;"
            " collect one of them first.",
            code="InvalidMap",
        )
    return long
