"""What a docstring says about a function and its parameters: the ``:param x:`` and the ``Args:`` way of writing."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field

_FIELD = re.compile(r"^:(?P<words>[^:\n]*):(?P<text>.*(?:\n(?!:).*)*)", re.MULTILINE)
_PARAM = ("param", "parameter", "arg", "argument", "key", "keyword", "attribute")
_SECTION = re.compile(
    r"^(?:Args|Arguments|Parameters|Params):[ \t]*\n(?P<body>(?:[ \t]+.*(?:\n|\Z)|[ \t]*\n)*)", re.MULTILINE
)
_HEADING = re.compile(r"^(?:[A-Z]\w*(?: \w+)?):[ \t]*$", re.MULTILINE)
_ENTRY = re.compile(
    r"^(?P<name>\*{0,2}\w+)[ \t]*(?:\([^)]*\))?[ \t]*:[ \t]*(?P<text>.*(?:\n(?:[ \t]+.*|[ \t]*(?=\n)))*)", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Docstring:
    """``description`` is all text before the parameters; ``parameters`` maps a name to what is said about it."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict[str, str])


def read_docstring(text: str | None) -> Docstring:
    """Take ``text`` apart; a function without a docstring has an empty one."""
    if not text:
        return Docstring()
    clean = inspect.cleandoc(text)
    section = _SECTION.search(clean)
    if section is not None:
        heading = _HEADING.search(clean)
        head = clean[: heading.start() if heading else section.start()]
        return Docstring(_description(head), _entries(inspect.cleandoc("\n" + section["body"])))
    first = re.search(r"^:", clean, re.MULTILINE)
    if first is None:
        return Docstring(_description(clean))
    return Docstring(_description(clean[: first.start()]), _fields(clean[first.start() :]))


def _description(text: str) -> str:
    # A first line that stands alone keeps the empty line after it: models have been shown descriptions of that form.
    first, _, rest = text.partition("\n")
    more = rest.strip()
    if not first:
        return more
    blank = rest.startswith("\n")
    return "\n".join([first, *([""] if blank else []), *([more] if more else [])])


def _fields(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _FIELD.finditer(text):
        words = match["words"].split()
        if len(words) in (2, 3) and words[0] in _PARAM:
            found[words[-1]] = _text(match["text"])
    return found


def _entries(body: str) -> dict[str, str]:
    return {match["name"].lstrip("*"): _text(match["text"]) for match in _ENTRY.finditer(body)}


def _text(text: str) -> str:
    first, _, rest = text.strip().partition("\n")
    return f"{first}\n{inspect.cleandoc(rest)}" if rest else first
