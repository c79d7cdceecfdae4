"""Which configuration a Hamilton module's alternatives know, read from its text: what ``@config.when(…)`` says.

Hamilton takes any configuration: where no alternative fits, the node silently becomes an input. A value that no alternative
names is almost always a slip of the pen, and can be told from the text.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from penstock.errors import LoadError, UsageError
from penstock.graph.check import nearest
from penstock.graph.choice import Choice

_ONE = ("when",)
_MANY = ("when_in",)
_NOT = ("when_not", "when_not_in")
# With these the configuration may be read in ways that the text does not tell.
_OPEN = re.compile(
    r"@\s*(?:\w+\.)*(?:resolve|resolve_from_config|subdag|parameterized_subdag|dynamic_transform|model)\b|\bconfiguration\("
)


@dataclass(slots=True)
class Alternative:
    """One conditional function: the node it would be, its line, and for each key the values that choose it."""

    node: str
    file: str
    line: int
    fits: dict[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])
    excludes: dict[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])


def fitted(modules: Sequence[ModuleType], config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with text for values that only look different (``"2"`` for 2), as a command line gives them.

    Raises:
        LoadError: A value that no alternative knows, though all of them name theirs.
    """
    result = dict(config)
    for module in modules:
        for node, group in _by_node(_read(module)[0]).items():
            for key in dict.fromkeys(key for one in group for key in one.fits):
                if key in config:
                    result[key] = _fitting(node, group, key, result[key])
    return result


def _fitting(node: str, group: Sequence[Alternative], key: str, value: Any) -> Any:
    known = list(dict.fromkeys(choice for one in group for choice in one.fits.get(key, ())))
    if value in known:
        return value
    alike = [choice for choice in known if isinstance(value, str) and str(choice).lower() == value.lower()]
    if len(alike) == 1 and not isinstance(alike[0], str):
        return alike[0]
    if not all(key in one.fits for one in group):
        return value  # another alternative decides by something else, or by what it is not
    first = group[0]
    raise LoadError(
        f"{first.file}:{first.line}: no alternative of {node!r} fits config {key}={value!r}; there are:"
        f" {', '.join(map(repr, known))}.",
        code="UnknownVariant",
    )


def check_keys(modules: Sequence[ModuleType], config: Mapping[str, Any], nodes: Container[str]) -> None:
    """Refuse configuration that nothing decides by and no function takes.

    Args:
        modules: The modules.
        config: What was chosen.
        nodes: Names that nodes of the graph take.

    Raises:
        UsageError: A key that nothing in the modules has.
    """
    found = [_read(module) for module in modules]
    if any(is_open for _, is_open, _ in found):
        return
    keys = {key for part, _, _ in found for one in part for key in (*one.fits, *one.excludes)}
    names = {name for _, _, part in found for name in part}
    for key in config:
        if key not in keys and key not in names and key not in nodes:
            where = ", ".join(getattr(module, "__file__", None) or module.__name__ for module in modules)
            raise UsageError(f"{where}: nothing decides by config {key!r} or takes it. {nearest(key, sorted(keys))}")


def unchosen(modules: Sequence[ModuleType], config: Mapping[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """Nodes that have alternatives of which none is chosen: for each the keys that decide and the values they know."""
    found: dict[str, dict[str, list[Any]]] = {}
    for module in modules:
        for node, group in _by_node(_read(module)[0]).items():
            choices: dict[str, list[Any]] = {}
            for one in group:
                for key, values in one.fits.items():
                    if key not in config:
                        choices.setdefault(key, []).extend(
                            value for value in values if value not in choices.get(key, ())
                        )
            if choices:
                found[node] = choices
    return found


def choices_of(modules: Sequence[ModuleType], config: Mapping[str, Any]) -> dict[str, Choice]:
    """The configuration keys that alternatives decide by, with the values they know; nothing stands in where none is chosen."""
    values: dict[str, list[Any]] = {}
    nodes: dict[str, list[str]] = {}
    for module in modules:
        for one in _read(module)[0]:
            for key, known in (*one.fits.items(), *one.excludes.items()):
                values.setdefault(key, []).extend(value for value in known if value not in values.get(key, ()))
                if one.node not in nodes.setdefault(key, []):
                    nodes[key].append(one.node)
    return {
        key: Choice(key, tuple(known), chosen=config.get(key), nodes=tuple(nodes[key])) for key, known in values.items()
    }


def _by_node(alternatives: Sequence[Alternative]) -> dict[str, list[Alternative]]:
    groups: dict[str, list[Alternative]] = {}
    for one in alternatives:
        groups.setdefault(one.node, []).append(one)
    return groups


def _read(module: ModuleType) -> tuple[list[Alternative], bool, set[str]]:
    """The alternatives, whether configuration may be used in ways not seen here, and all names of nodes and parameters."""
    file = getattr(module, "__file__", None) or module.__name__
    try:
        return _parsed(inspect.getsource(module), file)
    except (OSError, TypeError, SyntaxError):
        return [], True, set()


@functools.lru_cache(maxsize=8)
def _parsed(text: str, file: str) -> tuple[list[Alternative], bool, set[str]]:
    alternatives: list[Alternative] = []
    names: set[str] = set()
    is_open = _OPEN.search(text) is not None
    for item in ast.parse(text).body:
        if not isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        node = item.name.partition("__")[0]
        names |= {node, item.name, *(a.arg for a in (*item.args.posonlyargs, *item.args.args, *item.args.kwonlyargs))}
        alternative = Alternative(node, file, item.lineno)
        for name, call in _decorators(item):
            is_open |= not _add(alternative, name, call)
        if alternative.fits or alternative.excludes:
            alternatives.append(alternative)
    return alternatives, is_open, names


def _decorators(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, ast.Call]]:
    """Conditions among the decorators: ``("when", call)`` for ``@config.when(…)``, ``("", call)`` for ``@config(…)``."""
    for decorator in function.decorator_list:
        if not isinstance(decorator, ast.Call):
            continue
        called = ast.unparse(decorator.func).split(".")
        if called[-1] in (*_ONE, *_MANY, *_NOT) and "config" in called[:-1]:
            yield called[-1], decorator
        elif called[-1] == "config":
            yield "", decorator


def _add(alternative: Alternative, name: str, call: ast.Call) -> bool:
    """Add a condition; False where it decides by more than its text shows."""
    if not name:
        return False
    for keyword in call.keywords:
        try:
            value = ast.literal_eval(keyword.value)
        except ValueError:
            return False
        if keyword.arg is None:
            return False
        if keyword.arg == "name":
            alternative.node = str(value)
            continue
        values = tuple(value) if name in (*_MANY, "when_not_in") else (value,)
        if name in _NOT:
            alternative.excludes[keyword.arg] = values
        else:
            alternative.fits[keyword.arg] = values
    return True
