"""The functions that a module defines, as nodes: which of its names count, what they take and give."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.errors import LoadError
from penstock.frontends.functions.annotations import EMPTY, given_by, hints_of, is_each
from penstock.functions import Marks, marks_of, place_of

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; ``default`` is EMPTY where it has none, ``annotation`` where nobody says."""

    name: str
    annotation: Any = EMPTY
    default: Any = EMPTY


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the user's. ``gives`` is the type of its value, of one item where it ``expands``."""

    name: str
    call: Callable[..., Any] = field(repr=False)
    parameters: Mapping[str, Parameter]
    gives: Any
    expands: bool
    marks: Marks
    file: str
    line: int | None
    module: str
    description: str = ""

    @property
    def place(self) -> str:
        """``file:line``, as messages have it."""
        return f"{self.file}:{self.line}" if self.line else self.file or self.module

    def __str__(self) -> str:
        return f"{self.call.__name__}() ({self.place})" if hasattr(self.call, "__name__") else self.name


def scan(module: ModuleType) -> list[Function]:
    """The public functions defined in ``module``, in their order there.

    What it imports, what begins with an underscore, classes and other values are left out.

    Raises:
        LoadError: A function stands twice, or a decorator hides what its function takes.
    """
    file = getattr(module, "__file__", None)
    defined = _definitions(file)
    found = []
    for name, value in list(vars(module).items()):
        if name.startswith("_") or isinstance(value, type) or not callable(value):
            continue
        if name in defined or _belongs(value, name, module):
            found.append(_function(value, name, module.__name__, file))
    return found


def scan_function(function: Callable[..., Any]) -> Function:
    """One function, wherever it is defined.

    Raises:
        LoadError: It has no name of its own, or its parameters cannot be read.
    """
    name = str(getattr(function, "__name__", ""))
    if not name.isidentifier():
        raise LoadError(f"{function!r} has no name that a node could be called by.", code="InvalidFunction")
    return _function(function, name, str(getattr(function, "__module__", "")), None)


def _belongs(value: Any, name: str, module: ModuleType) -> bool:
    """For code that no file holds: a notebook's, a program's."""
    plain = inspect.unwrap(value)
    return (
        inspect.isfunction(plain)
        and getattr(value, "__module__", None) == module.__name__
        and getattr(value, "__name__", name) == name
    )


def _definitions(file: str | None) -> Mapping[str, int]:
    """Names of the functions that the file defines at its top, with their lines."""
    if not file or not file.endswith(".py"):
        return {}
    try:
        stat = Path(file).stat()
    except OSError:
        return {}
    return _read_definitions(file, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=64)
def _read_definitions(file: str, _changed: int, _size: int) -> Mapping[str, int]:
    try:
        tree = ast.parse(Path(file).read_bytes(), file)
    except (OSError, SyntaxError, ValueError, RecursionError):  # it was imported, so only a file that changed since
        return {}
    found: dict[str, int] = {}
    for item in tree.body:
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if item.name in found and not item.name.startswith("_") and not _replaces(item):
                raise LoadError(
                    f"{file}:{item.lineno}: {item.name}() is defined in line {found[item.name]} already, and would be lost"
                    f" there; alternatives of one node are called {item.name}__a, {item.name}__b … and marked with when(…).",
                    code="DuplicateNodeName",
                )
            if not _is_overload(item):
                found[item.name] = item.lineno
    return found | {name: line for name, line in _nested(tree.body) if name not in found}


def _is_overload(item: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("overload" in ast.dump(decorator) for decorator in item.decorator_list)


def _replaces(item: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a decorator takes the function of that name further: ``@old.register``."""
    return any(
        isinstance(d, ast.Attribute) and isinstance(d.value, ast.Name) and d.value.id == item.name
        for d in item.decorator_list
    )


def _nested(body: Sequence[ast.stmt]) -> Iterator[tuple[str, int]]:
    """Functions under ``if``, ``try`` and ``with`` at the top of the file."""
    for item in body:
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield item.name, item.lineno
        for part in ("body", "orelse", "finalbody"):
            if isinstance(item, (ast.If, ast.Try, ast.With)) and (inner := getattr(item, part, None)):
                yield from _nested(inner)
        for handler in getattr(item, "handlers", ()):
            yield from _nested(handler.body)


def _function(value: Callable[..., Any], name: str, module: str, file: str | None) -> Function:
    where, line = place_of(value)
    where = where or file or ""
    place = f"{where}:{line}" if line else where or module
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError) as error:
        raise LoadError(
            f"{place}: the parameters of {name}() cannot be read: {error}.", code="InvalidFunction"
        ) from error
    if file and where and where != file and _takes_anything(signature):
        raise LoadError(
            f"{file}: a decorator of {name}() (at {place}) hides which parameters it takes; let the decorator use"
            " functools.wraps, or mark the function private with an underscore.",
            code="InvalidFunction",
        )
    hints = hints_of(value)
    returns = hints.get("return", EMPTY)
    return Function(
        name=name,
        call=value,
        parameters=_parameters(signature, hints, name, place),
        gives=given_by(value, returns),
        expands=is_each(returns),
        marks=marks_of(value),
        file=where,
        line=line,
        module=module,
        description=inspect.cleandoc(value.__doc__ or "") if value.__doc__ else "",
    )


def _takes_anything(signature: inspect.Signature) -> bool:
    return any(item.kind in (item.VAR_KEYWORD, item.VAR_POSITIONAL) for item in signature.parameters.values())


def _parameters(signature: inspect.Signature, hints: Mapping[str, Any], name: str, place: str) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for item in signature.parameters.values():
        if item.kind in _BY_NAME:
            annotation = item.annotation if not isinstance(item.annotation, str) else EMPTY
            found[item.name] = Parameter(item.name, hints.get(item.name, annotation), item.default)
        elif item.kind is item.POSITIONAL_ONLY and item.default is item.empty:
            raise LoadError(
                f"{place}: parameter {item.name!r} of {name}() stands before a '/', so it cannot be given by its name;"
                " remove the '/'.",
                code="InvalidFunction",
            )
    return found
