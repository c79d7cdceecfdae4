"""Values as JSON: what is JSON already stays untouched, everything else gets one well-defined text."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

from penstock.connections.kinds import Connection
from penstock.connections.redact import Redactor
from penstock.engine.masking import mask
from penstock.engine.streams import is_stream, joined
from penstock.prompts.image import Image, Text

SaveImage = Callable[[Image], Any]


class Encoder:
    """Turns records into JSON text.

    Args:
        image: What stands for an image; ``Image(<hash>)`` unless told.
        redactor: Gives what takes the secrets known so far out of records (a line's, a node's, an aggregation's).
        texts: Whether the parts of a text in the ``openai-vision`` format are written as the dicts they were read from.
    """

    def __init__(
        self, image: SaveImage | None = None, redactor: Callable[[], Redactor] = Redactor, *, texts: bool = False
    ) -> None:
        self._image = image or str
        self._texts = texts
        self._redactor = redactor
        # check_circular costs a set lookup a container; a cycle ends in RecursionError, which is handled below.
        self._fast = json.JSONEncoder(
            default=self._default, ensure_ascii=False, check_circular=False, separators=(",", ":")
        )

    def encode(self, value: Any) -> str:
        """``value`` as JSON text; what JSON cannot say is said as its ``repr``."""
        if self._texts:
            value = with_texts(value)
        try:
            text = self._fast.encode(value)
        except (TypeError, ValueError, RecursionError):
            text = self._fast.encode(self.plain(value))
        redactor = self._redactor()
        if redactor and redactor.hits(text):
            text = self._masked(text, redactor)
        # A lone surrogate is legal in a Python str and in an escaped JSON string, but not in UTF-8.
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            text = json.dumps(json.loads(text))
        return text

    def _masked(self, text: str, redactor: Redactor) -> str:
        try:
            return self._fast.encode(mask(json.loads(text), redactor))
        except RecursionError:
            # Too deep to walk: the text itself is cleaned, which strings survive.
            return redactor.text(text)

    def plain(self, value: Any, _above: tuple[int, ...] = ()) -> Any:
        """``value`` as plain JSON values, whatever it holds; what is inside itself or 100 levels deep becomes ``…``."""
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, str):
            return str(value)
        if len(_above) > 100 or id(value) in _above:
            return "…"
        if isinstance(value, Connection):
            return self._default(value)
        above = (*_above, id(value))
        if isinstance(value, Mapping):
            return {_key(key): self.plain(item, above) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.plain(item, above) for item in value]
        return self.plain(self._default(value), above)

    def _default(self, value: Any) -> Any:
        if isinstance(value, Image):
            return self._image(value)
        if isinstance(value, Connection):
            # The name only: what a connection holds must reach no record.
            return value.name or type(value).__name__
        if is_stream(value):
            return joined(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, (set, frozenset, tuple)):
            return list(value)
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, PurePath):
            return str(value)
        return _number(value)


def _number(value: Any) -> Any:
    # numpy scalars and the like: they know their own Python value.
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        return item()
    return _text(value)


def _text(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__} whose repr fails: {type(error).__name__}>"
    return text if len(text) <= 10_000 else text[:10_000] + "…"


def _key(key: Any) -> str | int | float | bool | None:
    return key if key is None or isinstance(key, (str, int, float, bool)) else repr(key)


def with_texts(value: Any) -> Any:
    """``value`` with the dict of the ``openai-vision`` format in the place of every ``Text``."""
    if isinstance(value, Text):
        return value.serialize()
    if type(value) is dict:
        return {key: with_texts(item) for key, item in value.items()}
    return [with_texts(item) for item in value] if type(value) in (list, tuple) else value


def recorded(value: Any) -> Any:
    """A node's output as prompt flow's records show it: what is no JSON as a whole is shown as its ``repr``."""
    if is_stream(value) or unserializable(value) is None:
        return value
    if isinstance(value, Mapping) and any(is_stream(item) for item in value.values()):
        return value
    return _text(value)


def unserializable(value: Any) -> str | None:
    """Why a flow output is no JSON, or None where it is: prompt flow refuses such a line."""
    try:
        if not _is_json(value):
            json.dumps(value, default=_image_only)
    except (TypeError, ValueError, RecursionError) as error:
        return f"({type(error).__name__}) {error}"
    return None


def _is_json(value: Any) -> bool:
    kind = type(value)
    if value is None or kind in (str, int, bool, float):
        return True
    if kind is dict:
        return all(type(key) is str and _is_json(item) for key, item in value.items()) if len(value) < 100 else False
    return False


def _image_only(value: Any) -> Any:
    if isinstance(value, Image):
        return str(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
