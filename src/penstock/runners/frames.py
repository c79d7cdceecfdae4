"""The talk between a parent and its worker: length, kind, body. JSON text in the body; no pickle."""

from __future__ import annotations

import struct
from typing import BinaryIO

_HEAD = struct.Struct("!IB")
# Of a result: index, status, calls, prompt tokens, completion tokens, total tokens, cost (NaN: unknown), duration.
RESULT = struct.Struct("!QBIQQQdd")

JOB, LINES, RESULT_KIND, READY, REFUSED, AGGREGATE, AGGREGATED, TAINTED, FINISH = range(9)

MAX_BODY = 1 << 30


def pack(kind: int, body: bytes) -> bytes:
    """One frame."""
    return _HEAD.pack(len(body), kind) + body


def read(stream: BinaryIO) -> tuple[int, bytes] | None:
    """The next frame, waiting for it; None at the end of the stream or where it breaks off."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    size, kind = _HEAD.unpack(head)
    body = stream.read(size)
    return None if len(body) < size else (kind, body)


class Splitter:
    """Cuts a byte stream that arrives in any pieces into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Add ``data``; returns the frames that are whole now."""
        self._buffer += data
        frames: list[tuple[int, bytes]] = []
        start, view = 0, self._buffer
        while len(view) - start >= _HEAD.size:
            size, kind = _HEAD.unpack_from(view, start)
            end = start + _HEAD.size + size
            if len(view) < end:
                break
            frames.append((kind, bytes(view[start + _HEAD.size : end])))
            start = end
        if start:
            del self._buffer[:start]
        return frames
