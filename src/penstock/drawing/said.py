"""Values, calls and conditions in the few words that fit beside a box."""

from __future__ import annotations

import json
from typing import Any

from penstock.graph.flow import Flow
from penstock.graph.node import Node
from penstock.graph.reference import Reference

_LONGEST = 200
_MODEL_INPUTS = ("model", "deployment_name")


def as_text(value: Any) -> str:
    """A value on one line: references without their signs, texts in quotes, everything else as JSON; long ones cut."""
    if isinstance(value, Reference):
        return pointed(value)
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, TypeError, RecursionError):
        text = str(type(value).__name__)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def pointed(reference: Reference) -> str:
    """``inputs.name``, ``node`` or ``node.path``."""
    if reference.kind == "input":
        return f"inputs.{reference.name}"
    if reference.section != "output":
        return f"{reference.name}.{reference.section}"
    return f"{reference.name}.{reference.path}" if reference.path else reference.name


def condition(node: Node) -> str | None:
    """``if NODE.PATH = VALUE``."""
    if node.activate is None:
        return None
    return f"if {as_text(node.activate.when)} = {as_text(node.activate.equals)}"


def called(flow: Flow, node: Node) -> str:
    """The prompt, file, package tool, entry or function that a node calls."""
    call = node.call
    if call.prompt is not None:
        return f"prompt {call.prompt}" if isinstance(call.prompt, str) else f"prompt {call.prompt.title}"
    if call.target:
        return call.target if not call.path else f"{call.path} · {call.target}"
    if call.path:
        return call.path
    if call.function is not None:
        return f"{getattr(call.function, '__module__', '')}.{getattr(call.function, '__qualname__', '')}".strip(".")
    if flow.group is not None:
        return next(
            (role.flow.source.file.rpartition("/")[2] for role in flow.group.roles if role.name == node.name), ""
        )
    return call.module or ""


def given_model(node: Node) -> str:
    """Model and connection, where the node names them."""
    call = node.call
    if call.type not in ("llm", "custom_llm", "prompty") and not call.connection:
        return ""
    model = next((node.inputs[key] for key in _MODEL_INPUTS if node.inputs.get(key)), None)
    shown = pointed(model) if isinstance(model, Reference) else None if model is None else str(model)
    return " · ".join(part for part in (shown, call.connection or call.provider) if part)


def plain(text: str) -> str:
    """``text`` with a visible escape for every character that cannot be seen or that turns others around."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
