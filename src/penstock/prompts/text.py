"""Text that knows which of its characters are data: what keeps a role marker in a user's question harmless.

A rendered template is a list of pieces. A piece of exact type ``str`` is the template author's own text; ``Data`` is
text that came out of a ``{{ … }}``; ``PromptText`` is a mixture of both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, SupportsIndex

from penstock.prompts.image import Image

Span = tuple[int, int, "Data"]


class Data(str):
    """Text that is never read as a marker, whatever it says."""

    __slots__ = ()

    def __str__(self) -> Data:
        # Compiled templates say str(finalize(x)); the mark has to survive that.
        return self


class ImageData(Data):
    """An image where a template wrote it: reads ``Image(1a2b3c4d)`` and leads back to the image."""

    __slots__ = ("image",)
    image: Image

    def __new__(cls, image: Image) -> ImageData:
        """The short text of ``image``."""
        made = super().__new__(cls, str(image))
        made.image = image
        return made


class PromptText(str):
    """A rendered prompt: a plain string to everybody, that remembers where its data is.

    ``spans`` are ``(start, end, data)`` in order, without overlap; all other characters are the author's. Pickle and
    JSON see a plain ``str`` (and the provenance is gone: all of it counts as data from then on).
    """

    __slots__ = ("spans",)
    spans: tuple[Span, ...]

    def __new__(cls, text: str = "", spans: tuple[Span, ...] = ()) -> PromptText:
        """``text``, of which ``spans`` are data."""
        made = super().__new__(cls, text)
        made.spans = spans
        return made

    def __str__(self) -> PromptText:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return (str, (str.__str__(self),))

    def __copy__(self) -> PromptText:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> PromptText:
        return self

    def strip(self, chars: str | None = None) -> PromptText:
        """As ``str.strip``, with the provenance kept."""
        return self.lstrip(chars).rstrip(chars)

    def lstrip(self, chars: str | None = None) -> PromptText:
        """As ``str.lstrip``, with the provenance kept."""
        return self._cut(len(self) - len(str.lstrip(self, chars)), len(self))

    def rstrip(self, chars: str | None = None) -> PromptText:
        """As ``str.rstrip``, with the provenance kept."""
        return self._cut(0, len(str.rstrip(self, chars)))

    def _cut(self, start: int, end: int) -> PromptText:
        spans = []
        for first, last, data in self.spans:
            low, high = max(first, start), min(last, end)
            if low < high:
                kept = (
                    data
                    if (low, high) == (first, last)
                    else Data(str.__getitem__(data, slice(low - first, high - first)))
                )
                spans.append((low - start, high - start, kept))
        return PromptText(str.__getitem__(self, slice(start, end)), tuple(spans))


class ChatList(list[Any]):
    """A list that renders as its items, one a line: what prompt flow's Azure chat does to every list it is given."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self))


def join(pieces: Iterable[str]) -> PromptText:
    """One text out of the pieces of a rendering, provenance kept."""
    texts: list[str] = []
    spans: list[Span] = []
    at = 0
    for piece in pieces:
        kind = type(piece)
        if kind is PromptText:
            spans.extend((at + start, at + end, data) for start, end, data in piece.spans)  # type: ignore[attr-defined]
        elif kind is not str and piece:
            data = piece if isinstance(piece, Data) else Data(piece)
            spans.append((at, at + len(piece), data))
        texts.append(piece)
        at += len(piece)
    return PromptText("".join(texts), tuple(spans))


def as_piece(value: Any) -> str:
    """A value as a piece of a rendering: data, unless it carries a provenance of its own."""
    kind = type(value)
    if kind is str:
        return Data(value)
    if kind is PromptText or isinstance(value, Data):
        return value  # type: ignore[no-any-return]  # both are strings
    if isinstance(value, Image):
        return ImageData(value)
    if kind is ChatList or (isinstance(value, list) and any(isinstance(item, Image) for item in value)):
        return join(_lines(value))
    return Data(value)


def _lines(items: list[Any]) -> Iterable[str]:
    for index, item in enumerate(items):
        if index:
            yield "\n"
        yield as_piece(item)
