"""From an annotation and a default, as they are written, to prompt flow's word for a type."""

from __future__ import annotations

import ast
from collections.abc import Callable

from penstock.connections.model_configuration import MODEL_CONFIGURATIONS

Look = Callable[[str], str | None]
"""What a name of the user's own stands for, as far as it matters here: a type's word, or None."""

_PLAIN = {
    "str": "string",
    "int": "int",
    "float": "double",
    "bool": "bool",
    **dict.fromkeys(("list", "List", "Sequence", "MutableSequence", "Iterable", "Collection"), "list"),
}
_TRANSPARENT = ("Annotated", "Final", "Required", "NotRequired", "ReadOnly")
NOTHING = "nothing"


def of_annotation(node: ast.expr | None, look: Look) -> str:
    """The type's word: one of prompt flow's, the name of a connection's or a model configuration's class, else ``object``.

    ``nothing`` is said of ``None``, and of an annotation that is not there the empty text.
    """
    match node:
        case None:
            return ""
        case ast.Constant(value=None):
            return NOTHING
        case ast.Constant(value=str(text)):
            return _of_text(text, look)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _of_name(name, look)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _union([of_annotation(left, look), of_annotation(right, look)])
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            return _subscript(name, inner, look)
    return "object"


def _of_text(text: str, look: Look) -> str:
    try:
        return of_annotation(ast.parse(text.strip(), mode="eval").body, look)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "object"


def _of_name(name: str, look: Look) -> str:
    if name in _PLAIN:
        return _PLAIN[name]
    if name in MODEL_CONFIGURATIONS or (name.endswith("Connection") and name != "Connection"):
        return name
    return look(name) or "object"


def _subscript(name: str, inner: ast.expr, look: Look) -> str:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name in ("Optional", "Union"):
        return _union([of_annotation(part, look) for part in parts])
    if name in _TRANSPARENT:
        return of_annotation(parts[0], look) if parts else "object"
    if name == "Literal":
        return _union([of_value(part) or "object" for part in parts])
    return _of_name(name, look)


def _union(kinds: list[str]) -> str:
    """One of several types; None beside it changes nothing, and of several connections the first is shown."""
    found = [kind for kind in dict.fromkeys(kinds) if kind != NOTHING]
    if len(found) == 1 or (found and all(kind.endswith("Connection") for kind in found)):
        return found[0]
    return "object" if found else NOTHING


def of_value(node: ast.expr | None) -> str:
    """The type's word of a default, empty where it tells none."""
    match node:
        case ast.Constant(value=bool()):
            return "bool"
        case ast.Constant(value=str()):
            return "string"
        case ast.Constant(value=int()) | ast.UnaryOp(operand=ast.Constant(value=int())):
            return "int"
        case ast.Constant(value=float()) | ast.UnaryOp(operand=ast.Constant(value=float())):
            return "double"
        case ast.JoinedStr():
            return "string"
        case ast.List() | ast.ListComp():
            return "list"
        case ast.Dict() | ast.DictComp():
            return "object"
    return ""
