"""``${…}`` references: what a node's input, an activate condition or a flow output points at."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from penstock.errors import BadReference

# A word, ['any text'] or [digits]; whatever stands between two matches is skipped, as prompt flow does.
# An index of more digits than any list has places for is read as a word, which nothing has either.
_TOKEN = re.compile(r"(\w+)|\['(.*?)'\]|\[(\d{1,18})\]")
_INPUT_PREFIXES = ("inputs.", "flow.")

Step = tuple[Literal["word", "key", "index"], "str | int"]


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference.

    ``name`` is a flow input or a node; ``steps`` lead into a node's output (a flow input has none: everything after
    ``inputs.`` is the input's name, dots included).
    """

    kind: Literal["input", "node"]
    name: str
    section: str = "output"
    path: str = ""
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        if self.kind == "input":
            return f"${{inputs.{self.name}}}"
        if self.name in ("inputs", "flow") and self.section == "output" and not self.path:
            # With its section it would read as a flow input.
            return f"${{{self.name}}}"
        return f"${{{self.name}.{self.section}{'.' + self.path if self.path else ''}}}"


def is_reference(value: object) -> bool:
    """Whether a YAML value is a reference: exactly ``${…}``, nothing before or after it, nothing trimmed."""
    return isinstance(value, str) and len(value) > 2 and value.startswith("${") and value.endswith("}")


def parse(value: object) -> Reference | None:
    """The reference in ``value``, or None where it is a literal."""
    if not isinstance(value, str) or not is_reference(value):
        return None
    body = value[2:-1]
    for prefix in _INPUT_PREFIXES:
        if body.startswith(prefix):
            return Reference("input", body[len(prefix) :])
    name, dot, rest = body.partition(".")
    if not dot:
        return Reference("node", name)
    section, _, path = rest.partition(".")
    return Reference("node", name, section, path, _steps(path))


def _steps(path: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    for word, key, index in _TOKEN.findall(path):
        if word:
            steps.append(("word", word))
        elif index:
            steps.append(("index", int(index)))
        else:
            steps.append(("key", key))
    return tuple(steps)


def getter(reference: Reference) -> Callable[[Any], Any] | None:
    """A function from a node's output to the referenced property; None where the whole output is meant."""
    if not reference.steps:
        return None

    def read(value: Any) -> Any:
        for kind, token in reference.steps:
            try:
                inside = kind != "word" or isinstance(value, dict)
                value = value[token] if inside else getattr(value, str(token))
            except (KeyError, IndexError, AttributeError) as error:
                raise BadReference(
                    f"{reference} asks for {token!r}, which the output of node {reference.name!r} does not have"
                    f" ({type(error).__name__}: {error})."
                ) from error
            except TypeError as error:
                raise BadReference(
                    f"{reference} asks for {token!r} in a value of type {type(value).__name__}, which has nothing inside;"
                    f" see what node {reference.name!r} gives.",
                    code="TypeError",
                ) from error
        return value

    return read
