"""Lines in worker processes: a line that hangs, exits or exhausts memory costs that line, never the run.

One thread waits for all pipes. What a worker was running when it died is read from its slots; these lines are run again, each
alone in a worker, and fail with the reason if that one dies too. Lines that it had not begun just go to the next worker.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import selectors
import time
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.connections.redact import Redactor
from penstock.engine.aggregate import Aggregation
from penstock.engine.jsonable import Encoder
from penstock.errors import LoadError, PenstockError
from penstock.records import Failure, NodeRun, Status
from penstock.runners import frames
from penstock.runners.backlog import Backlog, deal
from penstock.runners.job import Job
from penstock.runners.pace import Pace
from penstock.runners.packing import pack_failure, unpack_aggregation, unpack_result
from penstock.runners.process import WorkerProcess
from penstock.runners.runner import Deliver, LineInput, Stop, never

_MAX_CHUNK = 256
# So many workers in a row that die before they are ready mean that none will ever be.
_STARTS = 3
# Seconds in which a worker must have bound the flow (or a line's limit, where that is longer).
_START_LIMIT = 120.0
# A worker that has lines but begins none for so long is held up by something that a line before left behind.
_IDLE_LIMIT = 30.0
# The first lines wait so long for the workers that are not ready yet, so that a few long lines are shared by all.
_GATHER = 0.15
_LOOK_EVERY = 0.2


class ProcessRunner:
    """Worker processes on this machine.

    Args:
        workers: How many; one a core unless told, and never more than lines may be under way.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1

    def open(self, job: Job) -> ProcessSession:
        """Start the workers.

        Raises:
            PenstockError: The machine refuses to start so many processes.
        """
        return ProcessSession(job, min(self.workers, job.concurrency))


