"""The tool in a node's Python file, read without importing it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import LoadError

_KINDS = {
    "int": "int", "float": "double", "bool": "bool", "str": "string", "list": "list", "List": "list", "dict": "object",
    "Dict": "object",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ToolSource:
    """A function marked with ``@tool``.

    Attributes:
        name: Of the function.
        awaited: Whether it is asynchronous.
        streams: Whether it yields.
        method: Whether it is a method of a class.
        looks_at_file: Whether the file's code uses ``__file__``.
        kinds: Flow type of each parameter whose annotation says a plain one.
        annotations: The annotation of each other parameter that has one, as it is written.
    """

    name: str
    awaited: bool
    streams: bool
    method: bool
    looks_at_file: bool
    kinds: Mapping[str, str]
    annotations: Mapping[str, str]


def tool_in(path: Path) -> ToolSource:
    """The one tool in the file.

    Raises:
        LoadError: The file cannot be read, is no Python, or has none or several tools.
    """
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise LoadError(f"{path}: cannot be read: {error.strerror}.", code="InvalidSource") from error
    except (SyntaxError, ValueError, RecursionError) as error:
        raise LoadError(f"{path}: not valid Python: {error}.", code="PythonLoadError") from error
    found = [
        (item, parent is not tree)
        for parent in ast.walk(tree)
        for item in ast.iter_child_nodes(parent)
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and is_tool(item)
    ]
    if len(found) != 1:
        raise LoadError(f"{path}: has {len(found)} tools, and must have one.", code="NoToolDefined")
    function, method = found[0]
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    written = {item.arg: item.annotation for item in arguments if item.annotation is not None}
    names = {name: _name(annotation) for name, annotation in written.items()}
    return ToolSource(
        name=function.name,
        awaited=isinstance(function, ast.AsyncFunctionDef),
        streams=_streams(function),
        method=method,
        looks_at_file=any(isinstance(item, ast.Name) and item.id == "__file__" for item in ast.walk(tree)),
        kinds={name: _KINDS[kind] for name, kind in names.items() if kind in _KINDS},
        annotations={name: ast.unparse(written[name]) for name, kind in names.items() if kind not in _KINDS},
    )


def is_tool(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether ``@tool`` stands above it."""
    for decorator in function.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        if (target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")) == "tool":
            return True
    return False


def _name(annotation: ast.expr) -> str:
    """``list`` for ``list[str]``, ``int`` for ``int``; nothing for what is neither a name nor one with arguments."""
    inner = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return inner.id if isinstance(inner, ast.Name) else ""


def _streams(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    inner = {id(item) for part in ast.walk(function) if part is not function and isinstance(part, (ast.FunctionDef, ast.Lambda))
             for item in ast.walk(part)}  # fmt: skip
    return any(isinstance(item, (ast.Yield, ast.YieldFrom)) and id(item) not in inner for item in ast.walk(function))
