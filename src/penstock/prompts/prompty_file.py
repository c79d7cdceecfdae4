"""A prompty file in its two parts: the header between two fences, and the template below."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.errors import LoadError
from penstock.schemas import prompty as keys
from penstock.yaml import Document, parse

_FENCE = re.compile(r"([ \t]*)(-{3,}|\+{3,})[ \t]*")
_OPENS = re.compile(r"-{3,}\n")
_CODE = "InvalidPrompty"
# What a header is told by where text stands above it.
_KNOWN = frozenset(keys.HEADER)


@dataclass(frozen=True, slots=True)
class PromptyParts:
    """The two parts. ``line`` is the line of the file on which the template begins; ``header`` is empty without fences."""

    header: Mapping[str, Any] = field(repr=False)
    template: str
    line: int
    document: Document = field(repr=False)
    fenced: bool = True


def read_parts(path: Path) -> PromptyParts:
    """The parts of the file at ``path``.

    Raises:
        LoadError: No such file, no UTF-8, a header that is not closed or no YAML map; the message names file and line.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise LoadError(f"{path}: cannot be read: {error.strerror}.", code="FileNotFound") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LoadError(f"{path}: byte {error.start} is no UTF-8; save the file as UTF-8.", code=_CODE) from error
    return split_parts(text, str(path))


def split_parts(text: str, file: str = "<text>") -> PromptyParts:
    """The parts of ``text``.

    The header begins at the first line that is a fence (three or more dashes, or three plus signs, alone on it) and ends at
    the next one that is indented no deeper; fences below that belong to the template. Whatever else prompt flow takes for a
    header is one, too: it ends at the last line that ends in three dashes. A text without a header is all template.

    Raises:
        LoadError: A header that is not closed, is no YAML, or no map.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    fence = next((number for number, line in enumerate(lines) if _FENCE.fullmatch(line)), None)
    if fence is None:
        return _as_promptflow(text, file) or PromptyParts({}, text, 1, Document({}, file), fenced=False)
    close = _closing(lines, fence)
    if fence != first:
        return _below_text(text, lines, fence, close, file)
    if close is None:
        found = _as_promptflow(text, file)
        if found is None:
            raise LoadError(
                f"{file}:{fence + 1}: the header that begins here is not closed: put a line of three dashes below it.",
                code=_CODE,
            )
        return found
    document = _parsed(lines, fence, close, file)
    if document.value in ({}, None):
        # A header of comments alone: prompt flow would go on to the next fence.
        found = _as_promptflow(text, file)
        if found is not None and found.header:
            return found
    return _made(document, lines, close)


def _closing(lines: list[str], fence: int) -> int | None:
    opened = _FENCE.fullmatch(lines[fence])
    indent = len(opened[1].expandtabs()) if opened else 0
    for number in range(fence + 1, len(lines)):
        found = _FENCE.fullmatch(lines[number])
        if found is not None and len(found[1].expandtabs()) <= indent:
            return number
    return None


def _below_text(text: str, lines: list[str], fence: int, close: int | None, file: str) -> PromptyParts:
    """A header with text above it, which is ignored as prompt flow does; or a template that only has a ruler in it."""
    found = _as_promptflow(text, file)
    if found is not None and found.header.keys() & _KNOWN:
        return found
    if close is not None:
        try:
            document = _parsed(lines, fence, close, file)
        except LoadError:
            document = Document({}, file)
        if isinstance(document.value, Mapping) and document.value.keys() & _KNOWN:
            return _made(document, lines, close)
    return PromptyParts({}, text, 1, Document({}, file), fenced=False)


def _parsed(lines: list[str], fence: int, close: int, file: str) -> Document:
    # Empty lines in front, so that the line numbers of errors are those of the file.
    return parse("\n" * (fence + 1) + "\n".join(lines[fence + 1 : close]) + "\n", file)


def _made(document: Document, lines: list[str], close: int) -> PromptyParts:
    header = {} if document.value is None else document.value
    if not isinstance(header, Mapping):
        raise LoadError(
            f"{document.place()}: the header of a prompty is a YAML map (model:, inputs:, …), not {_kind(header)}.",
            code=_CODE,
        )
    return PromptyParts(header, "\n".join(lines[close + 1 :]), close + 2, document)


def _as_promptflow(text: str, file: str) -> PromptyParts | None:
    """What prompt flow sees: from behind the first dashes that end a line to the last; None where that is no map."""
    opened = _OPENS.search(text)
    if opened is None:
        return None
    close = text.rfind("---\n", opened.end())
    if close < 0:
        return None
    above = text.count("\n", 0, opened.end())
    try:
        document = parse("\n" * above + text[opened.end() : close], file)
    except LoadError:
        return None
    if not isinstance(document.value, Mapping):
        return None
    line = text.count("\n", 0, close + 4) + 1
    return PromptyParts(document.value, text[close + 4 :], line, document)


def _kind(value: Any) -> str:
    return "a list" if isinstance(value, list) else f"the text {str(value)[:40]!r}"
