"""The Python list behind ``tool_calls:``, read so that data inside it stays inside its string."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from penstock.prompts.skeleton import BLANK, HOLE, Skeleton

MAX_LENGTH = 1_000_000
_TAG = re.compile(f"{HOLE}([sv])(\\d+){HOLE}")
_PARSING = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def parse_tool_calls(skeleton: Skeleton, start: int, end: int) -> list[Any] | None:
    """The list that starts at ``start``, or None where there is none that can be read.

    Data inside a quoted string is put in after parsing; data outside of strings must be a whole literal of its own.
    What follows the list is ignored.
    """
    if end - start > MAX_LENGTH:
        return None
    source = _source(skeleton.text, start, end)
    if source is None:
        return None
    data = skeleton.holes(start, end)
    try:
        parsed = _filled(ast.literal_eval(source), data)
    except _PARSING:
        return None
    return parsed if isinstance(parsed, list) else None


def _source(text: str, start: int, end: int) -> str | None:
    """The shortest balanced literal, every hole a tag: ``s`` inside a string, ``v`` (quoted) where a value stands."""
    made: list[str] = []
    quote, depth, hole, at = "", 0, 0, start
    while at < end:
        character = text[at]
        if character in {HOLE, BLANK}:
            tag = f"{HOLE}{'s' if quote else 'v'}{hole}{HOLE}"
            hole += 1
            if quote:
                made.append(tag)
            else:
                made.append(f"'{tag}'" if character == HOLE else " ")
        elif quote:
            if character == "\\" and at + 1 < end and text[at + 1] not in {HOLE, BLANK}:
                made.append(character)
                at += 1
                character = text[at]
            elif text.startswith(quote, at):
                made.append(quote[1:])
                at += len(quote) - 1
                quote = ""
            made.append(character)
        else:
            if character in "'\"":
                quote = character * 3 if text.startswith(character * 3, at) else character
                made.append(quote[1:])
                at += len(quote) - 1
            depth += (character in "[({") - (character in "])}")
            made.append(character)
        at += 1
        if not depth and not quote:
            return "".join(made)
    return None


def _filled(value: Any, data: list[str]) -> Any:
    if isinstance(value, list):
        return [_filled(item, data) for item in value]
    if isinstance(value, tuple):
        return tuple(_filled(item, data) for item in value)
    if isinstance(value, dict):
        return {_filled(key, data): _filled(item, data) for key, item in value.items()}
    if isinstance(value, str) and HOLE in value:
        whole = _TAG.fullmatch(value)
        if whole and whole[1] == "v":
            return _literal(data[int(whole[2])])
        return _TAG.sub(lambda found: str.__str__("".join(data[int(found[2])])), value)
    return value


def _literal(text: str) -> Any:
    """A value written by the data alone: a Python literal, or JSON."""
    if len(text) > MAX_LENGTH:
        raise ValueError("too long")
    try:
        return ast.literal_eval(text.strip())
    except _PARSING:
        return json.loads(text)
