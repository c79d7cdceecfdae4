"""How many tokens a prompty's call will take: the prompt, and the answer it leaves room for."""

from __future__ import annotations

import base64
import binascii
import importlib
import logging
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

from penstock.errors import InputError
from penstock.models.tokens import estimate
from penstock.prompts.image_size import image_size
from penstock.prompts.prompty import Prompty
from penstock.prompts.prompty_render import Rendering

_log = logging.getLogger("penstock.prompty")
_EACH_MESSAGE = 3
_EACH_NAME = 1
_ANSWER_BEGINS = 3
_UNKNOWN_PICTURE = 765  # one of 1024 × 1024
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


def count_tokens(prompty: Prompty, rendering: Rendering, *, exact: bool) -> int:
    """Tokens of the prompt, and those that the answer may have at most.

    Args:
        prompty: Its parameters say what the answer may have.
        rendering: What is sent.
        exact: Count with tiktoken where it is installed; else four characters count as a token.

    Raises:
        InputError: ``max_tokens`` is no whole number above 1.
    """
    answer = next((value for key in _LIMITS if (value := prompty.model.parameters.get(key)) is not None), None)
    if answer is None:
        _log.warning("%s sets no max_tokens: only the prompt's tokens are counted.", prompty.file.name)
    elif not isinstance(answer, int) or isinstance(answer, bool):
        raise InputError(
            f"Max_token needs to be integer. model.parameters.max_tokens is {answer!r}.", code="UserErrorException"
        )
    elif answer <= 1:
        raise InputError(f"{answer} is less than the minimum of max_tokens.", code="UserErrorException")
    count = _counter(prompty.model.name) if exact else estimate
    if rendering.messages is None:
        return count(rendering.text) + (answer or 0)
    return _messages(rendering.messages, count) + (answer or 0)


def _messages(messages: list[dict[str, Any]], count: Callable[[str], int]) -> int:
    total = _ANSWER_BEGINS
    for message in messages:
        total += _EACH_MESSAGE
        for key, value in message.items():
            if isinstance(value, str):
                total += count(value)
            elif isinstance(value, list):
                total += sum(_part(part, count) for part in value if isinstance(part, Mapping))
            if key == "name":
                total += _EACH_NAME
    return total


def _part(part: Mapping[str, Any], count: Callable[[str], int]) -> int:
    match part:
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return _picture(url)
        case {"text": str(text)}:
            return count(text)
        case _:
            return 0


def _picture(url: str) -> int:
    """What the vendor's vision models count: tiles of 512 pixels after the picture was fitted into 2048, then 768."""
    size = None
    if url.startswith("data:"):
        try:
            size = image_size(base64.b64decode(url.partition(",")[2]))
        except (binascii.Error, ValueError):
            size = None
    if size is None:
        return _UNKNOWN_PICTURE
    width, height = size
    if max(width, height) > 2048:
        width, height = (2048, int(2048 / (width / height))) if width > height else (int(2048 * (width / height)), 2048)
    if width >= height > 768:
        width, height = int(768 / height * width), 768
    elif height > width > 768:
        width, height = 768, int(768 / width * height)
    return 85 + 170 * ceil(width / 512) * ceil(height / 512)


def _counter(model: str) -> Callable[[str], int]:
    try:
        tiktoken = importlib.import_module("tiktoken")
    except ImportError:
        _log.warning("tiktoken is not installed: tokens are estimated at four characters each.")
        return estimate
    try:
        try:
            encoding = tiktoken.encoding_for_model(model)
        except KeyError:
            encoding = tiktoken.get_encoding("cl100k_base")
    except Exception as error:  # it fetches its tables on first use, and may fail in any way
        _log.warning("tiktoken cannot be used (%s): tokens are estimated at four characters each.", error)
        return estimate
    return lambda text: len(encoding.encode(text, disallowed_special=()))
