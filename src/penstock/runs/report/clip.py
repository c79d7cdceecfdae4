"""Values cut down to what a page can carry, with a mark wherever something was cut.

Marks are objects with one key that begins with a single ``$``; a record's own keys that begin with ``$`` get a
second one, so that no record can pretend to be a mark:

- ``{"$cut": "the beginning", "of": 1048576}``: a text of that many characters was cut.
- ``{"$more": 12}`` (last item of a list) or the key ``$more``: so many items were left out.
- ``{"$number": "NaN"}``: a number that JSON, or a browser, cannot hold.
- ``{"$image": "id", "size": 5120}``: an image of that many bytes, held once in the page; id null where it was
  too large.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

MAX_TEXT = 20_000
"""Characters that one value (an input, an output, a message, a traceback …) may bring into the page."""

_TIGHTER = ((128_000_000, 500), (64_000_000, 2_000))
"""Once so many characters are in the page, later values are cut at …"""

MAX_IMAGE = 2_000_000
"""Characters of the largest image (as base64) that is shown."""

MAX_IMAGES = 32_000_000
"""Characters of all images together."""

_MAX_DEPTH = 24
_MAX_KEY = 300
_MAX_FIELDS = 200
_SAFE_INTEGER = 2**53 - 1
_LONGEST_INTEGER = 4_000  # bits; Python refuses to print far longer ones
_DATA_URI = re.compile(r"data:image/[a-z0-9.+*-]{1,40};base64,", re.IGNORECASE)
_DATA_KEY = re.compile(r"data:image/[a-z0-9.+*-]{1,40};base64", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_MAGIC = {"iVBORw0KGgo": "png", "/9j/": "jpeg", "R0lGOD": "gif", "UklGR": "webp", "Qk": "bmp"}


class Clip:
    """Cuts values and keeps count: of what was cut, and of how full the page is."""

    def __init__(self) -> None:
        self.cut = 0
        self.spent = 0
        self._left = 0
        self._images: dict[str, str] = {}
        self._image_ids: set[str] = set()
        self._image_space = MAX_IMAGES

    def value(self, value: Any) -> Any:
        """``value`` as plain JSON of at most ``MAX_TEXT`` characters (fewer when the page is already large)."""
        cap = next((cap for spent, cap in _TIGHTER if self.spent >= spent), MAX_TEXT)
        self._left = cap
        plain = self._walk(value, 0)
        self.spent += cap - max(self._left, 0)
        return plain

    def fields(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Every value of ``values`` cut on its own, so that a long one takes nothing from the others."""
        out: dict[str, Any] = {}
        for position, (key, value) in enumerate(values.items()):
            if position == _MAX_FIELDS:
                out["$more"] = self._left_out(len(values) - position)
                break
            image = self._image_under(key, value)
            out[self._key(key)] = self.value(value) if image is None else image
        return out

    def items(self, values: list[Any] | tuple[Any, ...]) -> list[Any]:
        """Every item of ``values`` cut on its own; mappings (chat messages) field by field."""
        out: list[Any] = [self.fields(v) if isinstance(v, Mapping) else self.value(v) for v in values[:_MAX_FIELDS]]
        if len(values) > _MAX_FIELDS:
            out.append({"$more": self._left_out(len(values) - _MAX_FIELDS)})
        return out

    def new_images(self) -> Iterator[tuple[str, str]]:
        """(id, data URI) of the images met since the last call; each image once in the whole page."""
        images, self._images = self._images, {}
        yield from images.items()

    def _walk(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool | int | float):
            self._left -= 8
            return number(value)
        if depth == _MAX_DEPTH:
            return self._shortened("", str(type(value).__name__), 0)
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return self._list(list(value), depth)
        if isinstance(value, bytes | bytearray):
            return self._text(f"({len(value)} bytes)")
        return self._text(str(value))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for position, (key, item) in enumerate(value.items()):
            if self._left <= 0:
                out["$more"] = self._left_out(len(value) - position)
                break
            image = self._image_under(key, item)
            out[self._key(key)] = self._walk(item, depth + 1) if image is None else image
        return out

    def _list(self, value: list[Any], depth: int) -> list[Any]:
        out: list[Any] = []
        for position, item in enumerate(value):
            if self._left <= 0:
                out.append({"$more": self._left_out(len(value) - position)})
                break
            out.append(self._walk(item, depth + 1))
        return out

    def _key(self, key: Any) -> str:
        text = str(key)
        self._left -= len(text)
        if len(text) > _MAX_KEY:
            self.cut += 1
            text = f"{text[:_MAX_KEY]}… ({len(text)} characters)"
        return f"${text}" if text.startswith("$") else text

    def _text(self, text: str) -> Any:
        if text[:11].lower() == "data:image/" and (head := _DATA_URI.match(text)):
            image = self._image(text[head.end() :])
            if image is not None:
                return image
        if len(text) <= self._left:
            self._left -= len(text)
            return str(text)
        kept = text[: max(self._left, 0)]
        self._left = 0
        return self._shortened(kept, None, len(text))

    def _shortened(self, kept: str, kind: str | None, length: int) -> dict[str, Any]:
        self.cut += 1
        return {"$cut": kept, "of": length} if kind is None else {"$cut": kept, "kind": kind}

    def _left_out(self, count: int) -> int:
        self.cut += 1
        return count

    def _image_under(self, key: Any, value: Any) -> dict[str, Any] | None:
        """The image of prompt flow's form ``{"data:image/png;base64": "iVBO…"}``."""
        if isinstance(key, str) and isinstance(value, str) and _DATA_KEY.fullmatch(key):
            return self._image(value)
        return None

    def _image(self, base64_text: str) -> dict[str, Any] | None:
        # Only bytes that begin like a bitmap become an image: no SVG, no HTML in a coat.
        kind = next((kind for magic, kind in _MAGIC.items() if base64_text.startswith(magic)), None)
        if kind is None or not _BASE64.fullmatch(base64_text):
            return None
        size = len(base64_text) * 3 // 4
        name = hashlib.blake2b(base64_text.encode(), digest_size=10).hexdigest()
        if name not in self._image_ids:
            if len(base64_text) > min(MAX_IMAGE, self._image_space):
                self.cut += 1
                return {"$image": None, "size": size}
            self._image_ids.add(name)
            self._image_space -= len(base64_text)
            self._images[name] = f"data:image/{kind};base64,{base64_text}"
        self._left -= 24
        return {"$image": name, "size": size}


def number(value: Any) -> Any:
    """``value`` as it is, or its mark where a browser's JSON cannot hold it (NaN, Infinity, integers beyond 2**53)."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, int) and abs(value) > _SAFE_INTEGER:
        bits = int(value).bit_length()
        return {"$number": str(int(value)) if bits <= _LONGEST_INTEGER else f"an integer of {bits} bits"}
    return value
