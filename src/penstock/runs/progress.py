"""How far a run is: what a progress bar, a server or a notebook shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from penstock.records import NO_USAGE, Usage


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a run. ``total`` is None where the number of lines is not known; ``elapsed`` is in seconds."""

    run: str
    total: int | None
    done: int = 0
    failed: int = 0
    skipped: int = 0
    usage: Usage = NO_USAGE
    elapsed: float = 0.0
    state: str = "running"

    @property
    def rate(self) -> float:
        """Lines a second."""
        return self.done / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Estimate, None while nothing is known."""
        if self.total is None or not self.done:
            return None
        return max(0.0, (self.total - self.skipped - self.done) / self.rate)


Listener = Callable[[Progress], None]
