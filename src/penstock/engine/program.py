"""A flow with every call resolved: what ``execute`` walks. Positions instead of names, so that a line costs little."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.connections.redact import Redactor
from penstock.graph.flow import Flow, Role
from penstock.graph.node import Scope
from penstock.prompts.image import OWN_FOLDER_ONLY, ImageRules
from penstock.tools.bound import Bound
from penstock.tools.isolation import Isolation

Getter = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class FromInput:
    """An argument taken from a flow input."""

    parameter: str
    input: str


@dataclass(frozen=True, slots=True)
class FromNode:
    """An argument taken from the output of the step at ``parent``; ``text`` is the reference as written."""

    parameter: str
    parent: int
    read: Getter | None
    text: str


@dataclass(frozen=True, slots=True)
class Condition:
    """``activate`` resolved: exactly one of ``input``, ``parent`` or the literal ``value`` is compared with ``equals``."""

    equals: Any
    input: str | None = None
    parent: int | None = None
    read: Getter | None = None
    value: Any = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """What a block leaves for those who collect: of the step at ``parent`` in the block a list, one value an item."""

    name: str
    parent: int
    read: Getter | None = None


@dataclass(frozen=True, slots=True)
class Import:
    """What a block takes from the program around it: what is read from the step at ``parent``."""

    parent: int
    read: Getter | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Nodes that run once an item. The first steps of ``program`` are given: the item, then what else comes from outside.

    ``imports`` are, in the same order, the sequence and the others.
    """

    program: Program
    imports: tuple[Import, ...]
    exports: tuple[Export, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One node, ready to be called. ``parents`` and ``children`` are positions in ``Program.steps``.

    ``outside`` says that what it returns was written by nobody in the flow: a model's answer, a search result. A step with a
    ``block`` is no node: it runs the block for each item of the sequence that is its first parent.
    """

    position: int
    name: str
    kind: str
    scope: Scope
    bound: Bound
    from_inputs: tuple[FromInput, ...]
    from_nodes: tuple[FromNode, ...]
    condition: Condition | None
    parents: tuple[int, ...]
    children: tuple[int, ...]
    cache: bool = False
    outside: bool = False
    expands: bool = False
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """A flow output: from a step, from a flow input, or a literal."""

    name: str
    parent: int | None = None
    input: str | None = None
    read: Getter | None = None
    value: Any = None


@dataclass(frozen=True, slots=True)
class InputPlan:
    """A flow input: how a value becomes what its type says. An ``optional`` one without a value is not passed on."""

    name: str
    type: str
    default: Any
    has_default: bool
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Speaker:
    """A role of a group, bound: its flow, what it gets besides the conversation, and what its code runs in."""

    role: Role
    program: Program
    inputs: tuple[FromInput, ...]
    constants: Mapping[str, Any]
    surroundings: Isolation


@dataclass(frozen=True, slots=True)
class Program:
    """A bound flow. ``steps`` are in an order in which each comes after its parents; line steps first, then run steps.

    ``whole`` is the step whose value is all that the flow gives, where its outputs are not named; ``redactor`` gives what
    takes the secrets known so far out of text. The first ``given`` steps are settled before any runs.
    A group has no steps but ``speakers``. ``images`` says from where images in the data may be read.
    """

    flow: Flow
    folder: Path
    inputs: tuple[InputPlan, ...]
    steps: tuple[Step, ...]
    outputs: tuple[OutputPlan, ...]
    line_steps: int
    blocking: bool
    sequential: bool
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    redactor: Callable[[], Redactor] = Redactor
    whole: int | None = None
    given: int = 0
    speakers: tuple[Speaker, ...] = ()
    images: ImageRules = OWN_FOLDER_ONLY

    def closures(self) -> dict[str, str]:
        """The identity of each node's own code, by node."""
        found = {step.name: step.bound.closure(self.folder) for step in self.steps}
        return {name: closure for name, closure in found.items() if closure is not None}

    @property
    def aggregates(self) -> bool:
        """Whether the flow has steps that run once a run."""
        return self.line_steps < len(self.steps)
