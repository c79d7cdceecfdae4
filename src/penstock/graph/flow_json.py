"""A flow as plain JSON and back: what crosses the pipe from a process that loaded it. Functions stay behind."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from penstock.graph.choice import Choice
from penstock.graph.diagnostic import Diagnostic
from penstock.graph.flow import Flow, FlowInput, FlowOutput, Source, Variant, VariantSet
from penstock.graph.node import Activate, Call, Node
from penstock.graph.prompt import PinnedPrompt, Pins
from penstock.graph.reference import Reference
from penstock.records import PromptUse

_CLASSES = {
    cls.__name__: cls
    for cls in (
        Activate, Call, Choice, Diagnostic, Flow, FlowInput, FlowOutput, Node, PinnedPrompt, Pins, PromptUse, Reference,
        Source, Variant, VariantSet,
    )
}  # fmt: skip
_KIND = "@"
# Live objects, which another process cannot have.
_LEFT = {("Call", "function"), ("Flow", "loaded")}


def pack(value: Any) -> Any:
    """Plain JSON of a flow or a part of it; an object that JSON cannot say becomes its text."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return value if not isinstance(value, float) or math.isfinite(value) else {_KIND: "float", "text": str(value)}
    if isinstance(value, list):
        return [pack(item) for item in value]
    if isinstance(value, (tuple, frozenset)):
        items = sorted(value) if isinstance(value, frozenset) else value
        return {_KIND: "tuple" if isinstance(value, tuple) else "set", "items": [pack(item) for item in items]}
    if isinstance(value, Mapping):
        return {_KIND: "map", "items": [[pack(key), pack(item)] for key, item in value.items()]}
    name = type(value).__name__
    if _CLASSES.get(name) is type(value):
        fields = {
            item.name: pack(getattr(value, item.name))
            for item in dataclasses.fields(value)
            if (name, item.name) not in _LEFT and getattr(value, item.name) != item.default
        }
        return {_KIND: name, "fields": fields}
    return repr(value)


def unpack(data: Any) -> Any:
    """Read back ``pack``."""
    if isinstance(data, list):
        return [unpack(item) for item in data]
    if not isinstance(data, dict):
        return data
    kind = data[_KIND]
    if kind == "tuple":
        return tuple(unpack(item) for item in data["items"])
    if kind == "set":
        return frozenset(unpack(item) for item in data["items"])
    if kind == "map":
        return {unpack(key): unpack(item) for key, item in data["items"]}
    if kind == "float":
        return float(data["text"])
    cls: Any = _CLASSES[kind]
    return cls(**{name: unpack(item) for name, item in data["fields"].items()})
