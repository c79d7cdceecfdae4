"""Where values are found at one depth: in a flow, or in the block that runs once an item of a sequence.

Each depth becomes a program of its own. What a node refers to is a key: the ``value`` of a node, an ``item`` of an expanding
one, or the ``list`` of what a node gave for all items; ``out`` is what the outside of all blocks sees of a node.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from penstock.errors import LoadError
from penstock.graph.blocks import Scope, scopes
from penstock.graph.check import order
from penstock.graph.flow import Flow
from penstock.graph.node import Node
from penstock.graph.reference import Reference

Kind = Literal["value", "item", "list", "out"]
Key = tuple[Kind, str]


class Place(NamedTuple):
    """The step that has a value, and how it is read from what the step gives."""

    position: int
    read: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """A node, or with ``inner`` the block of the nodes that run for each item of ``node``."""

    number: int
    node: Node
    inner: tuple[Node, ...] = ()


class Level:
    """One depth.

    Args:
        scope: The expanding nodes around it.
        nodes: The nodes of this depth and of those within, each after what it refers to.
        keys: What is given from outside, the item first.
        inside: For each node of the flow the expanding nodes around it; empty where nothing expands.
        asked: Nodes whose values of all items somebody asks for.
        known: All nodes of the flow by name.
    """

    def __init__(
        self,
        scope: Scope,
        nodes: Sequence[Node],
        keys: Sequence[Key],
        *,
        inside: Mapping[str, Scope],
        asked: frozenset[str],
        known: Mapping[str, Node],
    ) -> None:
        self.scope = scope
        self.keys = tuple(keys)
        self.given = len(self.keys)
        self.asked = sorted(asked.intersection(node.name for node in nodes)) if scope else []
        self._inside = inside
        self._all_asked = asked
        self._known = known
        self._given = {key: Place(position) for position, key in enumerate(self.keys)}
        self.units = self._units(nodes) if inside else tuple(Unit(number, node) for number, node in enumerate(nodes))
        self._nodes = {unit.node.name: self.given + unit.number for unit in self.units if not unit.inner}
        self._blocks = {unit.node.name: self.given + unit.number for unit in self.units if unit.inner}

    @classmethod
    def of_flow(cls, flow: Flow) -> Level:
        """The outermost level.

        Raises:
            LoadError: The nodes wait for each other in a circle, or cannot be told into blocks.
        """
        known = {node.name: node for node in flow.nodes}
        lines = order([node for node in flow.nodes if node.scope == "line"])
        after = order([node for node in flow.nodes if node.scope == "run"])
        inside = scopes(lines) if any(node.expands or node.collects for node in lines) else {}
        asked: frozenset[str] = frozenset()
        if inside:
            inside |= {node.name: () for node in after}
            asked = frozenset(name for name in _collected(flow, known) if inside.get(name))
        return cls((), [*lines, *after], (), inside=inside, asked=asked, known=known)

    def key(self, node: Node, parameter: str, reference: Reference) -> Key:
        """What ``node`` takes through ``parameter``."""
        parent = self._known[reference.name]
        if parameter in node.collects:
            return ("value" if parent.expands else "list"), reference.name
        return ("item" if parent.expands and node.scope == "line" else "value"), reference.name

    def place(self, kind: Kind, name: str) -> Place:
        """Where the value of a key is found."""
        found = self._given.get((kind, name))
        if found is not None:
            return found
        if name in self._nodes and kind in ("value", "out"):
            return Place(self._nodes[name])
        return Place(self._blocks[self._inside[name][len(self.scope)]], _reader(name))

    def within(self, unit: Unit) -> Level:
        """The level of a block."""
        names = {node.name for node in unit.inner}
        keys: dict[Key, None] = {("item", unit.node.name): None}
        for node in unit.inner:
            for parameter, reference in _references(node):
                if reference.name not in names:
                    keys[self.key(node, parameter, reference)] = None
        return Level(
            (*self.scope, unit.node.name),
            unit.inner,
            list(keys),
            inside=self._inside,
            asked=self._all_asked,
            known=self._known,
        )

    def _units(self, nodes: Sequence[Node]) -> tuple[Unit, ...]:
        depth = len(self.scope)
        members: dict[tuple[str, bool], list[Node]] = {}
        unit_of: dict[str, tuple[str, bool]] = {}
        for node in nodes:
            around = self._inside[node.name]
            unit_of[node.name] = (around[depth], True) if len(around) > depth else (node.name, False)
            members.setdefault(unit_of[node.name], []).append(node)
        needs: dict[tuple[str, bool], set[tuple[str, bool]]] = {unit: set() for unit in members}
        for unit, inner in members.items():
            if unit[1] and unit[0] in unit_of:
                needs[unit].add((unit[0], False))
            for node in inner:
                found = {unit_of[reference.name] for _, reference in _references(node) if reference.name in unit_of}
                needs[unit] |= found - {unit}
        return tuple(
            Unit(number, self._known[name], tuple(members[name, is_block]) if is_block else ())
            for number, (name, is_block) in enumerate(_ordered(list(members), needs))
        )


def _references(node: Node) -> Iterable[tuple[str, Reference]]:
    for parameter, value in node.inputs.items():
        if isinstance(value, Reference) and value.kind == "node":
            yield parameter, value
    when = node.activate.when if node.activate is not None else None
    if isinstance(when, Reference) and when.kind == "node":
        yield "", when


def _collected(flow: Flow, known: Mapping[str, Node]) -> Iterable[str]:
    for node in flow.nodes:
        for parameter, reference in _references(node):
            if (parameter in node.collects or node.scope == "run") and reference.name in known:
                yield reference.name
    for output in flow.outputs.values():
        if isinstance(output.value, Reference) and output.value.kind == "node":
            yield output.value.name
    if flow.whole is not None:
        yield flow.whole


def _reader(name: str) -> Callable[[Any], Any]:
    return lambda found: found[name]


def _ordered(
    units: Sequence[tuple[str, bool]], needs: Mapping[tuple[str, bool], set[tuple[str, bool]]]
) -> list[tuple[str, bool]]:
    """The units so that each comes after what it needs, otherwise as they stand."""
    place = {unit: number for number, unit in enumerate(units)}
    waiting = {unit: len(needs[unit]) for unit in units}
    free = [place[unit] for unit in units if not waiting[unit]]
    users: dict[tuple[str, bool], list[tuple[str, bool]]] = {}
    for unit, needed in needs.items():
        for other in needed:
            users.setdefault(other, []).append(unit)
    heapq.heapify(free)
    result: list[tuple[str, bool]] = []
    while free:
        unit = units[heapq.heappop(free)]
        result.append(unit)
        for user in users.get(unit, ()):
            waiting[user] -= 1
            if not waiting[user]:
                heapq.heappush(free, place[user])
    if len(result) < len(units):
        left = ", ".join(sorted({name for name, _ in units} - {name for name, _ in result}))
        raise LoadError(
            f"The items of a sequence wait for a list of themselves: {left}. Collect once, after all that runs for each item.",
            code="InvalidMap",
        )
    return result
