"""A prompty: a prompt in a file of its own, with its model, inputs and sample in a YAML header; whatever dialect it is in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Dialect = Literal["promptflow", "v1", "v2"]

OVERRIDES = "(header)"
"""The input of a prompty node that holds changes to the header; no template can spell it."""


@dataclass(frozen=True, slots=True)
class PromptyInput:
    """A declared input.

    Attributes:
        name: As the template spells it.
        type: A type of flow inputs, or ``any`` where a value is taken as it comes.
        default: Taken where the input is left out, if ``has_default``; unlike a flow's it may be null.
        has_default: Whether it has one.
        required: Whether a call without it fails.
        description: For people.
        is_chat_input: The user's turn, at a terminal.
        is_chat_history: The turns before.
        kind: ``thread``, ``image``, ``audio`` or ``file`` where the value is more than text (v2).
        sample: What the file gives to try it out with (v1).
    """

    name: str
    type: str = "any"
    default: Any = None
    has_default: bool = False
    required: bool = True
    description: str = ""
    is_chat_input: bool = False
    is_chat_history: bool | None = None
    kind: str = ""
    sample: Any = None


@dataclass(frozen=True, slots=True)
class PromptyModel:
    """Whom to ask, and how.

    Attributes:
        api: ``chat``, ``completion``, ``embedding`` or ``responses``.
        name: Model or deployment; empty where the file names none.
        configuration: ``type`` and the endpoint's settings, or the name of a ``connection``; or a model configuration
            object that was given from Python.
        parameters: Sent as they are.
        response: ``first`` for the first choice, ``all`` for the whole answer.
    """

    api: str = "chat"
    name: str = ""
    configuration: Any = field(default_factory=dict[str, Any], repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    response: str = "first"


@dataclass(frozen=True, slots=True)
class Unset:
    """A variable that the header refers to and that is not set: where in the header, and its name."""

    path: tuple[str | int, ...]
    variable: str


@dataclass(frozen=True, slots=True)
class Prompty:
    """A prompty as read: its header resolved, its template as text.

    Attributes:
        file: Where it is; its folder is what relative paths start from.
        dialect: Whose rules it was read by: prompt flow's, or microsoft/prompty's version 1 or 2.
        name: Of the header, else the file's.
        header: All of it, references filled in; it may hold keys.
        template: The text below the header.
        line: The line of the file on which that begins.
        inputs: By name, in the file's order.
        outputs: Declared outputs by name.
        sample: As the header has it: a map, or the name of a file.
        model: Whom to ask.
        engine: ``jinja2`` or ``mustache``.
        environment_variables: To set while it runs.
        description: For people.
        unset: Variables that the header lacks.
        notes: What was read and has no effect here.
        lines: Lines of the file by the place in the header.
    """

    file: Path
    dialect: Dialect
    name: str
    header: Mapping[str, Any] = field(repr=False)
    template: str
    line: int
    inputs: Mapping[str, PromptyInput]
    outputs: Mapping[str, Any]
    sample: Any
    model: PromptyModel
    engine: str = "jinja2"
    environment_variables: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    description: str = ""
    unset: tuple[Unset, ...] = ()
    notes: tuple[str, ...] = ()
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict, repr=False, compare=False)

    @property
    def folder(self) -> Path:
        """What relative paths start from."""
        return self.file.parent
