"""From a rendering to chat messages by the rules of microsoft/prompty, version 1 and 2: line by line.

The lines are those of the author's text: in the skeleton a piece of data is one character, so that no data can begin or end
a message. What is more than text (a conversation, a picture) stands in the rendering as data that carries it along.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.errors import InputError, TemplateError
from penstock.prompts.image import Image, to_image
from penstock.prompts.skeleton import Skeleton
from penstock.prompts.text import Data, ImageData

_ARGUMENTS = r"(?:\[([^\]\n]*)\])?"
_V1 = re.compile(rf"\s*#?\s*(assistant|function|system|user|tools)\s*{_ARGUMENTS}\s*:\s*", re.IGNORECASE)
_V2 = re.compile(rf"\s*#?\s*(system|user|assistant)\s*{_ARGUMENTS}\s*:\s*", re.IGNORECASE)
_ARGUMENT = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')
_PICTURE = re.compile(r"!\[[^\]\n]*\]\(([^()\n]*)\)")
_THREAD_ROLES = ("system", "user", "assistant", "developer", "tool", "function")


class Thread(Data):
    """A conversation where a template wrote it: its messages go in as they are."""

    __slots__ = ("messages",)
    messages: list[dict[str, Any]]


class Part(Data):
    """A picture, a sound or a file where a template wrote it."""

    __slots__ = ("part",)
    part: dict[str, Any]


def thread_of(value: Any, name: str) -> Thread:
    """The input ``name`` as a conversation.

    Raises:
        InputError: It is no list of messages.
    """
    given = [] if value is None or value == "" else value
    messages = [given] if isinstance(given, Mapping) else given
    if not isinstance(messages, list):
        raise _no_thread(name, value)
    for message in messages:
        if not isinstance(message, Mapping) or message.get("role") not in _THREAD_ROLES:
            raise _no_thread(name, message)
    made = Thread(f"[{len(messages)} messages]")
    made.messages = [dict(message) for message in messages]
    return made


def _no_thread(name: str, value: Any) -> InputError:
    return InputError(
        f'Input {name!r} must be a list of messages, {{"role": "user" | "assistant" | …, "content": …}} each, not'
        f" {repr(value)[:80]}.",
        code="InputTypeError",
    )


def part_of(kind: str, value: Any, folder: Path) -> Part:
    """An input of kind ``image``, ``audio`` or ``file`` as a part of a message; addresses are passed on, not fetched.

    Raises:
        InputError: It is none.
    """
    made = Part(f"[{kind}]")
    if kind == "image":
        made.part = {"type": "image_url", "image_url": {"url": _address(value, folder)}}
    elif kind == "audio":
        made.part = {"type": "input_audio", "input_audio": _audio(value)}
    else:
        made.part = {"type": "file", "file": {"url": str(value)}}
    return made


def _address(value: Any, folder: Path) -> str:
    if isinstance(value, str) and value.lower().startswith(("http:", "https:", "data:")):
        return value
    image = to_image(value, folder)
    return image.source_url or str(image.to_base64(with_type=True))


def _audio(value: Any) -> dict[str, str]:
    data, media = value, "audio/wav"
    if isinstance(value, Mapping):
        data, media = value.get("data", value.get("source")), str(value.get("mediaType") or media)
    found = re.match(r"data:(audio/[^;,]*)[^,]*,", data) if isinstance(data, str) else None
    if found is not None:
        media, data = found[1], data[found.end() :]
    if not isinstance(data, str) or not data:
        raise InputError("An audio input is base64, as text or in a data: address.", code="InputTypeError")
    word = media.removeprefix("audio/").removeprefix("x-")
    return {"data": data, "format": "mp3" if word == "mpeg" else word}


@dataclass(slots=True)
class _Block:
    """The lines below one marker: ``start`` to ``end`` in the skeleton; none of them at all is less than an empty one."""

    role: str
    start: int
    end: int
    arguments: dict[str, str] = field(default_factory=dict[str, str])
    marked: bool = True
    lines: int = 0


def split_lines_v1(
    pieces: Iterable[str], *, folder: Path, thread: list[dict[str, Any]] | None = None, where: str = "the prompt"
) -> list[dict[str, Any]]:
    """The messages of a version 1 prompty: text before the first marker is the system's, nothing is stripped.

    A line ``![thread]`` puts in the conversation so far and what follows it as the user's turn; ``![…](file)`` is a picture.

    Raises:
        TemplateError: Tools inside the template.
        InputError: A picture that cannot or must not be read.
    """
    skeleton = Skeleton(pieces)
    messages: list[dict[str, Any]] = []
    for block in _blocks(skeleton.text, _V1, thread_marks=True):
        if block.role == "tools":
            raise TemplateError(
                f"{where}: tools inside the template are not supported; put them under tools: in the header.",
                code="InvalidPrompty",
            )
        if not block.lines:
            continue
        content = _pictured(skeleton, block.start, block.end, folder)
        if block.role == "thread":
            messages += [*(thread or []), {"role": "user", "content": content}]
        else:
            named = {"name": block.arguments["name"]} if "name" in block.arguments else {}
            messages.append({"role": block.role, "content": content, **named})
    return messages


def split_lines_v2(pieces: Iterable[str]) -> list[dict[str, Any]]:
    """The messages of a version 2 prompty: blank lines around a content go, conversations open into their messages."""
    skeleton = Skeleton(pieces)
    messages: list[dict[str, Any]] = []
    for block in _blocks(skeleton.text, _V2):
        arguments = {key: value for key, value in block.arguments.items() if key != "nonce"}
        made = _threaded(skeleton, block)
        if not block.marked and all(message.get("content") == "" for message in made):
            continue
        messages += [{**message, **arguments} if message.get("role") == block.role else message for message in made]
    return messages


def _blocks(text: str, marker: re.Pattern[str], *, thread_marks: bool = False) -> Iterator[_Block]:
    block = _Block("system", 0, 0, marked=False)
    at = 0
    for line in text.removesuffix("\n").split("\n"):
        after = at + len(line) + 1
        found = marker.fullmatch(line)
        if found is not None or (thread_marks and line.strip().startswith("![thread]")):
            yield block
            role = "thread" if found is None else found[1].lower()
            block = _Block(role, after, after, _arguments(found[2]) if found is not None else {})
        else:
            block.lines += 1
            block.end = after - 1
        at = after
    yield block


def _arguments(text: str | None) -> dict[str, str]:
    return {name: quoted or bare for name, quoted, bare in _ARGUMENT.findall(text or "")}


def _pictured(skeleton: Skeleton, start: int, end: int, folder: Path) -> str | list[dict[str, Any]]:
    """A version 1 content: a string, or parts where the author put pictures in."""
    parts: list[dict[str, Any]] = []
    at = start

    def text(last: int) -> None:
        said = skeleton.restored(at, last).strip()
        if said:
            parts.append({"type": "text", "text": said})

    for found in _PICTURE.finditer(skeleton.text, start, end):
        text(found.start())
        holes = skeleton.holes(*found.span(1))
        if len(holes) == 1 and isinstance(holes[0], ImageData):
            image: Image = holes[0].image
            url = image.source_url or str(image.to_base64(with_type=True))
        else:
            url = _address(skeleton.restored(*found.span(1)).split(" ")[0].strip(), folder)
        parts.append({"type": "image_url", "image_url": {"url": url}})
        at = found.end()
    if not parts and at == start:
        return skeleton.restored(start, end)
    text(end)
    return parts


def _threaded(skeleton: Skeleton, block: _Block) -> list[dict[str, Any]]:
    """The messages of a version 2 block: one, unless a conversation stands in it."""
    made: list[dict[str, Any]] = []
    at = block.start
    threads = [
        (place, data)
        for place, data in zip(skeleton.at, skeleton.data, strict=True)
        if isinstance(data, Thread) and block.start <= place < block.end
    ]
    for place, thread in threads:
        content = _content(skeleton, at, place, strip=True)
        if content:
            made.append({"role": block.role, "content": content})
        made += thread.messages
        at = place + 1
    content = _content(skeleton, at, block.end, strip=bool(threads))
    if content or not threads:
        made.append({"role": block.role, "content": content})
    return made


def _content(skeleton: Skeleton, start: int, end: int, *, strip: bool) -> str | list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    at = start
    for place, data in zip(skeleton.at, skeleton.data, strict=True):
        if start <= place < end and isinstance(data, (Part, ImageData)):
            said = _trimmed(skeleton.restored(at, place))
            if said.strip():
                parts.append({"type": "text", "text": said})
            parts.append(data.part if isinstance(data, Part) else _image_part(data.image))
            at = place + 1
    said = _trimmed(skeleton.restored(at, end))
    if not parts:
        return said.strip() if strip else said
    return [*parts, {"type": "text", "text": said}] if said.strip() else parts


def _image_part(image: Image) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": image.source_url or image.to_base64(with_type=True)}}


def _trimmed(text: str) -> str:
    """Without the blank lines at both ends."""
    lines = text.split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    return "\n".join(lines)
