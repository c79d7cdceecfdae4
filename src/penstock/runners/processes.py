"""Lines in worker processes: a line that hangs, exits or exhausts memory costs that line, never the run.

One thread waits for all pipes. What a worker was running when it died is read from its slots; these lines are run again, each
alone in a worker, and fail with the reason if that one dies too. Lines that it had not begun just go to the next worker.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.engine.aggregate import Aggregation
from penstock.errors import LoadError, PenstockError
from penstock.records import Failure, LineResult, Metric, NodeRun, Status, Usage
from penstock.runners import frames
from penstock.runners.job import Job
from penstock.runners.process import WorkerProcess
from penstock.runners.runner import Deliver, Delivered, LineInput, Stop

_STATUS = list(Status)
# How long after its own limit a worker that reports nothing is taken for stuck, in seconds.
_GRACE = 10.0
_MAX_CHUNK = 256
_STARTS = 3


class ProcessRunner:
    """Worker processes on this machine.

    Args:
        workers: How many; one a core unless told.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1

    def open(self, job: Job) -> ProcessSession:
        """Start the workers."""
        return ProcessSession(job, self.workers)


class ProcessSession:
    """See ``runner.Session``."""

    def __init__(self, job: Job, workers: int) -> None:
        self._job = job
        self._selector = selectors.DefaultSelector()
        self._workers: list[WorkerProcess] = []
        self._want = workers
        self._again: deque[LineInput] = deque()
        self._suspects: deque[LineInput] = deque()
        self._early_deaths = 0
        self._rate = 0.0
        self._aggregated: bytes | None = None
        for _ in range(workers):
            self._start()

    # -- lines

    def run(self, lines: Iterator[LineInput], deliver: Deliver, stop: Stop) -> None:
        """Run every line; see ``runner.Session``."""
        self._deliver = deliver
        first, done, exhausted = 0.0, 0, False
        stopped: str | None = None
        while True:
            stopped = stopped or stop()
            if not exhausted and not stopped:
                exhausted = self._feed(lines)
            elif not stopped:
                self._feed(iter(()))
            busy = any(worker.assigned for worker in self._workers)
            if not busy and (stopped or (exhausted and not self._again and not self._suspects)):
                return
            done += self._turn()
            # Counted from the first result, so that the workers' start does not make lines look slow.
            first = first or (time.monotonic() if done else 0.0)
            elapsed = time.monotonic() - first if first else 0.0
            self._rate = done / elapsed if elapsed > 0.02 else 0.0

    def _feed(self, lines: Iterator[LineInput]) -> bool:
        """Give idle workers lines; True when there are no more."""
        exhausted = False
        for worker in self._workers:
            if not worker.ready or worker.tainted or worker.quarantine or worker.backlog:
                continue
            if self._suspects:
                if not worker.assigned:
                    worker.quarantine = True
                    worker.assign([self._suspects.popleft()])
                elif len(self._workers) == 1:
                    continue
                if worker.quarantine:
                    continue
            room = self._window(worker)
            if room <= 0:
                continue
            chunk: list[LineInput] = []
            while len(chunk) < room and self._again:
                chunk.append(self._again.popleft())
            while len(chunk) < room and not exhausted:
                line = next(lines, None)
                if line is None:
                    exhausted = True
                else:
                    chunk.append(line)
            if chunk:
                worker.assign(chunk)
        # Only an iterator that was asked can say that it is empty.
        return exhausted

    def _window(self, worker: WorkerProcess) -> int:
        # Ahead of what runs, about 50 ms of work waits in the worker, so that it never idles between two writes of ours.
        ahead = min(_MAX_CHUNK, int(self._rate * 0.05 / max(1, len(self._workers))))
        limit = self._job.concurrency + ahead
        room = limit - len(worker.assigned)
        # Not for every single line: a write a chunk is what makes quick lines quick.
        return room if room >= max(1, ahead // 2) or not worker.assigned else 0

    # -- one turn of the wheel

    def _turn(self) -> int:
        for worker in self._workers:
            events = selectors.EVENT_WRITE if worker.backlog else 0
            self._watch_stdin(worker, events)
        done = 0
        for key, _ in self._selector.select(0.1):
            worker, channel = key.data
            if worker not in self._workers:
                continue
            if channel == "in":
                worker.write()
            elif channel == "err":
                if not worker.read_stderr():
                    self._selector.unregister(worker.stderr)
            else:
                done += self._read(worker)
        self._look_for_stuck()
        return done

    def _watch_stdin(self, worker: WorkerProcess, events: int) -> None:
        registered = worker.stdin in self._selector.get_map()
        if events and not registered:
            self._selector.register(worker.stdin, events, (worker, "in"))
        elif registered and not events:
            self._selector.unregister(worker.stdin)

    def _read(self, worker: WorkerProcess) -> int:
        arrived = worker.read()
        if arrived is None:
            self._died(worker)
            return 0
        done = 0
        for kind, body in arrived:
            if kind == frames.RESULT_KIND:
                done += self._result(worker, body)
            elif kind == frames.READY:
                worker.ready = True
                self._early_deaths = 0
            elif kind == frames.TAINTED:
                worker.tainted = True
            elif kind == frames.REFUSED:
                self._refused(body)
            elif kind == frames.AGGREGATED:
                self._aggregated = body
        if worker.tainted and not worker.assigned and worker in self._workers:
            self._replace(worker)
        return done

    def _result(self, worker: WorkerProcess, body: bytes) -> int:
        size = frames.RESULT.size
        index, status, calls, prompt, completion, total, cost, duration = frames.RESULT.unpack_from(body)
        if worker.assigned.pop(index, None) is None:
            return 0
        if worker.quarantine and not worker.assigned:
            worker.quarantine = False
        usage = Usage(prompt, completion, total, calls, None if math.isnan(cost) else cost)
        self._deliver(Delivered(index, _STATUS[status], body[size:], usage, duration))
        return 1

    def _refused(self, body: bytes) -> None:
        refusal = json.loads(body)
        raise LoadError(refusal["message"], code=refusal["code"])

    # -- workers that die or hang

    def _died(self, worker: WorkerProcess) -> None:
        running = worker.slots.running()
        reason = worker.last_words()
        if not worker.ready:
            self._early_deaths += 1
            if self._early_deaths >= _STARTS:
                self._forget(worker)
                raise PenstockError(f"The workers die before their first line: {reason}.", code="ProcessCrashError")
        lost = [line for line in worker.assigned.values() if line.index in running]
        self._again.extendleft(line for line in reversed(worker.assigned.values()) if line.index not in running)
        for line in lost:
            if worker.quarantine:
                self._fail(
                    line, "ProcessCrashError", f"Line {line.index}: its worker process died ({reason}), twice.", 2
                )
            else:
                self._suspects.append(line)
        worker.assigned.clear()
        self._replace(worker)

    def _look_for_stuck(self) -> None:
        limit = self._job.line_timeout
        if limit is None:
            return
        for worker in list(self._workers):
            if not worker.assigned:
                continue
            late = [index for index, seconds in worker.slots.running().items() if seconds > limit + _GRACE]
            late = [index for index in late if index in worker.assigned]
            if not late:
                continue
            # It could not even report the timeout: something holds the interpreter and must be killed from outside.
            running = worker.slots.running()
            for index in late:
                self._fail(
                    worker.assigned.pop(index),
                    "LineExecutionTimeoutError",
                    f"Line {index} execution timeout for exceeding {limit:g} seconds",
                    1,
                )
            for line in worker.assigned.values():
                (self._suspects if line.index in running else self._again).append(line)
            worker.assigned.clear()
            self._replace(worker)

    def _fail(self, line: LineInput, kind: str, message: str, attempts: int) -> None:
        result = LineResult(
            line.index, Status.FAILED, None, None, Failure(kind, message), source=line.values, attempts=attempts,
            started=time.time(),
        )  # fmt: skip
        record = json.dumps(result.to_json(), default=str).encode()
        self._deliver(Delivered(line.index, Status.FAILED, record, Usage(), 0.0))

    def _start(self) -> None:
        worker = WorkerProcess(self._job)
        self._workers.append(worker)
        self._selector.register(worker.stdout, selectors.EVENT_READ, (worker, "out"))
        self._selector.register(worker.stderr, selectors.EVENT_READ, (worker, "err"))

    def _replace(self, worker: WorkerProcess) -> None:
        self._forget(worker)
        self._start()

    def _forget(self, worker: WorkerProcess) -> None:
        for descriptor in (worker.stdin, worker.stdout, worker.stderr):
            with contextlib.suppress(KeyError):
                self._selector.unregister(descriptor)
        self._workers.remove(worker)
        worker.kill()
        worker.close()

    # -- after the lines

    def aggregate(self, inputs: Mapping[str, list[Any]], outputs: Mapping[str, list[Any]], lines: int) -> Aggregation:
        """Run the aggregation nodes in one worker.

        Raises:
            PenstockError: The worker died of it.
        """
        body = json.dumps({"inputs": inputs, "outputs": outputs, "lines": lines}).encode()
        self._aggregated = None
        while not any(worker.ready for worker in self._workers):
            self._turn()
        worker = next(worker for worker in self._workers if worker.ready)
        worker.send(frames.AGGREGATE, body)
        data = json.loads(self._wait_for_aggregation(worker))
        return Aggregation(
            tuple(NodeRun.from_json(node) for node in data["nodes"]),
            tuple(Metric.from_json(metric) for metric in data["metrics"]),
        )

    def _wait_for_aggregation(self, worker: WorkerProcess) -> bytes:
        while True:
            self._turn()
            if self._aggregated is not None:
                return self._aggregated
            if worker not in self._workers:
                raise PenstockError("The worker process died while it ran the aggregation.", code="ProcessCrashError")

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            if worker.ready and not worker.assigned:
                worker.send(frames.FINISH, b"")
        deadline = time.monotonic() + 2.0
        for worker in list(self._workers):
            with contextlib.suppress(Exception):
                if worker.ready and not worker.assigned:
                    worker.process.wait(max(0.0, deadline - time.monotonic()))
            self._forget(worker)
        self._selector.close()
