"""Words to write JSON Schemas with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Schema = dict[str, Any]
Properties = Mapping[str, Schema]

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that every editor's YAML support reads."""

TYPES = (
    "int", "double", "bool", "string", "list", "object", "secret", "prompt_template", "file_path", "image",
    "assistant_definition",
)  # fmt: skip
"""Types of flow inputs and outputs (``graph.types.TYPES`` in the order people look for them)."""

_SCALAR = ["string", "number", "boolean"]


def text(about: str, **more: Any) -> Schema:
    """A text."""
    return {"type": "string", "description": about, **more}


def loose(about: str) -> Schema:
    """A text that may look like a number or a switch, or be left empty."""
    return {"type": [*_SCALAR, "null"], "description": about}


def flag(about: str) -> Schema:
    """True or false."""
    return {"type": ["boolean", "null"], "description": about}


def whole(about: str, least: int = 0) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": least, "description": about}


def number(about: str) -> Schema:
    """A number."""
    return {"type": "number", "description": about}


def one_of(words: Sequence[str], about: str) -> Schema:
    """One of some words."""
    return {"enum": list(words), "description": about}


def anything(about: str) -> Schema:
    """Any value."""
    return {"description": about}


def items(item: Schema, about: str, **more: Any) -> Schema:
    """A list."""
    return {"type": "array", "items": item, "description": about, **more}


def named(value: Schema, about: str) -> Schema:
    """A map of names to ``value``; nothing at all counts as an empty one."""
    return {"type": ["object", "null"], "additionalProperties": value, "description": about}


def keys(properties: Properties, about: str = "", *, required: Sequence[str] = (), more: bool = False) -> Schema:
    """A map with these keys, and no others unless ``more``."""
    found: Schema = {"type": "object", "properties": dict(properties)}
    if about:
        found["description"] = about
    if required:
        found["required"] = list(required)
    if not more:
        found["additionalProperties"] = False
    return found


def document(title: str, about: str, body: Schema) -> Schema:
    """The schema of a whole file."""
    return {"$schema": DRAFT, "title": title, **body, "description": about}


SCHEMA_KEY = text("Where an editor finds this format's schema; ignored.")
ENVIRONMENT = named(
    anything("Text; numbers, lists and maps are written as text. ${CONNECTION.KEY} takes a connection's value."),
    "Environment variables of the flow's code.",
)
INCLUDES = items(text("A file or folder, relative to the flow's."), "Files from elsewhere that belong to the flow.")
