"""Counts finished lines of a running batch and tells a listener, not more often than people look."""

from __future__ import annotations

import time

from penstock.records import NO_USAGE, Status
from penstock.runners.runner import Delivered
from penstock.runs.progress import Listener, Progress

_EVERY = 0.1


class Counter:
    """Lines, failures and usage so far; ``skipped`` lines were there before, ``failed`` ones are among the ``done``."""

    def __init__(self, run: str, listener: Listener | None) -> None:
        self.total: int | None = None
        self.skipped = 0
        self.done = 0
        self.failed = 0
        self.usage = NO_USAGE
        self._run = run
        self._listener = listener
        self._began = time.monotonic()
        self._told = 0.0

    @property
    def seconds(self) -> float:
        """Since ``begin``."""
        return time.monotonic() - self._began

    def begin(self) -> None:
        """The first line is about to be sent."""
        self._began = time.monotonic()
        self.tell()

    def add(self, line: Delivered) -> None:
        """A line is finished."""
        self.done += 1
        if line.status is Status.FAILED:
            self.failed += 1
        if line.usage.calls:
            self.usage += line.usage
        if self._listener is not None and time.monotonic() - self._told > _EVERY:
            self.tell()

    def tell(self, state: str = "running") -> None:
        """Tell the listener now."""
        if self._listener is not None:
            self._told = time.monotonic()
            progress = Progress(
                self._run, self.total, self.done, self.failed, self.skipped, self.usage, self.seconds, state
            )
            try:
                self._listener(progress)
            except OSError:
                self._listener = None  # whoever looked on has left (`2>&1 | head`); the run goes on
