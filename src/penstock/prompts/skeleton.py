"""A rendering with every piece of data reduced to one opaque character, and the way back."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

from penstock.prompts.text import Data, PromptText

HOLE = "\ue000"  # data: no letter, no space, no punctuation, so part of no marker
BLANK = "\u205f"  # blank data that is more than spaces: white space that ends no line
_RESERVED = re.compile(f"[{HOLE}{BLANK}]")


class Skeleton:
    """The author's text with holes in it.

    ``text`` holds one ``HOLE`` or ``BLANK`` for every entry of ``data``, in order, and no other of either.
    """

    __slots__ = ("at", "data", "text")

    def __init__(self, pieces: Iterable[str]) -> None:
        self.at: list[int] = []
        self.data: list[str] = []
        made: list[str] = []
        length = 0
        for piece in _simple(pieces):
            shown = piece if type(piece) is str else _opaque(piece)
            if shown is HOLE or shown is BLANK:
                self.at.append(length)
                self.data.append(piece)
            made.append(shown)
            length += len(shown)
        self.text = "".join(made)

    def restored(self, start: int, end: int, show: Callable[[str], str] | None = None) -> str:
        """The text between two places of the skeleton, with its data back in (through ``show`` where given)."""
        text, at = self.text, self.at
        first = bisect_left(at, start)
        if first == len(at) or at[first] >= end:
            return text[start:end]
        made: list[str] = []
        for index in range(first, len(at)):
            place = at[index]
            if place >= end:
                break
            made.append(text[start:place])
            made.append(self.data[index] if show is None else show(self.data[index]))
            start = place + 1
        made.append(text[start:end])
        return "".join(made)

    def holes(self, start: int, end: int) -> list[str]:
        """The data between two places, in order."""
        return self.data[bisect_left(self.at, start) : bisect_left(self.at, end)]


def _simple(pieces: Iterable[str]) -> Iterator[str]:
    """Pieces of exact type ``str`` (the author's, without our two characters) or of another (data)."""
    for piece in pieces:
        if isinstance(piece, PromptText):
            last = 0
            for start, end, data in piece.spans:
                yield from _authors(piece[last:start])
                yield data
                last = end
            yield from _authors(piece[last:])
        elif type(piece) is str and _RESERVED.search(piece):
            yield from _authors(piece)
        else:
            yield piece


def _authors(text: str) -> Iterator[str]:
    """The author's own use of our two characters becomes data, so that each of them keeps its one meaning."""
    last = 0
    for found in _RESERVED.finditer(text):
        yield text[last : found.start()]
        yield Data(found[0])
        last = found.end()
    yield text[last:]


def _opaque(data: str) -> str:
    if not data.isspace():
        return HOLE if data else ""
    return BLANK if data.strip(" ") else " " * len(data)
