"""The items of a JSON array, one at a time, from a file that need not fit into memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

_CHUNK = 1 << 18
_SPACE = re.compile(r"[ \t\n\r]*")
# What may follow an item.
_AFTER = frozenset(" \t\n\r,]")


def array_items(file: TextIO, chunk: int = _CHUNK) -> Iterator[Any]:
    """Items of the array that ``file`` holds, as soon as each is complete.

    Args:
        file: Stands at the array's beginning.
        chunk: Characters to read at once; an item longer than that is read in growing chunks.

    Raises:
        ValueError: The file is no JSON array; the message tells the line.
    """
    text = _Window(file, chunk)
    if text.next() != "[":
        raise text.wrong("an array must begin with '['")
    text.place += 1
    if text.next() == "]":
        text.place += 1
    else:
        yield text.item()
        while (mark := text.next()) == ",":
            text.place += 1
            yield text.item()
        if mark != "]":
            raise text.wrong("expected ',' or ']' after an item" if mark else "the array is never closed")
        text.place += 1
    if text.next():
        raise text.wrong("there is more behind the array's end")


class _Window:
    """The part of the file that is being looked at."""

    def __init__(self, file: TextIO, chunk: int) -> None:
        self._file = file
        self._chunk = chunk
        self._text = ""
        self._lines = 1  # the line that the window begins in
        self._ended = False
        self._scan = json.JSONDecoder().raw_decode
        self.place = 0

    def next(self) -> str:
        """The next character that is no white space, not yet taken; empty at the end of the file."""
        while True:
            self.place = _space(self._text, self.place)
            if self.place < len(self._text):
                return self._text[self.place]
            if not self._more(self._chunk):
                return ""

    def item(self) -> Any:
        """Take one value."""
        self.next()
        size = self._chunk
        while True:
            try:
                value, end = self._scan(self._text, self.place)
            except json.JSONDecodeError as error:
                if not self._more(size):
                    line = self._lines + self._text.count("\n", 0, error.pos)
                    raise ValueError(f"{error.msg} in line {line}") from error
            else:
                # What looks complete may be the beginning of a longer number that the window cuts: 0 of 0.5.
                if self._text[end : end + 1] in _AFTER or not self._more(size):
                    self.place = end
                    return value
            size *= 2

    def wrong(self, what: str) -> ValueError:
        return ValueError(f"{what} in line {self._lines + self._text.count(chr(10), 0, self.place)}")

    def _more(self, size: int) -> bool:
        """Read on, forgetting what was taken; whether there was anything."""
        if self._ended:
            return False
        read = self._file.read(size)
        if not read:
            self._ended = True
            return False
        self._lines += self._text.count("\n", 0, self.place)
        self._text = self._text[self.place :] + read
        self.place = 0
        return True


def _space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place
