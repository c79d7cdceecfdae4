"""Where code is written: the definition of a function or class in its file, without comments and docstrings."""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType
from typing import Any

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def source_text(nodes: list[ast.AST], code: CodeType) -> str:
    """The source without comments and docstrings; of code without source, its instructions."""
    if nodes:
        return "\n".join(ast.unparse(node) for node in nodes)
    constants = [source_text([], item) if isinstance(item, CodeType) else repr(item) for item in code.co_consts]
    return f"{code.co_code.hex()} {constants} {code.co_names} {code.co_varnames}"


def definitions(code: CodeType, space: Mapping[str, Any]) -> list[ast.AST]:
    """The definition of ``code``; several where lambdas share a line and cannot be told apart, none without source."""
    tree = source_tree(code.co_filename, space)
    if tree is None:
        return []
    wanted = [item for item in ast.walk(tree) if isinstance(item, _FUNCTIONS) and _is(item, code)]
    return list(wanted)


def _is(node: ast.AST, code: CodeType) -> bool:
    if isinstance(node, ast.Lambda):
        return code.co_name == "<lambda>" and node.lineno == code.co_firstlineno
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)), "what _FUNCTIONS lists"
    lines = [node.lineno, *(item.lineno for item in node.decorator_list)]
    return node.name == code.co_name and code.co_firstlineno in lines


def source_tree(file: str, space: Mapping[str, Any] | None) -> ast.Module | None:
    """A file as a tree, read again when it has changed; None where it cannot be read."""
    path = Path(file)
    try:
        told = path.stat()
        return _parsed(file, told.st_mtime_ns, told.st_size)
    except OSError:
        # A notebook's cell or a console's line; Python keeps the text of those.
        return _clean("".join(linecache.getlines(file, dict(space) if space is not None else None)))


@functools.lru_cache(maxsize=256)
def _parsed(file: str, changed: int, size: int) -> ast.Module | None:
    del changed, size  # they are there so that a file that changed is read again
    try:
        return _clean(Path(file).read_bytes())
    except OSError:
        return None


def _clean(source: str | bytes) -> ast.Module | None:
    if not source:
        return None
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)) and _documented(node):
            node.body = node.body[1:] or [ast.Pass(lineno=0, col_offset=0)]
    return tree


def _documented(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module) -> bool:
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def class_definition(tree: ast.AST, names: list[str]) -> ast.AST | None:
    """The last class of that dotted name: it is the one that counts."""
    found: ast.AST | None = tree
    for name in names:
        if name == "<locals>":
            continue
        bodies = (
            [node for node in ast.walk(found) if isinstance(node, (ast.ClassDef, *_FUNCTIONS[:2]))] if found else []
        )
        found = next((node for node in reversed(bodies) if node.name == name and node is not found), None)
    return found if isinstance(found, ast.ClassDef) else None


def mentioned(node: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names that are read, each with the attributes behind it: ``prompts.GREET`` is ``("prompts", ("GREET",))``."""
    inner: set[int] = set()
    for item in ast.walk(node):
        if isinstance(item, ast.Attribute):
            path: list[str] = []
            at: ast.AST = item
            while isinstance(at, ast.Attribute):
                path.append(at.attr)
                inner.add(id(at.value))
                at = at.value
            if isinstance(at, ast.Name) and id(item) not in inner:
                yield at.id, tuple(reversed(path))
        elif isinstance(item, ast.Name) and isinstance(item.ctx, ast.Load) and id(item) not in inner:
            yield item.id, ()


def late_imports(node: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    """Imports inside of functions, as module and name (empty for the module itself)."""
    for item in ast.walk(node):
        if isinstance(item, ast.Import):
            for alias in item.names:
                yield alias.name, ""
        elif isinstance(item, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - item.level + 1] if item.level else []
            module = ".".join([*parts, *([item.module] if item.module else [])])
            for alias in item.names:
                yield module, alias.name
