"""Value types of flow inputs and how a value becomes one (prompt flow's ``ValueType``)."""

from __future__ import annotations

import json
from typing import Any

TYPES = (
    "int",
    "double",
    "bool",
    "string",
    "secret",
    "prompt_template",
    "list",
    "object",
    "file_path",
    "image",
    "assistant_definition",
)


class Unparsable(ValueError):
    """A string that should have been JSON and is not."""


def convert(value: Any, type_name: str) -> Any:
    """``value`` as ``type_name``.

    Images, file paths, secrets, templates and assistant definitions come back unchanged: turning them into objects reads
    files, which is not this module's business.

    Raises:
        Unparsable: A list given as text that is no JSON.
        ValueError: The value does not fit the type.
        TypeError: Likewise, for a type Python cannot convert.
    """
    try:
        match type_name:
            case "int":
                return int(value)
            case "double":
                return float(value)
            case "bool":
                return _bool(value)
            case "string":
                return str(value)
            case "list":
                return _list(value)
            case "object":
                return _object(value)
            case _:
                return value
    except OverflowError as error:  # infinity as an int, an int that no float can hold
        raise ValueError(str(error)) from error


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError(f"{value!r} is no boolean")


def _list(value: Any) -> list[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise Unparsable(str(error)) from error
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is no list")
    return value


def _object(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
