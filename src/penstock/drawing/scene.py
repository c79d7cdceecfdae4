"""What there is to see of a flow: items, the links between them and the frames around them; no sizes and no places yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from penstock.drawing.said import as_text, called, condition, given_model
from penstock.errors import LoadError
from penstock.graph.blocks import Scope, scopes
from penstock.graph.flow import Flow, FlowInput, FlowOutput, VariantSet
from penstock.graph.node import Node
from penstock.graph.reference import Reference

RUN_FRAME = "once a run"


@dataclass(frozen=True, slots=True)
class Choice:
    """A variant of a node: whether it is the one that is drawn, and whether it is the default."""

    id: str
    chosen: bool
    default: bool


@dataclass(frozen=True, slots=True)
class Item:
    """An input, a node or an output.

    Attributes:
        id: ``input:NAME``, ``node:NAME`` or ``output:NAME``.
        place: Which of the three it is.
        name: Its name.
        kind: Tool kind of a node (``llm``, ``python``, …), type of an input or an output.
        lines: What it calls, its model and connection; the default of an input; short texts.
        condition: When it runs, None for always.
        variants: Its variants, in the order of the file.
        marks: Words such as ``chat input``, ``gives items``, ``cached``.
        frame: Id of the frame around it.
        inputs: What a node is given: parameter and value as texts.
        description: In the author's own words.
        file: Its source file relative to the flow's folder.
        line: Where it stands in the flow's file.
    """

    id: str
    place: Literal["input", "node", "output"]
    name: str
    kind: str
    lines: tuple[str, ...] = ()
    condition: str | None = None
    variants: tuple[Choice, ...] = ()
    marks: tuple[str, ...] = ()
    frame: str | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    description: str = ""
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A value on its way. ``names`` are the parameters that take it; a ``condition`` only decides whether its target runs."""

    source: str
    target: str
    names: tuple[str, ...] = ()
    condition: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A frame: nodes that run once an item of ``name``, or once a run."""

    id: str
    kind: Literal["map", "run"]
    label: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """All of it. Items stand in the order of the flow: inputs, nodes, outputs."""

    title: str
    format: str
    description: str
    items: tuple[Item, ...]
    links: tuple[Link, ...]
    groups: tuple[Group, ...]

    @property
    def summary(self) -> str:
        """One sentence for those who cannot see the picture."""
        count = {place: sum(item.place == place for item in self.items) for place in ("input", "node", "output")}
        parts = [f"{number} {place}{'' if number == 1 else 's'}" for place, number in count.items()]
        return f"Flow {self.title}: {parts[0]}, {parts[1]}, {parts[2]}."


def scene_of(flow: Flow) -> Scene:
    """The scene of a loaded flow; one with mistakes is drawn as far as it can be read."""
    around = _around(flow)
    names = {node.name for node in flow.nodes}
    items = [
        *(_input(port) for port in flow.inputs.values()),
        *(_node(flow, node, around.get(node.name, ())) for node in flow.nodes),
        *(_output(port) for port in _outputs(flow)),
    ]
    return Scene(
        title=flow.name,
        format=flow.source.format,
        description=flow.description,
        items=tuple({item.id: item for item in items}.values()),
        links=tuple(_links(flow, names)),
        groups=tuple(_groups(flow, around)),
    )


def _around(flow: Flow) -> Mapping[str, Scope]:
    try:
        return scopes([node for node in flow.nodes if node.scope == "line"])
    except LoadError:  # a mistake that `flow validate` tells; the nodes are drawn without frames
        return {}


def _input(port: FlowInput) -> Item:
    marks = [
        mark for mark, holds in (("chat input", port.is_chat_input), ("chat history", port.is_chat_history)) if holds
    ]
    default = (f"= {as_text(port.default)}",) if port.has_default else ()
    optional = ["optional"] if port.optional and not default else []
    return Item(
        f"input:{port.name}",
        "input",
        port.name,
        port.type,
        default,
        marks=(*marks, *optional),
        description=port.description,
        line=port.line,
    )


def _outputs(flow: Flow) -> Iterable[FlowOutput]:
    whole = flow.whole
    if whole is None:
        return flow.outputs.values()
    # The node's own value is the outputs; those that are declared only name its parts.
    ports = list(flow.outputs.values()) or [FlowOutput("output", None, "object")]
    reference = Reference("node", whole)
    return [
        FlowOutput(
            port.name, port.value if isinstance(port.value, Reference) else reference, port.type, port.description
        )
        for port in ports
    ]


def _output(port: FlowOutput) -> Item:
    literal = () if port.value is None or isinstance(port.value, Reference) else (f"= {as_text(port.value)}",)
    marks = (("chat output", port.is_chat_output), ("evaluation only", port.evaluation_only))
    return Item(
        f"output:{port.name}",
        "output",
        port.name,
        port.type,
        literal,
        marks=tuple(mark for mark, holds in marks if holds),
        description=port.description,
        line=port.line,
    )


def _node(flow: Flow, node: Node, scope: Scope) -> Item:
    frame = f"map:{'/'.join(scope)}" if scope else None
    if node.scope == "run":
        frame = "run"
    marks = [
        mark
        for mark, holds in (
            ("gives items", node.expands),
            (f"collects {', '.join(sorted(node.collects))}", bool(node.collects)),
            ("cached", node.cache),
        )
        if holds
    ]
    return Item(
        f"node:{node.name}",
        "node",
        node.name,
        node.call.type or "node",
        tuple(text for text in (called(flow, node), given_model(node)) if text),
        condition=condition(node),
        variants=_choices(flow, node),
        marks=tuple(marks),
        frame=frame,
        inputs=tuple((key, as_text(value)) for key, value in node.inputs.items()),
        description=node.description,
        file=node.call.path,
        line=node.line,
    )


def _choices(flow: Flow, node: Node) -> tuple[Choice, ...]:
    found = flow.variants.get(node.name)
    if found is None:
        return tuple(
            Choice(f"{key}={value}", value == choice.active, value == choice.default)
            for key, choice in flow.choices.items()
            if node.name in choice.nodes
            for value in choice.values
        )
    chosen = _chosen(flow, node.name, found)
    return tuple(Choice(name, name == chosen, name == found.default) for name in found.variants)


def _chosen(flow: Flow, node: str, found: VariantSet) -> str:
    for text in flow.source.variants:
        match = re.fullmatch(r"\$\{([^.]+)\.([^}]+)\}", text)
        if match and match[1] == node:
            return match[2]
    return found.default


def _links(flow: Flow, nodes: set[str]) -> Iterable[Link]:
    def source(value: Any) -> str | None:
        if not isinstance(value, Reference):
            return None
        if value.kind == "input":
            return f"input:{value.name}" if value.name in flow.inputs else None
        return f"node:{value.name}" if value.name in nodes else None

    for node in flow.nodes:
        given: dict[str, list[str]] = {}
        for parameter, value in node.inputs.items():
            if (start := source(value)) is not None:
                given.setdefault(start, []).append(parameter)
        for start, names in given.items():
            yield Link(start, f"node:{node.name}", tuple(names))
        if node.activate is not None and (start := source(node.activate.when)) is not None:
            yield Link(start, f"node:{node.name}", condition=True)
    if flow.group is not None:
        # What the roles say is the conversation; who speaks when is said by the file.
        yield from (
            Link(f"node:{name}", f"output:{port}") for port in flow.outputs for name in dict.fromkeys(flow.group.order)
        )
    for port in _outputs(flow):
        if (start := source(port.value)) is not None:
            steps = port.value.path if isinstance(port.value, Reference) else ""
            yield Link(start, f"output:{port.name}", (steps,) if steps else ())


def _groups(flow: Flow, around: Mapping[str, Scope]) -> Iterable[Group]:
    seen: dict[Scope, None] = {}
    for scope in around.values():
        for end in range(1, len(scope) + 1):
            seen.setdefault(scope[:end])
    for scope in sorted(seen, key=len):
        parent = f"map:{'/'.join(scope[:-1])}" if scope[:-1] else None
        yield Group(f"map:{'/'.join(scope)}", "map", f"for each item of {scope[-1]}", parent)
    if any(node.scope == "run" for node in flow.nodes):
        yield Group("run", "run", RUN_FRAME)


def flow_file(flow: Flow) -> str:
    """Name of the flow's file, for headings."""
    return Path(flow.source.file).name
