"""How quickly lines are finished just now."""

from __future__ import annotations

import time

_WINDOW = 0.2


class Pace:
    """Lines a second in the latest window, from the first finished line on: how long the workers took to start is not in it."""

    def __init__(self) -> None:
        self.rate = 0.0
        self._began = 0.0
        self._count = 0

    def add(self, count: int) -> None:
        """So many lines were finished since the last call."""
        now = time.monotonic()
        if not self._began:
            self._began = now if count else 0.0
            return
        self._count += count
        spent = now - self._began
        if spent >= _WINDOW:
            self.rate = self._count / spent
            self._began, self._count = now, 0
        elif not self.rate and spent > 0.02:
            self.rate = self._count / spent