class ProcessSession:
    """See ``runner.Session``."""

    def __init__(self, job: Job, workers: int) -> None:
        self.closures: Mapping[str, str] = {}
        self._job = job
        self._selector = selectors.DefaultSelector()
        self._workers: list[WorkerProcess] = []
        self._backlog = Backlog(iter(()))
        self._deliver: Deliver = _nowhere
        self._pace = Pace()
        self._early_deaths = 0
        self._first_ready: float | None = None
        self._looked = 0.0
        self._aggregator: WorkerProcess | None = None
        self._aggregations: list[Aggregation] = []
        self._encoder = Encoder(None, lambda: Redactor(job.secrets))
        try:
            for number in range(workers):
                self._start(job.concurrency // workers + (number < job.concurrency % workers))
        except BaseException:
            self.close()
            raise

    # Lines

    def run(self, lines: Iterator[LineInput], deliver: Deliver, stop: Stop = never) -> None:
        """Run every line; see ``runner.Session``."""
        self._deliver, self._backlog, self._pace = deliver, Backlog(lines), Pace()
        stopped = False
        while True:
            if not stopped and stop() is not None:
                stopped = True
                self._backlog.close()
                for worker in self._workers:
                    worker.send(frames.RECALL)
            self._hand_out()
            if self._backlog.empty and not any(worker.assigned for worker in self._workers):
                break
            self._pace.add(self._turn())
        if self._backlog.trouble is not None:
            raise self._backlog.trouble

    def _hand_out(self) -> None:
        """Give lines to workers that have room."""
        if self._gathering():
            return
        takers = [w for w in self._workers if w.ready and not (w.retiring or w.alone or w.backlog)]
        takers = self._quarantine(takers)
        rooms = [self._room(worker) for worker in takers]
        if not any(rooms):
            return
        for worker, share in zip(takers, deal(self._backlog.take(sum(rooms)), rooms), strict=True):
            if share:
                self._assign(worker, share)

    def _gathering(self) -> bool:
        if self._first_ready is None:
            return True
        return time.monotonic() - self._first_ready < _GATHER and not all(worker.ready for worker in self._workers)

    def _quarantine(self, takers: list[WorkerProcess]) -> list[WorkerProcess]:
        """Give each idle worker one suspect, alone; returns the workers that are left for others."""
        suspects = self._backlog.suspects
        for worker in takers:
            if suspects and not worker.assigned:
                worker.alone = True
                self._assign(worker, [suspects.popleft()])
        if suspects and len(self._workers) == 1:
            return []  # the only worker: it must run dry before it can take a suspect
        return [worker for worker in takers if not worker.alone]

    def _room(self, worker: WorkerProcess) -> int:
        # Ahead of what runs, about 50 ms of work waits in the worker, so that it never idles between two writes of ours.
        ahead = min(_MAX_CHUNK, int(self._pace.rate * 0.05 / len(self._workers)))
        room = worker.concurrency + ahead - len(worker.assigned)
        if worker.successor_of is not None:
            # Lines that the retiring worker still runs are in flight too.
            return max(0, room - len(worker.successor_of.assigned))
        # Not for every single line: a write a chunk is what makes quick lines quick.
        return room if room >= max(1, ahead // 2) or (not worker.assigned and room > 0) else 0

    def _assign(self, worker: WorkerProcess, lines: list[LineInput]) -> None:
        try:
            worker.assign(lines)
        except (TypeError, ValueError, RecursionError) as error:
            if len(lines) > 1:
                for line in lines:
                    self._assign(worker, [line])
                return
            worker.alone = False
            said = f"Line {lines[0].index}: its inputs cannot be sent to a worker: ({type(error).__name__}) {error}"
            self._fail(lines[0], Failure("InvalidUserData", said))

    # One turn of the wheel

    def _turn(self) -> int:
        """Wait for the pipes once; returns how many lines were delivered."""
        for worker in self._workers:
            self._watch_stdin(worker)
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
        if time.monotonic() - self._looked > _LOOK_EVERY:
            self._looked = time.monotonic()
            self._look_after()
        return done

    def _watch_stdin(self, worker: WorkerProcess) -> None:
        registered = worker.stdin in self._selector.get_map()
        if worker.backlog and not registered:
            self._selector.register(worker.stdin, selectors.EVENT_WRITE, (worker, "in"))
        elif registered and not worker.backlog:
            self._selector.unregister(worker.stdin)

    def _read(self, worker: WorkerProcess) -> int:
        arrived = worker.read()
        if arrived is None:
            self._died(worker)
            return 0
        done = 0
        for kind, body in arrived:
            if kind == frames.RESULT:
                done += self._result(worker, body)
            else:
                self._said(worker, kind, body)
        if worker.retiring and not worker.assigned and worker in self._workers:
            self._forget(worker)
        return done

    def _result(self, worker: WorkerProcess, body: bytes) -> int:
        delivered = unpack_result(body)
        if worker.assigned.pop(delivered.index, None) is None:
            return 0
        if not worker.assigned:
            worker.alone = False
        self._deliver(delivered)
        return 1

    def _said(self, worker: WorkerProcess, kind: int, body: bytes) -> None:
        if kind == frames.READY:
            worker.ready = True
            told = json.loads(body)
            worker.aggregation = {int(position): name for position, name in told["aggregation"].items()}
            self.closures = told["closures"]
            self._early_deaths = 0
            self._first_ready = self._first_ready or time.monotonic()
        elif kind == frames.REFUSED:
            refusal = json.loads(body)
            raise LoadError(refusal["message"], code=refusal["code"])
        elif kind == frames.RETURNED:
            returned = [worker.assigned.pop(index, None) for index in json.loads(body)]
            self._backlog.give_back(line for line in returned if line is not None)
            worker.alone = worker.alone and bool(worker.assigned)
        elif kind == frames.TAINTED and not worker.retiring:
            worker.retiring = True
            self._start(worker.concurrency, successor_of=worker)
        elif kind == frames.STUCK and worker in self._workers:
            index = json.loads(body)
            self._end_stuck(worker, None if index is None else {index})
        elif kind == frames.AGGREGATED:
            self._aggregations.append(unpack_aggregation(body))

    # Workers that die or hang

    def _died(self, worker: WorkerProcess) -> None:
        running = worker.slots.running()
        reason = worker.last_words()
        if worker is self._aggregator:
            self._aggregations.append(
                _failed(worker, running, "ProcessCrashError", f"ended its worker process ({reason}), twice.")
            )
        if not worker.ready:
            self._early_deaths += 1
            if self._early_deaths >= _STARTS:
                raise LoadError(
                    f"{self._job.flow}: the flow cannot be loaded: the worker process that loads it dies ({reason}).",
                    code="ProcessCrashError",
                )
        under_way = [line for line in worker.assigned.values() if line.index in running]
        if worker.alone:
            under_way = list(worker.assigned.values())
            for line in under_way:
                said = f"Line {line.index}: its worker process died ({reason}), also when it ran the line alone."
                self._fail(line, Failure("ProcessCrashError", said))
        else:
            # Where it was running nothing the first line may have been its death, before it had even begun.
            under_way = under_way or list(worker.assigned.values())[:1]
            self._backlog.suspect(_again(line) for line in under_way)
        begun = {line.index for line in under_way}
        self._backlog.give_back(line for line in worker.assigned.values() if line.index not in begun)
        self._replace(worker)

    def _look_after(self) -> None:
        """Find workers that will not come back by themselves."""
        now = time.monotonic()
        limit = self._job.line_timeout or math.inf
        for worker in list(self._workers):
            if worker.ended():
                # Its pipe says so too, unless a child of a tool holds it open; then what it said last is in there.
                while worker in self._workers and (arrived := worker.read()):
                    for kind, body in arrived:
                        self._result(worker, body) if kind == frames.RESULT else self._said(worker, kind, body)
                if worker in self._workers:
                    self._died(worker)
                continue
            if not worker.ready and now - worker.heard > max(_START_LIMIT, limit if limit < math.inf else 0.0):
                raise LoadError(
                    f"{self._job.flow}: the flow is not loaded after {now - worker.heard:.0f} seconds; look for what its"
                    " code does when it is imported.",
                    code="ProcessStartError",
                )
            self._look_for_stuck(worker, limit, now)

    def _look_for_stuck(self, worker: WorkerProcess, limit: float, now: float) -> None:
        if not worker.assigned and worker is not self._aggregator:
            return
        running = worker.slots.running()
        # Something that holds the interpreter (a long regular expression) keeps the worker from seeing its own clock.
        late = {index for index, spent in running.items() if spent > limit + _grace(limit)}
        if worker is not self._aggregator:
            late.intersection_update(worker.assigned)
        if late:
            # Of several only a run of each alone can tell which one it was.
            self._end_stuck(worker, late if len(running) == 1 or worker.alone else None)
        elif not running and now - worker.heard > _IDLE_LIMIT:
            worker.kill()
            self._died(worker)

    def _end_stuck(self, worker: WorkerProcess, guilty: set[int] | None) -> None:
        """Kill a worker in which nothing goes on; ``guilty`` lines fail, None puts all that were under way under suspicion."""
        running = worker.slots.running()
        worker.kill()
        limit = self._job.line_timeout or 0.0
        if worker is self._aggregator:
            said = f"execution timeout for exceeding {limit:g} seconds"
            self._aggregations.append(_failed(worker, running, "AggregationNodeExecutionTimeoutError", said))
        innocent: list[LineInput] = []
        for line in worker.assigned.values():
            if guilty is not None and line.index in guilty:
                said = f"Line {line.index} execution timeout for exceeding {limit:g} seconds"
                self._fail(line, Failure("LineExecutionTimeoutError", said), limit)
            elif guilty is None and line.index in running:
                self._backlog.suspect([_again(line)])
            else:
                innocent.append(_again(line) if line.index in running else line)
        self._backlog.give_back(innocent)
        self._replace(worker)

    def _fail(self, line: LineInput, failure: Failure, seconds: float = 0.0) -> None:
        frame = pack_failure(line, failure, self._encoder.encode, seconds)
        self._deliver(unpack_result(frame[frames.HEAD :]))

    def _start(self, concurrency: int, successor_of: WorkerProcess | None = None) -> None:
        worker = WorkerProcess(dataclasses.replace(self._job, concurrency=concurrency), successor_of)
        self._workers.append(worker)
        self._selector.register(worker.stdout, selectors.EVENT_READ, (worker, "out"))
        self._selector.register(worker.stderr, selectors.EVENT_READ, (worker, "err"))

    def _replace(self, worker: WorkerProcess) -> None:
        worker.assigned.clear()
        self._forget(worker)
        if not worker.retiring:
            self._start(worker.concurrency)

    def _forget(self, worker: WorkerProcess) -> None:
        for descriptor in (worker.stdin, worker.stdout, worker.stderr):
            with contextlib.suppress(KeyError):
                self._selector.unregister(descriptor)
        self._workers.remove(worker)
        worker.kill()
        worker.close()

    # After the lines

    def aggregate(
        self, inputs: Mapping[str, list[Any]], outputs: Mapping[str, list[Any]], lines: int, stop: Stop = never
    ) -> Aggregation:
        """Run the aggregation nodes in one worker; see ``runner.Session``."""
        self._backlog.close()
        try:
            body = json.dumps({"inputs": inputs, "outputs": outputs, "lines": lines}).encode()
            frames.pack(frames.AGGREGATE, body)
        except ValueError as error:
            raise PenstockError(f"The aggregation cannot be run: its columns are too large: {error}.") from error
        found = self._aggregate(body, stop)
        if _crashed(found):
            found = self._aggregate(body, stop)
        return found

    def _aggregate(self, body: bytes, stop: Stop) -> Aggregation:
        self._aggregations.clear()
        self._aggregator = self._ready_worker(stop)
        self._aggregator.send(frames.AGGREGATE, body)
        while not self._aggregations:
            stop()
            self._turn()
        self._aggregator = None
        return self._aggregations[0]

    def _ready_worker(self, stop: Stop) -> WorkerProcess:
        while True:
            for worker in self._workers:
                if worker.ready and not worker.retiring:
                    return worker
            stop()
            self._turn()

    def close(self) -> None:
        """End the workers."""
        idle = [worker for worker in self._workers if worker.ready and not worker.assigned and not worker.retiring]
        for worker in idle:
            worker.send(frames.FINISH)
        deadline = time.monotonic() + 2.0
        for worker in idle:
            while not worker.ended() and time.monotonic() < deadline:
                time.sleep(0.002)
        for worker in list(self._workers):
            self._forget(worker)
        self._selector.close()


def _again(line: LineInput) -> LineInput:
    return LineInput(line.index, line.values, line.folder, line.attempt + 1)


def _grace(limit: float) -> float:
    """How long after its own limit a worker that reports nothing is taken for stuck, in seconds."""
    return min(10.0, max(2.0, limit))


def _failed(worker: WorkerProcess, running: Mapping[int, float], kind: str, said: str) -> Aggregation:
    """The aggregation of a worker that did not survive the node it was running."""
    position, spent = next(iter(running.items()), (-1, 0.0))
    node = worker.aggregation.get(position, "")
    failure = Failure(kind, f"Aggregation node {node!r} {said}", node)
    return Aggregation((NodeRun(node, Status.FAILED, duration=spent, failure=failure),), ())


def _crashed(found: Aggregation) -> bool:
    return any(node.failure is not None and node.failure.kind == "ProcessCrashError" for node in found.nodes)


def _nowhere(line: object) -> None:
    raise AssertionError(f"{line} came while no run was under way")
