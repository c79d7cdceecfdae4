"""Mustache templates, with every piece of data marked as such, as the Jinja2 ones have it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.errors import TemplateError
from penstock.prompts.limits import MAX_STEPS, MAX_TEXT
from penstock.prompts.text import Data, PromptText, as_piece

_DEPTH = 50
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})
# Tags that vanish with their line where they are alone on it.
_ALONE = frozenset("#^/!=>")


@dataclass(slots=True)
class _Tag:
    """One tag; ``inside`` is what stands between a section's two tags. Plain text has kind ''."""

    kind: str
    name: str
    line: int
    inside: list[_Tag] = field(default_factory=list)


class MustacheTemplate:
    """A Mustache template: variables, sections, inverted sections, comments, other delimiters; partials render as nothing.

    Text of variables is escaped for HTML unless they are written ``{{{name}}}`` or ``{{&name}}``, as Mustache has it.

    Args:
        text: The template.
        name: What errors call it.
        line: The line of that file on which the text starts.
    """

    def __init__(self, text: str, name: str = "", *, line: int = 1) -> None:
        self.text = text
        self.name = name
        self.line = line
        self._tags: list[_Tag] | None = None

    @property
    def variables(self) -> frozenset[str]:
        """The names the template takes from outside, those of sections' items among them.

        Raises:
            TemplateError: A section that is not closed, or a tag that is not.
        """
        return frozenset(_names(self._parsed()))

    def pieces(self, values: Mapping[str, Any]) -> list[str]:
        """The rendering in pieces that know what is data.

        Raises:
            TemplateError: A section that is not closed, a tag that is not, or a limit reached.
        """
        made: list[str] = []
        size = 0
        for count, piece in enumerate(_rendered(self._parsed(), [values], 0)):
            size += len(piece)
            if size > MAX_TEXT or count > MAX_STEPS:
                raise TemplateError(f"{self.where()}: the template makes more text than a prompt may have.")
            made.append(piece)
        return made

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for ``values``; a name that is missing there is empty."""
        return "".join(self.pieces(values))

    def where(self, line: int | None = None) -> str:
        """``file:line`` for messages."""
        name = self.name or "the prompt template"
        return name if line is None else f"{name}:{line + self.line - 1}"

    def _parsed(self) -> list[_Tag]:
        if self._tags is None:
            self._tags = self._nested(list(self._tokens()))
        return self._tags

    def _nested(self, tokens: list[_Tag]) -> list[_Tag]:
        root: list[_Tag] = []
        open_: list[_Tag] = []
        for token in tokens:
            level = open_[-1].inside if open_ else root
            if token.kind == "/":
                if not open_ or open_[-1].name != token.name:
                    raise self._error(token.line, f"{{{{/{token.name}}}}} closes no section of that name")
                open_.pop()
                continue
            level.append(token)
            if token.kind in ("#", "^"):
                if len(open_) >= _DEPTH:
                    raise self._error(token.line, "sections are nested too deeply")
                open_.append(token)
        if open_:
            raise self._error(open_[-1].line, f"the section {open_[-1].name!r} is not closed")
        return root

    def _tokens(self) -> Iterator[_Tag]:
        left, right = "{{", "}}"
        at, line, text = 0, 1, self.text
        while True:
            start = text.find(left, at)
            if start < 0:
                yield _Tag("", text[at:], line)
                return
            kind, end, close = self._tag_end(start + len(left), right, line)
            inner = text[start + len(left) + len(kind) : end].strip()
            name = inner.rstrip("=").strip() if kind == "=" else inner
            before = text[at:start]
            line += before.count("\n")
            if kind in _ALONE and (span := _alone(text, start, close)):
                before, close = text[at : max(at, span[0])], span[1]
            yield _Tag("", before, line)
            if kind == "=":
                left, right = self._delimiters(name, line)
            elif kind not in ("!", ">"):
                yield _Tag({"{": "&", "": "$"}.get(kind, kind), name, line)
            line += text[start:close].count("\n")
            at = close

    def _tag_end(self, inside: int, right: str, line: int) -> tuple[str, int, int]:
        kind = self.text[inside : inside + 1]
        kind = kind if kind and kind in "#^/!=>&{" else ""
        closing = {"{": "}" + right, "=": "=" + right}.get(kind, right)
        end = self.text.find(closing, inside + len(kind))
        if end < 0:
            raise self._error(line, "a tag is not closed")
        return kind, end, end + len(closing)

    def _delimiters(self, text: str, line: int) -> tuple[str, str]:
        pair = text.split()
        if len(pair) != 2 or "=" in text:
            raise self._error(line, "a change of delimiters reads {{=<% %>=}}")
        return pair[0], pair[1]

    def _error(self, line: int, reason: str) -> TemplateError:
        return TemplateError(
            f"{self.where(line)}: the template cannot be rendered: {reason}. Change the template there."
        )


def _alone(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The whole line of a tag that is alone on it."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    last = len(text) if last < 0 else last
    if text[first:start].strip() or text[end:last].strip():
        return None
    return first, min(last + 1, len(text))


def _names(tags: list[_Tag]) -> Iterator[str]:
    for tag in tags:
        if tag.kind and tag.name != ".":
            yield tag.name.split(".")[0]
        yield from _names(tag.inside)


def _rendered(tags: list[_Tag], scopes: list[Any], depth: int) -> Iterator[str]:
    for tag in tags:
        if not tag.kind:
            yield tag.name
            continue
        value = _found(tag.name, scopes)
        if tag.kind in ("$", "&"):
            yield _written(value, escape=tag.kind == "$")
        elif tag.kind == "^":
            if not value and value != 0:
                yield from _rendered(tag.inside, scopes, depth + 1)
        elif isinstance(value, (list, tuple)):
            for item in value:
                yield from _rendered(tag.inside, [*scopes, item], depth + 1)
        elif value or (value == 0 and not isinstance(value, bool)):
            yield from _rendered(tag.inside, [*scopes, value], depth + 1)


def _found(name: str, scopes: list[Any]) -> Any:
    """The value of a dotted name: its first part from the innermost scope that has it. Only maps and lists are looked into."""
    if name == ".":
        return scopes[-1]
    first, *rest = name.split(".")
    value: Any = next(
        (scope[first] for scope in reversed(scopes) if isinstance(scope, Mapping) and first in scope), None
    )
    for part in rest:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, (list, tuple)) and re.fullmatch(r"\d{1,6}", part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _written(value: Any, *, escape: bool) -> str:
    if value is None:
        return ""
    piece = as_piece(value)
    if type(piece) is PromptText or type(piece) is not Data or not escape:
        return piece
    return Data(str.translate(piece, _ESCAPES))
