"""Server-sent events from bytes, whatever way the network cut them."""

from __future__ import annotations

from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: its name ('' where the server gave none) and its data lines joined by newlines."""

    name: str
    data: str


class EventParser:
    """Feed it bytes; it gives back the events that became complete.

    Lines may end in LF, CRLF or CR, chunks may end anywhere, also inside a character or between CR and LF.
    """

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._after_cr = False
        self._at_start = True
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that ``chunk`` completes."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[:1] == b"\n":
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._rest.append(chunk)
        if b"\n" not in chunk:
            return []
        lines = b"".join(self._rest).split(b"\n")
        self._rest = [lines.pop()]
        events: list[Event] = []
        for line in lines:
            event = self._line(line)
            if event is not None:
                events.append(event)
        return events

    def close(self) -> list[Event]:
        """The event that the end of the stream completes: some servers leave out the last empty line."""
        line = b"".join(self._rest)
        self._rest = []
        found = (self._line(line) if line else None, self._line(b""))
        return [event for event in found if event is not None]

    def _line(self, line: bytes) -> Event | None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")
        # Comments (no field name), id, retry and unknown fields carry nothing that a model's answer needs.
        return None

    def _dispatch(self) -> Event | None:
        name, data = self._name, self._data
        self._name, self._data = "", []
        return Event(name, "\n".join(data)) if data else None
