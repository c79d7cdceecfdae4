"""A worker process: ``python -m penstock.runners.worker SLOTS_FD COUNT``. Reads frames, runs lines, writes frames.

Lines of a flow of plain functions run in threads, one a line, without an event loop; lines of a flow that awaits anything run
as tasks of one loop. Either way a line that exceeds its time is reported at once and its thread abandoned; the worker then
says that it is tainted, and its parent replaces it when its other lines are done.
"""

from __future__ import annotations

import asyncio
import collections
import json
import os
import queue
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from penstock import plugins
from penstock.aio import background_loop, run_sync
from penstock.connections.redact import Redactor
from penstock.engine import capture
from penstock.engine.execute import execute
from penstock.engine.host import drive
from penstock.errors import PenstockError
from penstock.records import Failure, LineResult, Status
from penstock.runners import frames
from penstock.runners.job import Job
from penstock.runners.slots import Slots
from penstock.runners.workbench import Workbench, aggregation_json

_FLUSH_SECONDS = 0.005


class Output:
    """The way back to the parent: frames are collected for a moment, so that quick lines share one write."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()  # protects the order of whole frames on the stream
        self._dirty = threading.Event()
        threading.Thread(target=self._flush_often, name="penstock-flush", daemon=True).start()

    def send(self, frame: bytes, *, now: bool = False) -> None:
        """Write a frame; ``now`` has it leave at once."""
        try:
            with self._lock:
                self._stream.write(frame)
                if now:
                    self._stream.flush()
        except (BrokenPipeError, ValueError):
            # Nobody listens any more: the parent is gone, and so is every reason to go on.
            os._exit(1)
        if not now and not self._dirty.is_set():
            self._dirty.set()

    def _flush_often(self) -> None:
        while True:
            self._dirty.wait()
            time.sleep(_FLUSH_SECONDS)
            self._dirty.clear()
            self.send(b"", now=True)


class Worker:
    """Runs the lines of one job."""

    def __init__(self, bench: Workbench, slots: Slots, output: Output) -> None:
        self._bench = bench
        self._slots = slots
        self._output = output
        self._timeout = bench.job.line_timeout
        self._lines: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
        self._claims: dict[int, int] = {}
        self._claim_lock = threading.Lock()  # protects who reports a line: its thread or the watch
        self._free = list(range(slots.count))
        self._tainted = False
        self._pending: collections.deque[list[Any]] = collections.deque()
        self._pulling = 0
        # A task that nobody holds may be collected while it waits.
        self._tasks: set[asyncio.Task[None]] = set()

    # -- threads: flows that never await

    def start_threads(self) -> None:
        """Start one thread a slot; they wait for lines."""
        for _ in range(self._bench.job.concurrency):
            self._start_thread()
        if self._timeout:
            threading.Thread(target=self._watch, name="penstock-watch", daemon=True).start()

    def _start_thread(self) -> None:
        slot = self._free.pop()
        threading.Thread(target=self._thread, args=(slot,), name=f"penstock-line-{slot}", daemon=True).start()

    def _thread(self, slot: int) -> None:
        bench, slots, claims = self._bench, self._slots, self._claims
        program, host = bench.program, bench.thread_host
        while True:
            index, values, folder = self._lines.get()
            slots.begin(slot, index)
            claims[index] = slot
            path = Path(folder) if folder else None
            result: LineResult = drive(execute(program, values, host, index=index, folder=path))
            frame = bench.pack(result)
            with self._claim_lock:
                mine = claims.pop(index, None) is not None
            if not mine:
                # The watch gave this line up and let another thread take this one's place.
                return
            slots.end(slot)
            self._output.send(frame, now=self._lines.empty())

    def _watch(self) -> None:
        assert self._timeout is not None
        while True:
            time.sleep(min(0.5, self._timeout / 5))
            for index, seconds in self._slots.running().items():
                if seconds > self._timeout:
                    with self._claim_lock:
                        slot = self._claims.pop(index, None)
                    if slot is not None:
                        self._give_up(index, slot)

    def _give_up(self, index: int, slot: int) -> None:
        self._taint()
        self._slots.end(slot)
        self._output.send(self._bench.pack(self._timed_out(index)), now=True)
        if self._free:
            self._start_thread()

    # -- one loop: flows that await

    async def _pull(self) -> None:
        """Run pending lines one after the other; as many of these tasks run as lines may be in flight."""
        while self._pending:
            index, values, folder = self._pending.popleft()
            slot = self._free.pop()
            self._slots.begin(slot, index)
            frame = await self._line(index, values, folder)
            self._slots.end(slot)
            self._free.append(slot)
            self._output.send(frame, now=not self._pending)
        self._pulling -= 1

    async def _line(self, index: int, values: dict[str, Any], folder: str | None) -> bytes:
        path = Path(folder) if folder else None
        work = execute(self._bench.program, values, self._bench.loop_host, index=index, folder=path)
        try:
            result = await asyncio.wait_for(work, self._timeout)
        except TimeoutError:
            # A coroutine was cancelled; a function that blocks a thread cannot be.
            self._taint()
            result = self._timed_out(index)
        return self._bench.pack(result)

    # -- both

    def submit(self, lines: list[list[Any]]) -> None:
        """Run these lines."""
        if self._bench.program.blocking:
            for line in lines:
                self._lines.put(line)
            return
        loop = background_loop()
        loop.call_soon_threadsafe(self._begin, loop, lines)

    def _begin(self, loop: asyncio.AbstractEventLoop, lines: list[list[Any]]) -> None:
        self._pending.extend(lines)
        for _ in range(min(len(lines), self._bench.job.concurrency - self._pulling)):
            self._pulling += 1
            task = loop.create_task(self._pull())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _taint(self) -> None:
        if not self._tainted:
            self._tainted = True
            self._output.send(frames.pack(frames.TAINTED, b""), now=True)

    def _timed_out(self, index: int) -> LineResult:
        assert self._timeout is not None
        seconds = f"{self._timeout:g}"
        failure = Failure(
            "LineExecutionTimeoutError", f"Line {index} execution timeout for exceeding {seconds} seconds"
        )
        now = time.time()
        return LineResult(
            index, Status.FAILED, None, None, failure, (), started=now - self._timeout, duration=self._timeout
        )


def main() -> None:
    """Serve frames until the parent closes the pipe."""
    source, target = _private_streams()
    slots = Slots(int(sys.argv[1]), int(sys.argv[2]))
    output = Output(target)
    first = frames.read(source)
    if first is None:
        return
    job = Job.from_json(json.loads(first[1]))
    _prepare(job)
    pool = ThreadPoolExecutor(max(4, job.concurrency * max(1, job.node_concurrency - 1)), "penstock-node")
    try:
        bench = Workbench(job, pool)
    except PenstockError as error:
        refusal = {"code": error.code, "message": Redactor(job.secrets).text(error.message)}
        output.send(frames.pack(frames.REFUSED, json.dumps(refusal).encode()), now=True)
        return
    worker = Worker(bench, slots, output)
    if bench.program.blocking:
        worker.start_threads()
    output.send(frames.pack(frames.READY, b""), now=True)
    _serve(source, worker, bench, output)


def _serve(source: BinaryIO, worker: Worker, bench: Workbench, output: Output) -> None:
    while (frame := frames.read(source)) is not None:
        kind, body = frame
        if kind == frames.LINES:
            worker.submit(json.loads(body))
        elif kind == frames.AGGREGATE:
            data = json.loads(body)
            found = run_sync(bench.aggregate(data["inputs"], data["outputs"], data["lines"]))
            output.send(frames.pack(frames.AGGREGATED, aggregation_json(found, bench.encoder)), now=True)
        elif kind == frames.FINISH:
            run_sync(bench.models.close())
            break
    # Threads of user code that still run must not keep the process alive.
    output.send(b"", now=True)
    os._exit(0)


def _private_streams() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the parent, out of reach of user code: it finds an empty stdin, and its stdout is our stderr."""
    source = os.fdopen(os.dup(0), "rb", 1 << 16)
    target = os.fdopen(os.dup(1), "wb", 1 << 16)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return source, target


def _prepare(job: Job) -> None:
    if job.memory:
        import resource  # not on every platform

        resource.setrlimit(resource.RLIMIT_AS, (job.memory, job.memory))
    folder = str(Path(job.flow).parent)
    os.environ.update(job.environment)
    os.chdir(folder)
    sys.path.insert(0, folder)
    capture.install()
    for hook in plugins.names("import_hook"):
        # For the life of this process: nothing but this flow's code runs in it.
        plugins.load("import_hook", hook)().__enter__()


if __name__ == "__main__":
    main()
