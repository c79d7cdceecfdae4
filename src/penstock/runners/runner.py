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
    """One line to run.

    Attributes:
        index: Its number.
        values: Flow inputs, not yet converted.
        folder: Where relative paths in ``values`` start, None for the flow's own folder.
        attempt: Which attempt this is: 2 after the line was under way in a worker that died.
    """

    index: int
    values: Mapping[str, Any]
    folder: str | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Delivered:
    """One finished line. ``record`` is the ``LineResult`` as JSON text, ready for the journal."""

    index: int
    status: Status
    record: bytes
    usage: Usage
    duration: float


Deliver = Callable[[Delivered], None]
# Returns why the run should take no more lines, or None to go on; asked about ten times a second and between lines. What it
# raises ends the run at once, and the lines in flight with it.
Stop = Callable[[], str | None]


def never() -> str | None:
    """A ``Stop`` that never stops."""
    return None


class Session(Protocol):
    """A bound job, ready for lines.

    Attributes:
        closures: The identity of the code of each node that has code of its own, once the flow is bound.
    """

    closures: Mapping[str, str]

    def run(self, lines: Iterator[LineInput], deliver: Deliver, stop: Stop = never) -> None:
        """Run every line, each delivered exactly once, in any order, on the calling thread.

        Lines that had begun when ``stop`` answered are finished and delivered; the others are not run, and neither is one
        that is due again because its worker died. What ``lines`` raises is raised when the lines before it are
        delivered; what ``deliver`` or ``stop`` raises is raised at once.

        Raises:
            LoadError: The flow cannot be bound; nothing was delivered unless the flow changed under way.
            PenstockError: Lines can no longer be run.
        """

    def aggregate(
        self, inputs: Mapping[str, list[Any]], outputs: Mapping[str, list[Any]], lines: int, stop: Stop = never
    ) -> Aggregation:
        """Run the aggregation nodes over these columns; ``stop`` counts here only by what it raises.

        A node that fails, takes longer than a line may or ends its process is in the result with its failure.

        Raises:
            LoadError: The flow cannot be bound.
        """

    def close(self) -> None:
        """End the workers; what still runs is stopped hard where that is possible."""


class Runner(Protocol):
    """Opens sessions."""

    def open(self, job: Job) -> Session:
        """Start workers for ``job``; returns at once, the flow is bound in the meantime."""
