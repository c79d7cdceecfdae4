"""A node: one call, its arguments, its condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.graph.prompt import PinnedPrompt
from penstock.graph.reference import Reference
from penstock.records import PromptUse

Scope = Literal["line", "run"]


@dataclass(frozen=True, slots=True)
class Activate:
    """Run the node only if ``when`` equals ``equals`` (Python ``==``, nothing is converted)."""

    when: Reference | Any
    equals: Any


@dataclass(frozen=True, slots=True)
class Call:
    """What a node calls, still as names; ``engine`` resolves it.

    ``type`` is the tool kind (``python``, ``llm``, ``prompt``, ``custom_llm``, …); ``source`` one of ``code``, ``package``,
    ``package_with_prompt`` or None where the file says nothing; ``path`` is relative to the flow's folder; ``target`` is a
    package tool's id, or the ``module:name`` of an entry. ``function`` is the callable itself where the front end had to load
    the code to know the graph (type ``function``); such a flow runs only in the process that loaded it. ``prompt`` takes the
    place of the template file: a reference such as ``greet@prod``, and once it is looked up the prompt itself.
    ``init`` are the values for the constructor of an entry that is a class, ``init_types`` the types of what it takes.
    """

    type: str | None
    source: str | None = None
    path: str | None = None
    target: str | None = None
    connection: str | None = None
    api: str | None = None
    provider: str | None = None
    module: str | None = None
    function: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    prompt: str | PinnedPrompt | None = None
    init: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    init_types: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Node:
    """One call in a flow. ``inputs`` maps a parameter to a ``Reference`` or a literal; ``scope`` ``run`` means once a run.

    A node that ``expands`` gives a sequence; what refers to it runs once an item, and so does what refers to that, until a
    node takes the values of all items as a list through one of its parameters in ``collects``. ``tags`` are shown, never read.
    ``prompts`` says of which of the literal inputs are prompts what is recorded wherever the node runs.
    """

    name: str
    call: Call
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    activate: Activate | None = None
    scope: Scope = "line"
    cache: bool = False
    line: int | None = None
    expands: bool = False
    collects: frozenset[str] = frozenset()
    tags: Mapping[str, Any] = field(default_factory=dict[str, Any])
    description: str = ""
    prompts: Mapping[str, PromptUse] = field(default_factory=dict[str, PromptUse])

    def references(self) -> list[Reference]:
        """Every reference of the inputs, then the condition's."""
        found = [value for value in self.inputs.values() if isinstance(value, Reference)]
        if self.activate is not None and isinstance(self.activate.when, Reference):
            found.append(self.activate.when)
        return found

    def parents(self) -> set[str]:
        """Names of the nodes that must be settled before this one."""
        return {reference.name for reference in self.references() if reference.kind == "node"}
