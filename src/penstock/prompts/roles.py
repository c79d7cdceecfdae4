"""From a rendering to chat messages: find the role markers in the author's text, put the data back afterwards.

The split works on a skeleton in which every piece of data is one character that no marker can contain, so nothing in
the data can start, end or change a message. Data that is blank stays white space, as a template that writes nothing
there behaves like one without the expression.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from penstock.errors import TemplateError
from penstock.prompts.content import Content
from penstock.prompts.image import Image
from penstock.prompts.skeleton import HOLE, Skeleton
from penstock.prompts.tool_calls import parse_tool_calls

ROLES = ("system", "user", "assistant", "function", "tool")

# ``key:``, a line end, one word, ``content:`` (which may stand behind one or two #).
_BLOCK = r"%s\s*+:(?=[^\S\n]*\n)\s*+(\S+)(?:\s*+\#{1,2})?\s*+content\s*+:"
_NAME = re.compile(_BLOCK % "name")
_TOOL_CALL_ID = re.compile(_BLOCK % "tool_call_id")
_TOOL_CALLS = re.compile(rf"tool_calls\s*+:(?=[^\S\n]*\n)\s*+(?=[\[{HOLE}])")


def split_chat(
    pieces: Iterable[str],
    *,
    images: Mapping[str, Image] | None = None,
    detail: str = "auto",
    roles: Sequence[str] = ROLES,
    where: str = "the prompt",
) -> list[dict[str, Any]]:
    """The OpenAI-shaped messages of a rendering.

    Args:
        pieces: The rendering, see ``penstock.prompts.text``.
        images: Images that the author's text may name by ``Image(<hash>)`` on a line of its own.
        detail: The ``detail`` of image parts.
        roles: The words that may be a role.
        where: What errors call the template.

    Raises:
        TemplateError: Text before the first marker, or a function or tool message without its block.
    """
    skeleton = Skeleton(pieces)
    return _Parser(skeleton, Content(skeleton, images or {}, detail), tuple(roles), where).messages()


class _Parser:
    """Reads the chunks between markers one after the other; a chunk is a role, or what the last message says."""

    def __init__(self, skeleton: Skeleton, content: Content, roles: tuple[str, ...], where: str) -> None:
        self._skeleton = skeleton
        self._content = content
        self._roles = roles
        self._where = where
        self._messages: list[dict[str, Any]] = []

    def messages(self) -> list[dict[str, Any]]:
        for start, end in chunks(self._skeleton.text, self._roles):
            last = self._messages[-1] if self._messages else {}
            role = last.get("role")
            if role == "tool" and "content" not in last:
                self._tool(last, start, end)
            elif role == "assistant" and (calls := self._tool_calls(start, end)) is not None:
                last["tool_calls"] = calls
            elif role is not None and "content" not in last and "tool_calls" not in last:
                self._said(last, start, end)
            else:
                self._role(start, end)
        return self._messages

    def _role(self, start: int, end: int) -> None:
        text = self._skeleton.text[start:end].strip()
        if not text:
            return
        role = text.lower()
        if role not in self._roles:
            shown = text.replace(HOLE, "…")
            raise TemplateError(
                f"{self._where}: a chat prompt starts with a role on a line of its own "
                f"({', '.join(f'`{word}:`' for word in self._roles)}), not with "
                f"{shown[:60] + '…' if len(shown) > 60 else shown!r}; "
                "put one above that text, or call the completion API.",
                code="ChatAPIInvalidRole",
            )
        self._messages.append({"role": role})

    def _said(self, message: dict[str, Any], start: int, end: int) -> None:
        found = _NAME.search(self._skeleton.text, start, end)
        if found is not None:
            message["name"] = self._skeleton.restored(*found.span(1)).strip()
            start = found.end()
        elif message["role"] == "function":
            raise TemplateError(
                f"{self._where}: a function message needs `name:`, the function's name on the next line, and then "
                "`content:` with what the function returned.",
                code="ChatAPIFunctionRoleInvalidFormat",
            )
        message["content"] = self._content.read(start, end)

    def _tool(self, message: dict[str, Any], start: int, end: int) -> None:
        found = _TOOL_CALL_ID.search(self._skeleton.text, start, end)
        if found is None:
            raise TemplateError(
                f"{self._where}: a tool message needs `tool_call_id:`, the id of the call it answers on the next line, "
                "and then `content:` with what the tool returned.",
                code="ChatAPIToolRoleInvalidFormat",
            )
        message["tool_call_id"] = self._skeleton.restored(*found.span(1)).strip()
        message["content"] = self._content.read(found.end(), end)

    def _tool_calls(self, start: int, end: int) -> list[Any] | None:
        found = _TOOL_CALLS.search(self._skeleton.text, start, end)
        return None if found is None else parse_tool_calls(self._skeleton, found.end(), end)


@functools.lru_cache(maxsize=16)
def _candidate(roles: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?i)({'|'.join(roles)})\s*:\s*\n")


def chunks(text: str, roles: tuple[str, ...] = ROLES) -> Iterator[tuple[int, int]]:
    r"""The places of the text before the first marker, then of each role word and of the text behind it, in turns.

    A marker is what ``^\s*#?\s*(role)\s*:\s*\n`` matches, line by line, any case. The part before the word is looked at
    backwards, since that expression takes cubic time on a run of empty lines.
    """
    floor = 0
    for found in _candidate(roles).finditer(text):
        start = _line_start(text, floor, found.start())
        if start is not None:
            yield floor, start
            yield found.span(1)
            floor = found.end()
    yield floor, len(text)


def _line_start(text: str, floor: int, word: int) -> int | None:
    """Where a marker with its word at ``word`` starts, or None: only white space and one # up to a line's start.

    ``floor`` is the start of a line: that of the text, or the one after the last marker.
    """
    at = _back_over_space(text, floor, word)
    if at > floor and text[at - 1] == "#":
        before = _back_over_space(text, floor, at - 1)
        start = _first_line(text, floor, before, at - 1)
        if start is not None:
            return start
    return _first_line(text, floor, at, word)


def _first_line(text: str, floor: int, start: int, end: int) -> int | None:
    if start == floor:
        return start
    line = text.find("\n", start, end)
    return None if line < 0 else line + 1


def _back_over_space(text: str, floor: int, at: int) -> int:
    while at > floor and text[at - 1].isspace():
        at -= 1
    return at
