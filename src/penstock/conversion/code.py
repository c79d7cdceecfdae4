"""Python text: literals, the reading of a value's parts, a module put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.graph.reference import Step

_TEMPLATE = """def _template(name):
    return (Path(__file__).parent / name).read_text(encoding="utf-8-sig")
"""
_GET = """def _get(value, name):
    return value[name] if isinstance(value, dict) else getattr(value, name)
"""


def literal(value: Any) -> str:
    """``value`` as Python source."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return f'float("{value}")'
    if isinstance(value, str):
        text = repr(value)
        # With an apostrophe in it, and no quotation mark, it stands in quotation marks already.
        return text if '"' in value or "'" in value else f'"{text[1:-1]}"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(literal, value)) + "]"
    return repr(value)


def part_of(name: str, steps: Sequence[Step]) -> str:
    """The expression for a part of the value called ``name``; words are keys of maps, else attributes."""
    shown = name
    for kind, step in steps:
        shown = f"_get({shown}, {literal(step)})" if kind == "word" else f"{shown}[{literal(step)}]"
    return shown


@dataclass(slots=True)
class Module:
    """A module of functions as it is put together."""

    reads: bool = False
    templates: bool = False
    _marks: set[str] = field(default_factory=set[str])
    _imports: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    _functions: list[str] = field(default_factory=list[str])

    def needs(self, *marks: str) -> None:
        """Import these from ``penstock.functions``."""
        self._marks.update(marks)

    def imported(self, module: str, name: str, alias: str) -> str:
        """Import ``name`` of ``module``; returns what it is called here."""
        return self._imports.setdefault((module, name), alias)

    def add(
        self,
        name: str,
        decorators: Sequence[str],
        parameters: Mapping[str, str],
        body: Sequence[str],
        *,
        awaited: bool = False,
        about: str = "",
    ) -> None:
        """Add a function; ``parameters`` are their source by name."""
        # Parameters with a default come last.
        shown = sorted(parameters.values(), key=lambda text: "=" in text)
        head = f"{'async ' if awaited else ''}def {name}({', '.join(shown)}):"
        told = [f"    {literal(about)}"] if about else []
        self._functions.append("\n".join([*decorators, head, *told, *(f"    {line}" for line in body)]) + "\n")

    def text(self, about: str) -> str:
        """The module's source."""
        marks = f"from penstock.functions import {', '.join(sorted(self._marks))}\n" if self._marks else ""
        path = "from pathlib import Path\n" if self.templates else ""
        own = "".join(
            f"from {module} import {name}{f' as {alias}' if alias != name else ''}\n"
            for (module, name), alias in sorted(self._imports.items())
        )
        head = [literal(about) + "\n"] if about else []
        head += ["\n".join(part for part in (path, marks, own) if part)]
        helping = ([_TEMPLATE] if self.templates else []) + ([_GET] if self.reads else [])
        return "\n".join(part for part in head if part) + "".join(
            f"\n\n{part}" for part in [*helping, *self._functions]
        )
