"""Lines in this very process: for notebooks, tests and flows that cannot be rebuilt elsewhere. Nothing is isolated.

A line that hangs is reported when its time is over, but its thread lives on; a line that ends the process ends everything.
Variables, working directory and modules are the flow's while ``run`` or ``aggregate`` is under way, and the caller's otherwise.
"""

from __future__ import annotations

import dataclasses
import queue
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from penstock.aio import run_sync
from penstock.engine.aggregate import Aggregation
from penstock.errors import PenstockError
from penstock.runners import frames
from penstock.runners.backlog import Backlog
from penstock.runners.job import Job
from penstock.runners.lanes import open_lanes
from penstock.runners.packing import unpack_aggregation, unpack_result
from penstock.runners.runner import Deliver, LineInput, Stop, never
from penstock.runners.slots import Slots
from penstock.runners.workbench import Workbench
from penstock.tools.builtin.session import using
from penstock.tools.isolation import Isolation

# Lines that may be left behind, hanging, before there is no room for others.
_SPARE = 256


class LocalRunner:
    """Runs lines in threads, or on the event loop, of this process."""

    def open(self, job: Job) -> LocalSession:
        """Start nothing yet: the flow is bound when the first lines come."""
        return LocalSession(job)


class LocalSession:
    """See ``runner.Session``."""

    def __init__(self, job: Job) -> None:
        self._job = dataclasses.replace(job, workers=1)
        self._isolation = Isolation(Path(job.flow).parent, job.environment)
        self._pool = ThreadPoolExecutor(max(4, job.concurrency * job.node_concurrency), "penstock-node")
        self._bench: Workbench | None = None

    @property
    def closures(self) -> Mapping[str, str]:
        """See ``runner.Session``."""
        return {} if self._bench is None else self._bench.closures

    def run(self, lines: Iterator[LineInput], deliver: Deliver, stop: Stop = never) -> None:
        """Run every line; see ``runner.Session``."""
        with self._surroundings() as bench:
            backlog, inbox, under_way = Backlog(lines), _Inbox(), 0
            lanes = open_lanes(bench, Slots.private(self._job.concurrency + _SPARE), inbox)
            try:
                while True:
                    if stop() is not None:
                        backlog.close()
                    new = backlog.take(self._job.concurrency - under_way)
                    lanes.submit(new)
                    under_way += len(new)
                    if not under_way:
                        break
                    frame = inbox.next()
                    if frame is not None:
                        under_way -= 1
                        deliver(unpack_result(frame[frames.HEAD :]))
            finally:
                lanes.close()
        if backlog.trouble is not None:
            raise backlog.trouble

    def aggregate(
        self, inputs: Mapping[str, list[Any]], outputs: Mapping[str, list[Any]], lines: int, stop: Stop = never
    ) -> Aggregation:
        """Run the aggregation nodes; see ``runner.Session``."""
        stop()
        with self._surroundings() as bench:
            return unpack_aggregation(run_sync(bench.aggregate(inputs, outputs, lines)))

    def close(self) -> None:
        """Free threads and connections; a thread that hangs stays until the process ends."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._bench is not None:
            run_sync(self._bench.models.close())

    @contextmanager
    def _surroundings(self) -> Generator[Workbench]:
        with self._isolation.active():
            bench = self._bench or Workbench(self._job, self._pool)
            with using(bench.session):
                if self._bench is None:
                    with self._isolation.importing():
                        bench.bind()
                    self._bench = bench
                yield bench


class _Inbox:
    """Takes what the lanes report, for the thread that waits for it."""

    def __init__(self) -> None:
        self._items: queue.SimpleQueue[bytes | PenstockError] = queue.SimpleQueue()
        self._left_behind = 0

    def next(self) -> bytes | None:
        """A result, or None where there is none for a moment; raises what keeps all lines from going on."""
        try:
            item = self._items.get(timeout=0.1)
        except queue.Empty:
            return None
        if isinstance(item, PenstockError):
            raise item
        return item

    def finished(self, frame: bytes) -> None:
        """See ``lanes.Sink``."""
        self._items.put(frame)

    def tainted(self) -> None:
        """See ``lanes.Sink``."""
        self._left_behind += 1
        if self._left_behind >= _SPARE:
            self._items.put(
                PenstockError(
                    f"{self._left_behind} lines hang in this process, and nothing can end them; use worker processes.",
                    code="LineExecutionTimeoutError",
                )
            )

    def stuck(self, index: int | None) -> None:
        """See ``lanes.Sink``."""
        line = "A line" if index is None else f"Line {index}"
        self._items.put(
            PenstockError(
                f"{line} blocks the event loop of this process for longer than a line may take, and nothing can end it;"
                " use worker processes, or await what it waits for.",
                code="LineExecutionTimeoutError",
            )
        )
