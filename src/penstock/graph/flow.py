"""A flow: a named graph with inputs, outputs, variants and the source it can be loaded from again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

from penstock.graph.choice import Choice
from penstock.graph.diagnostic import Diagnostic
from penstock.graph.node import Node
from penstock.graph.prompt import NO_PINS, Pins
from penstock.graph.reference import Reference

ChatStyle = Literal["turns", "messages"]
HistoryStyle = Literal["outputs", "pairs", "messages", "turns"]
Around = Callable[[Mapping[str, Any]], Callable[[Mapping[str, Any] | None, str | None], None]]


@dataclass(frozen=True, slots=True)
class FlowInput:
    """A declared input. ``default`` counts only where ``has_default``; a default of null is none, as in prompt flow.

    An ``optional`` input may be left out although it has no default here: the code that takes it has one of its own. The value
    of one that is not ``converted`` is passed on as it is given, whatever its type.
    """

    name: str
    type: str = "object"
    default: Any = None
    description: str = ""
    is_chat_input: bool = False
    is_chat_history: bool | None = None
    line: int | None = None
    optional: bool = False
    converted: bool = True

    @property
    def has_default(self) -> bool:
        """Whether there is a value here for an input that is left out."""
        return self.default is not None

    @property
    def may_be_left_out(self) -> bool:
        """Whether there is one anywhere, here or in the code."""
        return self.optional or self.has_default


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
class Role:
    """One who speaks in a group. What its flow gets is said by the group's node of the same name.

    Attributes:
        name: What the conversation calls it.
        flow: Its flow, of any kind.
        history: The input of that flow which takes the conversation so far.
        style: How the conversation is written there. ``outputs``: ``{"role": …, **outputs}`` a turn; ``pairs``:
            ``[role, outputs]``; ``messages``: ``{"role": …, "content": …}``, its own turns as the assistant's and all others
            as the user's; ``turns``: ``{"inputs": {…}, "outputs": {…}}`` for each of its own, with what it answered to.
        last: The input which takes what was said last; the conversation that it gets then ends before that.
        stop_signal: Text that ends the conversation when this role says it; None for none.
    """

    name: str
    flow: Flow
    history: str
    style: HistoryStyle = "outputs"
    last: str | None = None
    stop_signal: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Roles that speak in turn, one line of data a conversation.

    Attributes:
        roles: Two or more, their names differ.
        order: Names of roles; who speaks when, over and over.
        max_turns: After so many turns the conversation ends.
        max_tokens: After the turn in which the line's model calls have used so many.
        max_time: After the turn that ends so many seconds after the first began.
        pairs: The conversation in the results is a list of ``[role, outputs]``, not of ``{"role": …, **outputs}``.
    """

    roles: tuple[Role, ...]
    order: tuple[str, ...]
    max_turns: int
    max_tokens: int | None = None
    max_time: float | None = None
    pairs: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow as every format ends: pure values.

    Attributes:
        whole: Name of the node whose value is all that the flow gives: a map is the outputs by name, anything else becomes
            the output ``output``. None where ``outputs`` say it.
        sample: Inputs that stand in where none at all are given.
        strict: Inputs that are not declared are refused.
        choices: Configuration keys by which alternatives are chosen.
        prompts: Prompts that the flow's file names: text or reference by node, input or ``node.input``.
        pins: The prompts as they were looked up.
        chat_style: How a conversation at the terminal writes the history of this flow: ``turns`` is
            ``{"inputs": {…}, "outputs": {…}}`` for each, ``messages`` is ``{"role": …, "content": …}`` twice.
        group: The roles of a flow that is a conversation among other flows; its nodes then stand for the roles.
        loaded: Modules of the flow's folder that were imported to know the graph, by name.
        around: Begins a line where somebody wants to hear of each: it gets the line's inputs, and gives what is called with
            the outputs (None after a failure) and the failed node's name (None where none failed). Both may block.
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
    choices: Mapping[str, Choice] = field(default_factory=dict[str, Choice])
    prompts: Mapping[str, str] = field(default_factory=dict[str, str])
    pins: Pins = NO_PINS
    chat_style: ChatStyle = "turns"
    group: Group | None = None
    loaded: Mapping[str, ModuleType] = field(default_factory=dict[str, ModuleType], compare=False, repr=False)
    around: Around | None = field(default=None, compare=False, repr=False)

    def node(self, name: str) -> Node | None:
        """The node called ``name``, or None."""
        return next((node for node in self.nodes if node.name == name), None)

    def replace_nodes(self, nodes: Iterable[Node]) -> Flow:
        """The same flow with other nodes."""
        return dataclasses.replace(self, nodes=tuple(nodes))

    def answer(self, output: Mapping[str, Any]) -> Any:
        """What the flow says, of all that it gives: its chat output, else the only one, else the map as a whole."""
        port = self.chat_output
        if port is not None:
            return output[port.name]
        return next(iter(output.values())) if len(output) == 1 else output

    @property
    def parts(self) -> tuple[Flow, ...]:
        """The flow itself and every flow that it is made of."""
        roles = self.group.roles if self.group is not None else ()
        return (self, *(part for role in roles for part in role.flow.parts))

    @property
    def chat_input(self) -> FlowInput | None:
        """The input that carries the user's turn, if this is a chat flow."""
        return next((port for port in self.inputs.values() if port.is_chat_input), None)

    @property
    def chat_history(self) -> FlowInput | None:
        """The input that carries earlier turns: the marked one, else the one called ``chat_history``."""
        marked = next((port for port in self.inputs.values() if port.is_chat_history), None)
        named = self.inputs.get("chat_history")
        return marked or (named if named is not None and named.is_chat_history is not False else None)

    @property
    def chat_output(self) -> FlowOutput | None:
        """The output that carries the answer, if this is a chat flow."""
        return next((port for port in self.outputs.values() if port.is_chat_output), None)
