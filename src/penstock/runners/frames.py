"""The talk between a parent and its worker: length, kind, body. JSON text in the body; no pickle."""

from __future__ import annotations

import struct
from typing import BinaryIO

_HEAD = struct.Struct("!IB")
HEAD = _HEAD.size

# To the worker: the job; lines to run; give back what has not begun; aggregate; end.
JOB, LINES, RECALL, AGGREGATE, FINISH = range(5)
# From the worker: ready for lines; the flow cannot run; a result; lines given back; it should be replaced; it cannot go on
# because of a line; an aggregation.
READY, REFUSED, RESULT, RETURNED, TAINTED, STUCK, AGGREGATED = range(5, 12)

_KINDS = frozenset(range(12))
# What one frame may hold, so that a length can be told from noise; a result beyond it fails its line.
MAX_BODY = 1 << 30


class BrokenTalk(Exception):
    """Bytes that are no frame: something else wrote into the pipe."""


def pack(kind: int, body: bytes) -> bytes:
    """One frame; raises ``ValueError`` for a body beyond ``MAX_BODY``."""
    if len(body) > MAX_BODY:
        raise ValueError(f"{len(body):,} bytes are more than the {MAX_BODY:,} that one message may have")
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
        """Add ``data``; returns the frames that are whole now.

        Raises:
            BrokenTalk: The bytes are no frames.
        """
        self._buffer += data
        frames: list[tuple[int, bytes]] = []
        start, view = 0, self._buffer
        while len(view) - start >= _HEAD.size:
            size, kind = _HEAD.unpack_from(view, start)
            if kind not in _KINDS or size > MAX_BODY:
                raise BrokenTalk(f"a message of kind {kind} and {size:,} bytes")
            end = start + _HEAD.size + size
            if len(view) < end:
                break
            frames.append((kind, bytes(view[start + _HEAD.size : end])))
            start = end
        if start:
            del self._buffer[:start]
        return frames
