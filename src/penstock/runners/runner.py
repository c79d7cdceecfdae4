"""``Runner``: moves lines to workers and results back; knows no graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from penstock.engine.aggregate import Aggregation
from penstock.records import Status, Usage
from penstock.runners.job import Job


@dataclass(frozen=True, slots=True)
class LineInput:
    """One line to run. ``folder`` is where relative paths in ``values`` start, None for the flow's own folder."""

    index: int
    values: Mapping[str, Any]
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """One finished line. ``record`` is the ``LineResult`` as JSON text, ready for the journal."""

    index: int
    status: Status
    record: bytes
    usage: Usage
    duration: float


Deliver = Callable[[Delivered], None]
# Returns why the run should stop taking lines, or None to go on; asked between lines.
Stop = Callable[[], str | None]


class Session(Protocol):
    """A bound job, ready for lines."""

    def run(self, lines: Iterator[LineInput], deliver: Deliver, stop: Stop) -> None:
        """Run every line, each delivered exactly once, in any order, on the calling thread.

        Lines that had begun when ``stop`` answered are finished and delivered; the others are not run.

        Raises:
            LoadError: The flow cannot be bound; nothing was delivered.
        """

    def aggregate(self, inputs: Mapping[str, list[Any]], outputs: Mapping[str, list[Any]], lines: int) -> Aggregation:
        """Run the aggregation nodes over these columns."""

    def close(self) -> None:
        """End the workers; what still runs is stopped hard."""


class Runner(Protocol):
    """Opens sessions."""

    def open(self, job: Job) -> Session:
        """Start workers for ``job``; returns at once, the flow is bound in the meantime."""
