"""What user code prints, kept with the node that printed it.

``install`` puts a router in the place of ``sys.stdout`` and ``sys.stderr``; text printed while a node runs goes to that node's
buffer (bounded: a tool that prints without end costs no memory), all other text goes where it went before.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TextIO

from penstock.connections.redact import Redactor

LIMIT = 100_000
_BEYOND = 5_000


class Buffer:
    """The printed text of one node; keeps the first ``LIMIT`` characters of each stream and counts the rest.

    Args:
        redactor: Gives what takes the secrets known so far out of the text.
    """

    __slots__ = ("_parts", "_redactor", "_sizes")

    def __init__(self, redactor: Callable[[], Redactor] = Redactor) -> None:
        self._redactor = redactor
        self._parts: dict[str, list[str]] = {}
        self._sizes: dict[str, int] = {}

    def write(self, stream: str, text: str) -> None:
        """Keep ``text``, as far as there is room."""
        size = self._sizes.get(stream, 0)
        if size < LIMIT + _BEYOND:
            # A little more than is shown, so that a secret at the end is whole where it is looked for.
            self._parts.setdefault(stream, []).append(text[: LIMIT + _BEYOND - size])
        self._sizes[stream] = size + len(text)

    def logs(self) -> dict[str, str] | None:
        """Text by stream, None where nothing was printed."""
        if not self._sizes:
            return None
        result: dict[str, str] = {}
        clean = self._redactor().text
        for stream, parts in self._parts.items():
            dropped = self._sizes[stream] - LIMIT
            text = clean("".join(parts))[:LIMIT]
            result[stream] = text + (f"\n… {dropped:,} more characters were dropped." if dropped > 0 else "")
        return result


BUFFER: ContextVar[Buffer | None] = ContextVar("penstock_print_buffer", default=None)


class _Router(io.TextIOBase):
    results: TextIO

    def __init__(self, name: str, original: TextIO, redactor: Callable[[], Redactor]) -> None:
        self._name = name
        self._original = original
        self.redactor = redactor

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        buffer = BUFFER.get()
        if buffer is None:
            self._original.write(self.redactor().text(text))
            return len(text)
        buffer.write(self._name, text)
        return len(text)

    def flush(self) -> None:
        self._original.flush()

    def isatty(self) -> bool:
        return self._original.isatty()

    def fileno(self) -> int:
        return self._original.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a text stream's encoding is an attribute
        return self._original.encoding

    @property
    def buffer(self) -> Any:
        return self._original.buffer

    def writable(self) -> bool:
        return True


def install(redactor: Callable[[], Redactor] = Redactor) -> TextIO:
    """Route what nodes print into their records, from now on, in this process; again, it only replaces ``redactor``.

    Other text that the flow's code prints, while it is imported say, goes to standard error: standard output is for results.

    Args:
        redactor: For that other text; a later call may give it once the connections are known.

    Returns:
        The standard output as it was.
    """
    if not isinstance(sys.stdout, _Router):
        results = sys.stdout
        sys.stdout = _Router("stdout", sys.stderr, redactor)
        sys.stderr = _Router("stderr", sys.stderr, redactor)
        sys.stdout.results = results
    sys.stdout.redactor = redactor
    if isinstance(sys.stderr, _Router):
        sys.stderr.redactor = redactor
    return sys.stdout.results
