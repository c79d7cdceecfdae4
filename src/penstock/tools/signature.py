"""What a Python function takes: for each parameter its name, its types in prompt flow's words, and its default."""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.connections.kinds import Connection, CustomStrongTypeConnection, Secret
from penstock.errors import LoadError
from penstock.prompts.image import Image
from penstock.tools.types import AssistantDefinition, FilePath, PromptTemplate

_PLAIN: dict[Any, str] = {
    int: "int",
    float: "double",
    bool: "bool",
    str: "string",
    list: "list",
    Secret: "secret",
    PromptTemplate: "prompt_template",
    FilePath: "file_path",
    Image: "image",
    AssistantDefinition: "assistant_definition",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``connections`` are the connection classes it accepts, empty where it takes none.

    ``optional_connection``: prompt flow sees no connection in such an annotation, so any other value is fine, too.
    """

    name: str
    kind: str
    required: bool
    connections: tuple[type[Connection], ...] = ()
    optional_connection: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """All parameters by name, and whether any other keyword is accepted."""

    parameters: dict[str, Parameter]
    open: bool

    @property
    def optional(self) -> frozenset[str]:
        """Parameters with a default."""
        return frozenset(name for name, parameter in self.parameters.items() if not parameter.required)


def read_signature(function: Callable[..., Any], *, skip_self: bool = False) -> Signature:
    """The signature of ``function``.

    Raises:
        LoadError: It has parameters that cannot be given by name.
    """
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise LoadError(
            f"The parameters of {function!r} cannot be read: {error}.", code="BadFunctionInterface"
        ) from error
    if skip_self and found and found[0].name in ("self", "cls"):
        found = found[1:]
    parameters: dict[str, Parameter] = {}
    is_open = False
    for item in found:
        if item.kind is item.VAR_KEYWORD:
            is_open = True
        elif item.kind is item.POSITIONAL_ONLY and item.default is item.empty:
            name = getattr(function, "__qualname__", repr(function))
            raise LoadError(
                f"Parameter {item.name!r} of {name}() stands before a '/', so no node can give it by its name; remove the '/'.",
                code="BadFunctionInterface",
            )
        elif item.kind not in (item.VAR_POSITIONAL, item.POSITIONAL_ONLY):
            parameters[item.name] = _parameter(item, function)
    return Signature(parameters, is_open)


def _parameter(item: inspect.Parameter, function: Callable[..., Any]) -> Parameter:
    required = item.default is item.empty
    annotation = item.annotation
    if isinstance(annotation, str):
        annotation = _resolve(item.name, annotation, function)
    if annotation is item.empty:
        kind = "object" if required or item.default is None else _type_name(type(item.default))
        return Parameter(item.name, kind, required)
    classes = connection_classes(annotation)
    if classes:
        optional = isinstance(annotation, types.UnionType) or isinstance(item.annotation, str)
        return Parameter(item.name, "connection", required, classes, optional)
    if isinstance(item.annotation, str) and annotation is not AssistantDefinition:
        # prompt flow sees only text here and takes the parameter as an object. Connections and assistants are resolved all
        # the same: as an object they would be of no use to anybody.
        return Parameter(item.name, "object", required)
    return Parameter(item.name, _type_name(annotation), required)


def _resolve(name: str, text: str, function: Callable[..., Any]) -> Any:
    """What the annotation ``text`` of the parameter ``name`` stands for, as far as it can be found out."""
    try:
        return typing.get_type_hints(function)[name]
    except Exception:
        # One annotation that cannot be resolved, of a name only type checkers import say, hides all others.
        return _named(text, function)


def _named(text: str, function: Callable[..., Any]) -> Any:
    names = [part.strip() for part in text.split("|")]
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    found = [scope.get(name) for name in names]
    classes = [item for item in found if isinstance(item, type) and issubclass(item, Connection)]
    return typing.Union[tuple(classes)] if classes else Any  # ruff: ignore[non-pep604-annotation-union]  built from a list


def connection_classes(annotation: Any) -> tuple[type[Connection], ...]:
    """The classes of connection that a parameter with this annotation takes; empty where it takes none."""
    if isinstance(annotation, type) and issubclass(annotation, Connection):
        return (annotation,)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(annotation) if part is not type(None)]
        if parts and all(isinstance(part, type) and issubclass(part, Connection) for part in parts):
            return tuple(parts)
    return ()


def _type_name(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Union:
        parts = [part for part in typing.get_args(annotation) if part is not type(None)]
        return _type_name(parts[0]) if len(parts) == 1 else "object"
    try:
        if annotation in _PLAIN:
            return _PLAIN[annotation]
    except TypeError:
        return "object"
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return "string"
    return "object"


def accepts(parameter: Parameter, connection: Connection) -> bool:
    """Whether ``connection`` may be given to ``parameter``; a custom connection may become any strong type."""
    for wanted in parameter.connections:
        if isinstance(connection, wanted):
            return True
        if issubclass(wanted, CustomStrongTypeConnection) and type(connection).__name__ == "CustomConnection":
            return True
    return False
