"""A flow: a named graph with inputs, outputs, variants and the source it can be loaded from again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.graph.diagnostic import Diagnostic
from penstock.graph.node import Node
from penstock.graph.reference import Reference


@dataclass(frozen=True, slots=True)
class FlowInput:
    """A declared input. ``default`` counts only where ``has_default``; a default of null is none, as in prompt flow.

    An ``optional`` input may be left out although it has no default here: the code that takes it has one of its own.
    """

    name: str
    type: str = "object"
    default: Any = None
    description: str = ""
    is_chat_input: bool = False
    is_chat_history: bool | None = None
    line: int | None = None
    optional: bool = False

    @property
    def has_default(self) -> bool:
        """Whether the input may be left out."""
        return self.default is not None


@dataclass(frozen=True, slots=True)
class FlowOutput:
    """A declared output: a reference or a literal; the declared type converts nothing."""

    name: str
    value: Reference | Any
    type: str = "string"
    description: str = ""
    evaluation_only: bool = False
    is_chat_output: bool = False
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """One alternative for a node."""

    id: str
    node: Node
    description: str = ""


@dataclass(frozen=True, slots=True)
class VariantSet:
    """All alternatives of a node and the one that stands in unless another is chosen."""

    default: str
    variants: Mapping[str, Variant]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a flow came from, enough to load it again in another process.

    ``file`` is absolute; its folder is the flow's folder. For a bare entry it is that folder and ``module:name``. The rest is
    what was chosen at load, as ``frontends.load`` takes it: variants, connections by node, node inputs; ``init`` for the
    constructor of a class; ``config`` and requested ``outputs`` for a graph of functions.
    """

    file: str
    format: str
    variants: tuple[str, ...] = ()
    connections: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, "Mapping[str, str]"])
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    init: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow as every format ends: pure values.

    Attributes:
        whole: Name of the node whose value is all that the flow gives: a map is the outputs by name, anything else becomes
            the output ``output``. None where ``outputs`` say it.
        sample: Inputs that stand in where none at all are given.
        strict: Inputs that are not declared are refused.
    """

    name: str
    inputs: Mapping[str, FlowInput]
    outputs: Mapping[str, FlowOutput]
    nodes: tuple[Node, ...]
    source: Source
    variants: Mapping[str, VariantSet] = field(default_factory=dict[str, VariantSet])
    environment_variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    additional_includes: tuple[str, ...] = ()
    message_format: Literal["basic", "openai-vision"] = "basic"
    language: str = "python"
    modules: tuple[str, ...] = ()
    description: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    whole: str | None = None
    sample: Mapping[str, Any] = field(default_factory=dict[str, Any])
    strict: bool = False

    def node(self, name: str) -> Node | None:
        """The node called ``name``, or None."""
        return next((node for node in self.nodes if node.name == name), None)

    def replace_nodes(self, nodes: Iterable[Node]) -> Flow:
        """The same flow with other nodes."""
        return dataclasses.replace(self, nodes=tuple(nodes))

    @property
    def chat_input(self) -> FlowInput | None:
        """The input that carries the user's turn, if this is a chat flow."""
        return next((port for port in self.inputs.values() if port.is_chat_input), None)

    @property
    def chat_history(self) -> FlowInput | None:
        """The input that carries earlier turns: the marked one, else the one called ``chat_history``."""
        marked = next((port for port in self.inputs.values() if port.is_chat_history), None)
        return marked or self.inputs.get("chat_history")

    @property
    def chat_output(self) -> FlowOutput | None:
        """The output that carries the answer, if this is a chat flow."""
        return next((port for port in self.outputs.values() if port.is_chat_output), None)
