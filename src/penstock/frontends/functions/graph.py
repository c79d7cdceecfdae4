"""From functions to a flow: names become nodes, parameters edges; every mismatch is found before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.errors import LoadError, UsageError
from penstock.frontends.functions.annotations import EMPTY, fields_of, fits, is_collect, item_of, shown, type_name
from penstock.frontends.functions.choose import choices_of, choose, node_name
from penstock.frontends.functions.gather import gathered
from penstock.frontends.functions.ports import Use, flow_inputs, unknown_inputs
from penstock.frontends.functions.prompted import Planned, Prompts
from penstock.frontends.functions.scan import Function, Parameter
from penstock.functions import Group, Source, Value
from penstock.graph.blocks import scopes
from penstock.graph.check import nearest, order
from penstock.graph.diagnostic import Diagnostic
from penstock.graph.flow import Flow, FlowInput, FlowOutput
from penstock.graph.flow import Source as FlowSource
from penstock.graph.node import Call, Node
from penstock.graph.reference import Reference, parse
from penstock.graph.slice import slice as part_of
from penstock.graph.types import convert
from penstock.tools.signature import connection_classes

RESERVED = ("inputs", "flow")


@dataclass(frozen=True, slots=True)
class Settings:
    """What is said about a graph of functions beside its code.

    Attributes:
        name: Of the flow.
        source: Where it can be loaded from again.
        config: Values that decide alternatives, and of parameters that no function provides.
        inputs: Declared inputs, over what the annotations say.
        outputs: Declared outputs by name; where there are none those functions whose value nobody takes.
        connections: Overrides of model calls by node.
        description: Of the flow.
    """

    name: str
    source: FlowSource
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    inputs: Mapping[str, FlowInput] = field(default_factory=dict[str, FlowInput])
    outputs: Mapping[str, FlowOutput] = field(default_factory=dict[str, FlowOutput])
    connections: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, "Mapping[str, str]"])
    description: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """All functions, wired; a flow is a part of it.

    ``whole`` has every node, and every name that can be asked for among its outputs. ``uses`` are the parameters that take
    each flow input by node; ``findings`` what is wrong with a node.
    """

    whole: Flow
    settings: Settings
    uses: Mapping[str, tuple[tuple[str, Use], ...]]
    findings: Mapping[str, tuple[Diagnostic, ...]]
    leaves: tuple[str, ...]

    def flow(self, outputs: Sequence[str] = (), given: Iterable[str] = ()) -> Flow:
        """The flow that computes ``outputs``, the declared ones, or those that nobody takes.

        Raises:
            UsageError: There is no such function.
        """
        declared = self.settings.outputs
        asked = tuple(outputs) or tuple(declared) or self.leaves
        given = tuple(given)
        flow = part_of(self.whole, asked, given)
        kept = {node.name for node in flow.nodes}
        uses = {
            name: [use for node, use in found if node in kept and node not in given]
            for name, found in self.uses.items()
        }
        ports, found = flow_inputs({name: use for name, use in uses.items() if use}, self.settings.inputs)
        ports |= {name: port for name, port in flow.inputs.items() if name not in ports}
        return dataclasses.replace(
            flow,
            inputs={name: port for name, port in ports.items() if name in flow.inputs},
            diagnostics=(
                *flow.diagnostics,
                *(item for name in kept for item in self.findings.get(name, ())),
                *found,
                *_blocks(flow),
            ),
        )


def _blocks(flow: Flow) -> list[Diagnostic]:
    try:
        order(flow.nodes)
    except LoadError:
        return []  # a circle, which the check of the graph tells about
    try:
        scopes(flow.nodes)
    except LoadError as error:
        return [Diagnostic("error", error.code, error.message, flow.source.file)]
    return []


def build(functions: Sequence[Function], settings: Settings) -> Graph:
    """Wire ``functions``.

    Raises:
        LoadError: Two functions of one name, a configuration that fits nothing, a prompt whose template is not known.
        UsageError: Configuration that nobody takes.
    """
    return _Builder(functions, settings).graph()


class _Builder:
    def __init__(self, functions: Sequence[Function], settings: Settings) -> None:
        self._settings = settings
        self._functions = functions
        self._choices = choices_of(functions, settings.config)
        self._planned: dict[str, Planned] = {}
        self._fields: dict[str, tuple[str, Any, Reference]] = {}
        self._absent: dict[str, tuple[str, Function]] = {}
        self._taken: set[str] = set()
        self._uses: dict[str, list[tuple[str, Use]]] = {}
        self._findings: dict[str, list[Diagnostic]] = {}
        self._used_config: set[str] = set(self._choices)

    def graph(self) -> Graph:
        for name, function in self._chosen():
            self._plan(name, function)
        settings = self._settings
        nodes = [self._node(planned) for planned in self._planned.values()]
        prompts = Prompts(self._planned, settings.config, self._find)
        nodes = [prompts.put_in(node) for node in nodes]
        self._check_config()
        outputs = {name: FlowOutput(name, Reference("node", name), self._type(name)) for name in self._planned}
        outputs |= {name: FlowOutput(name, ref, _type(kind)) for name, (_, kind, ref) in self._fields.items()}
        for name, port in settings.outputs.items():
            outputs[name] = self._declared_output(port, outputs)
        ports, _ = flow_inputs({name: [use for _, use in found] for name, found in self._uses.items()}, settings.inputs)
        whole = Flow(
            name=settings.name,
            inputs=ports,
            outputs=outputs,
            nodes=tuple(self._overridden(node) for node in nodes),
            source=settings.source,
            description=settings.description,
            strict=True,
            diagnostics=tuple(unknown_inputs(self._uses, settings.inputs, settings.source.file)),
            choices=self._choices,
        )
        findings = {name: tuple(found) for name, found in self._findings.items()}
        uses = {name: tuple(found) for name, found in self._uses.items()}
        return Graph(whole, settings, uses, findings, self._leaves(whole))

    # Which functions are nodes, and under which names.

    def _chosen(self) -> Iterable[tuple[str, Function]]:
        groups: dict[str, list[Function]] = {}
        for function in self._functions:
            groups.setdefault(node_name(function), []).append(function)
        for name, found in groups.items():
            conditional = [item for item in found if item.marks.conditions is not None]
            plain = [item for item in found if item.marks.conditions is None]
            if len(plain) > 1 or (plain and conditional):
                raise _twice(name, found[0], found[1])
            chosen = plain[0] if plain else choose(name, conditional, self._choices)
            if isinstance(chosen, Function):
                yield name, chosen
            else:
                self._absent[name] = (chosen, found[0])
                for field_name in {key for item in found for key in _fields(item)}:
                    self._absent.setdefault(field_name, (chosen, found[0]))

    def _plan(self, name: str, function: Function) -> None:
        nodes = function.marks.nodes or {name: {}}
        for own, given in nodes.items():
            self._claim(own, function)
            unknown = [
                parameter for parameter in {**function.marks.given, **given} if parameter not in function.parameters
            ]
            if unknown:
                raise LoadError(
                    f"{function.place}: {function.name}() has no parameter {unknown[0]!r}."
                    f" {nearest(unknown[0], function.parameters)}",
                    code="InvalidFunction",
                )
            self._planned[own] = Planned(own, function, {**function.marks.given, **given})
        fields = _fields(function)
        if fields and function.marks.nodes:
            raise LoadError(
                f"{function.place}: fields of {function.name}() cannot be told apart, as it is several nodes.",
                code="InvalidFunction",
            )
        for key, kind in fields.items():
            self._claim(key, function)
            reference = parse(f"${{{name}.output.{key}}}") or Reference("node", name)
            self._fields[key] = (name, kind, reference)

    def _claim(self, name: str, function: Function) -> None:
        if name in RESERVED:
            raise LoadError(
                f"{function.place}: no function can be called {name!r}, which stands for the flow's inputs; rename it.",
                code="ReservedName",
            )
        if name in self._settings.config:
            raise LoadError(
                f"{function.place}: {name!r} is computed by {function.name}(), so the configuration cannot say what it is;"
                " replace its value for a call with overrides.",
                code="ShadowedName",
            )
        other = self._planned.get(name)
        if other is not None:
            raise _twice(name, other.function, function)
        if name in self._fields:
            raise _twice(name, self._planned[self._fields[name][0]].function, function)

    # Edges.

    def _node(self, planned: Planned) -> Node:
        function = planned.function
        inputs: dict[str, Any] = {}
        collects: set[str] = set()
        groups: dict[str, Group] = {}
        for name, parameter in function.parameters.items():
            given = planned.given.get(name, Source(name))
            if isinstance(given, Group):
                groups[name] = given
                for key, part in given.items:
                    self._edge(planned, parameter, part, inputs, f"{name}[{key}]")
                continue
            self._edge(planned, parameter, given, inputs, name)
            found = inputs.get(name)
            if is_collect(parameter.annotation) and isinstance(found, Reference) and found.kind == "node":
                collects.add(name)
        call = (
            gathered(function.call, {name: group.items for name, group in groups.items()}) if groups else function.call
        )
        return Node(
            name=planned.name,
            call=Call("function", "code", target=f"{function.module}:{function.name}", function=call),
            inputs=inputs,
            line=function.line,
            expands=function.expands,
            collects=frozenset(collects),
            tags=function.marks.tags,
            description=function.description,
        )

    def _edge(
        self, planned: Planned, parameter: Parameter, given: Source | Value, inputs: dict[str, Any], key: str
    ) -> None:
        """What ``parameter`` of a node is given, into ``inputs`` under ``key``."""
        if isinstance(given, Value):
            inputs[key] = given.value
            return
        name, part = given.name, key != parameter.name
        if name in self._planned:
            self._taken.add(name)
            inputs[key] = Reference("node", name)
            if not part:
                self._check_edge(planned, parameter, self._planned[name].function)
        elif name in self._fields:
            node, kind, reference = self._fields[name]
            self._taken.update((name, node))
            inputs[key] = reference
            if not part:
                self._check_edge(planned, parameter, self._planned[node].function, name, kind)
        elif name in self._absent:
            if parameter.default is EMPTY:
                self._find(planned, "ChoiceMissing", f"{planned.name}() takes {name!r}, but {self._absent[name][0]}")
            elif planned.function.marks.kind != "function":
                inputs[key] = parameter.default
        elif name in self._settings.config:
            self._used_config.add(name)
            inputs[key] = self._configured(planned, parameter, self._settings.config[name])
        elif connection_classes(parameter.annotation):
            # A connection is looked up once, by the name that the parameter has or its default says.
            inputs[key] = parameter.default if isinstance(parameter.default, str) else name
        else:
            inputs[key] = Reference("input", name)
            use = Use(
                planned.function, parameter if not part else Parameter(key), planned.function.marks.kind != "function"
            )
            self._uses.setdefault(name, []).append((planned.name, use))

    def _check_edge(
        self, planned: Planned, parameter: Parameter, provider: Function, part: str = "", kind: Any = None
    ) -> None:
        gives = kind if part else provider.gives if provider.marks.kind == "function" else str
        wanted = parameter.annotation
        if not fits(gives, item_of(wanted) if is_collect(wanted) else wanted):
            what = f"{provider} gives {shown(gives)}" + (f" as {part!r}" if part else "")
            self._find(
                planned,
                "TypeMismatch",
                f"{planned.function.name}() takes {parameter.name!r} as {shown(wanted)}, but {what}.",
            )

    def _configured(self, planned: Planned, parameter: Parameter, value: Any) -> Any:
        """A configured value as the parameter wants it: commands give text."""
        kind = type_name(parameter.annotation)
        if not isinstance(value, str) or kind == "any":
            return value
        try:
            return convert(value, kind)
        except (ValueError, TypeError) as error:
            self._find(
                planned,
                "InvalidConfig",
                f"{planned.function.name}() takes {parameter.name!r} as {shown(parameter.annotation)}, which the configured"
                f" {value!r} is not: {error}.",
            )
            return value

    def _check_config(self) -> None:
        unknown = [key for key in self._settings.config if key not in self._used_config]
        if unknown:
            raise UsageError(
                f"{self._settings.source.file or self._settings.name}: nothing is configured by {unknown[0]!r}: no"
                f" alternative is chosen by it and no function takes it. {nearest(unknown[0], self._config_names())}"
            )

    def _config_names(self) -> list[str]:
        return [*self._choices, *(name for name in self._uses if name not in self._choices)]

    # Outputs.

    def _overridden(self, node: Node) -> Node:
        settings = self._settings.connections.get(node.name)
        if not settings:
            return node
        if node.call.type != "llm":
            raise LoadError(
                f"Node {node.name!r} asks no model, so it has no connection to override.", code="InvalidFlow"
            )
        rest = {key: value for key, value in settings.items() if key != "connection"}
        call = dataclasses.replace(node.call, connection=settings.get("connection", node.call.connection))
        return dataclasses.replace(node, call=call, inputs={**node.inputs, **rest})

    def _leaves(self, whole: Flow) -> tuple[str, ...]:
        """What nobody takes; of a function with named fields those, if somebody takes one of them."""
        names = [name for name in self._planned if name not in self._taken]
        reached = {node.name for node in part_of(whole, names).nodes}
        # What no leaf needs is part of a circle or leads to one: asked for, so that the check of the graph tells.
        return (*names, *(name for name in self._planned if name not in reached))

    def _type(self, name: str) -> str:
        function = self._planned[name].function
        return "string" if function.marks.kind != "function" else _type(function.gives)

    def _declared_output(self, port: FlowOutput, known: Mapping[str, FlowOutput]) -> FlowOutput:
        name = str(port.value)
        if name in known:
            return dataclasses.replace(port, value=known[name].value, type=port.type or known[name].type)
        if name in self._absent:
            message, function = self._absent[name]
            raise LoadError(f"{function.place}: {message}", code="ChoiceMissing")
        place = f"{self._settings.source.file}:{port.line}: " if port.line else ""
        raise LoadError(
            f"{place}output {port.name!r}: no function is called {name!r}. {nearest(name, known)}",
            code="OutputReferenceNotFound",
        )

    def _find(self, planned: Planned, code: str, message: str, severity: str = "error") -> None:
        function = planned.function
        self._findings.setdefault(planned.name, []).append(
            Diagnostic(severity, code, message, function.file or function.module, function.line)  # type: ignore[arg-type]
        )


def _type(annotation: Any) -> str:
    found = type_name(annotation)
    return "object" if found == "any" else found


def _fields(function: Function) -> Mapping[str, Any]:
    marked = function.marks.fields
    if marked is None:
        return {}
    found = marked or fields_of(function.gives)
    if not found:
        raise LoadError(
            f"{function.place}: extract_fields() without names needs a TypedDict or a dataclass as the return type of"
            f" {function.name}(); it has {shown(function.gives)}.",
            code="InvalidFunction",
        )
    return found


def _twice(name: str, one: Function, other: Function) -> LoadError:
    return LoadError(
        f"{other.place}: two functions give {name!r}: {one} and {other}; rename one, or mark both with when(…).",
        code="DuplicateNodeName",
    )
