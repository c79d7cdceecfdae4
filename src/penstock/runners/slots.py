"""Which lines a worker is running right now, in memory that its parent can read even after the worker is dead.

A slot is two 8-byte numbers: line number + 1 (0 for an idle slot) and the start in monotonic nanoseconds (CLOCK_MONOTONIC is
one clock for all processes of a machine). Each slot has one writer, so no lock is needed; the start is written before the
number and read after it, so that a line is never seen with the start of an earlier one.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import time

_SLOT = 16


class Slots:
    """A table of ``count`` slots in a file without a name, shared by its descriptor; -1 where it is nobody else's."""

    def __init__(self, descriptor: int, count: int) -> None:
        self.descriptor = descriptor
        self.count = count
        self._map = mmap.mmap(descriptor, count * _SLOT)
        # Whole aligned words: a reader sees one either old or new, never half of each.
        self._words = memoryview(self._map).cast("Q")

    @classmethod
    def create(cls, count: int) -> Slots:
        """A new table, all idle."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("penstock-slots", 0)
        else:
            descriptor, name = tempfile.mkstemp()
            os.unlink(name)
        os.ftruncate(descriptor, count * _SLOT)
        return cls(descriptor, count)

    @classmethod
    def private(cls, count: int) -> Slots:
        """A new table that only this process sees."""
        return cls(-1, count)

    def begin(self, slot: int, index: int) -> None:
        """Note that ``slot`` runs line ``index`` from now on."""
        self._words[2 * slot + 1] = time.monotonic_ns()
        self._words[2 * slot] = index + 1

    def end(self, slot: int) -> None:
        """Note that ``slot`` is idle."""
        self._words[2 * slot] = 0

    def running(self) -> dict[int, float]:
        """Line number → seconds it has been running."""
        now = time.monotonic_ns()
        found: dict[int, float] = {}
        for slot in range(self.count):
            index = self._words[2 * slot]
            if index:
                found[index - 1] = max(0, now - self._words[2 * slot + 1]) / 1e9
        return found

    def close(self) -> None:
        """Give the memory back."""
        self._words.release()
        self._map.close()
        if self.descriptor >= 0:
            os.close(self.descriptor)
