"""Literal arguments become what the parameters ask for, once, before the first line. Referenced values are never converted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.connections.kinds import Connection, CustomStrongTypeConnection, to_strong_type
from penstock.errors import BadConnection, LoadError
from penstock.graph.types import convert
from penstock.prompts.image import load_images, to_image
from penstock.tools.bound import Context
from penstock.tools.signature import Parameter, Signature, accepts


def bind_literals(literals: Mapping[str, Any], signature: Signature, context: Context, node: str) -> dict[str, Any]:
    """The literal inputs of a node as arguments.

    None and the empty text are left out, so that the function's own default applies; names that the function does not have
    go through unchanged (a ``**kwargs`` may want them).

    Raises:
        LoadError: A value that does not fit, or a connection of the wrong type.
        BadConnection: A connection that is not there.
    """
    arguments: dict[str, Any] = {}
    for name, value in literals.items():
        if value is None or (isinstance(value, str) and not value):
            continue
        parameter = signature.parameters.get(name)
        arguments[name] = value if parameter is None else bind_literal(value, parameter, context, node)
    return arguments


def bind_literal(value: Any, parameter: Parameter, context: Context, node: str) -> Any:
    """One literal as ``parameter`` wants it."""
    if parameter.connections:
        if isinstance(value, Connection):
            return _checked(value, parameter, node)
        if parameter.optional_connection:
            known = isinstance(value, str) and context.connections.knows(value)
            if not known or not accepts(parameter, context.connections.get(value)):
                return value
        return _connection(str(value), parameter, context, node)
    if parameter.kind == "image":
        return to_image(value, context.folder, message_format=context.message_format)
    if parameter.kind == "assistant_definition" and context.assistant is not None:
        return context.assistant(value, parameter.name, context, node)
    try:
        converted = convert(value, parameter.kind)
        if parameter.kind in ("list", "object"):
            return load_images(converted, folder=context.folder, message_format=context.message_format)
        return converted
    except (ValueError, TypeError) as error:
        raise LoadError(
            f"Input {parameter.name!r} of node {node!r} has the value {value!r}, which is no {parameter.kind}: {error}.",
            code="NodeInputValidationError",
        ) from error


def _connection(name: str, parameter: Parameter, context: Context, node: str) -> Any:
    try:
        found = context.connections.get(name)
    except BadConnection as error:
        raise BadConnection(f"Node {node!r}, input {parameter.name!r}: {error.message}", code=error.code) from error
    return _checked(found, parameter, node)


def _checked(found: Connection, parameter: Parameter, node: str) -> Any:
    if not accepts(parameter, found):
        wanted = " or ".join(cls.__name__ for cls in parameter.connections)
        raise LoadError(
            f"Input {parameter.name!r} of node {node!r} takes {wanted}, but connection {found.name!r} is"
            f" {type(found).__name__}.",
            code="NodeInputValidationError",
        )
    strong = next((cls for cls in parameter.connections if issubclass(cls, CustomStrongTypeConnection)), None)
    if strong is not None and not isinstance(found, strong):
        return to_strong_type(found, strong)
    return found
