"""Where the lines of one process run: in threads, one a line, or as tasks of one event loop.

Flows of plain functions get threads and no event loop at all; flows that await anything get the loop. Either way a line that
exceeds its time is reported at once. Its coroutine is cancelled; its thread can only be left alone.
"""

from __future__ import annotations

import asyncio
import collections
import queue
import threading
from pathlib import Path
from typing import Any, Protocol

from penstock.aio import background_loop
from penstock.engine.execute import execute
from penstock.engine.failure import failure_of
from penstock.engine.host import drive
from penstock.records import Failure
from penstock.runners.runner import LineInput
from penstock.runners.slots import Slots
from penstock.runners.workbench import Workbench

# How long the event loop may leave a line that is over its time unreported, in seconds, before something is taken to block it.
_BLOCKED = 0.5
# How long a cancelled line may take to clean up.
_CLEANUP = 0.25
# How often in a row a task that cannot be told must be found running before it counts as blocking.
_LOOKS = 4


class Sink(Protocol):
    """Takes what lanes report, from any thread."""

    def finished(self, frame: bytes) -> None:
        """A line's result."""

    def tainted(self) -> None:
        """A thread or task was left behind that may never end."""

    def stuck(self, index: int | None) -> None:
        """No line can go on: one, ``index`` where it is known, has blocked the event loop for longer than a line may take."""


class Lanes(Protocol):
    """Runs lines, as many at once as the job says."""

    def submit(self, lines: list[LineInput]) -> None:
        """Run these lines, later if there is no room."""

    def recall(self) -> list[int]:
        """Numbers of the lines that had not begun; they do not run any more."""

    def close(self) -> None:
        """Let idle threads go; lines under way are left alone."""


def timed_out(index: int, seconds: float) -> Failure:
    """Why a line that took too long failed."""
    return Failure("LineExecutionTimeoutError", f"Line {index} execution timeout for exceeding {seconds:g} seconds")


def open_lanes(bench: Workbench, slots: Slots, sink: Sink) -> Lanes:
    """The lanes that the flow of ``bench`` needs."""
    kind = ThreadLanes if bench.program.blocking else LoopLanes
    return kind(bench, slots, sink)


class ThreadLanes:
    """Threads: flows that never await. Where there are spare slots, a thread that is left behind gets a successor."""

    def __init__(self, bench: Workbench, slots: Slots, sink: Sink) -> None:
        self._bench = bench
        self._slots = slots
        self._sink = sink
        self._timeout = bench.job.line_timeout
        # None sends a thread home.
        self._lines: queue.SimpleQueue[LineInput | None] = queue.SimpleQueue()
        self._claims: dict[int, tuple[int, LineInput]] = {}
        self._claim_lock = threading.Lock()  # protects who reports a line: its thread or the watch
        self._free = list(range(slots.count))
        self._closed = threading.Event()  # ends the watch
        for _ in range(bench.job.concurrency):
            self._start()
        if self._timeout:
            threading.Thread(target=self._watch, args=(self._timeout,), name="penstock-watch", daemon=True).start()

    def submit(self, lines: list[LineInput]) -> None:
        """See ``Lanes``."""
        for line in lines:
            self._lines.put(line)

    def recall(self) -> list[int]:
        """See ``Lanes``."""
        found: list[int] = []
        while True:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                return found
            if line is not None:
                found.append(line.index)

    def close(self) -> None:
        """See ``Lanes``."""
        self._closed.set()
        for _ in range(self._slots.count):
            self._lines.put(None)

    def _start(self) -> None:
        slot = self._free.pop()
        threading.Thread(target=self._thread, args=(slot,), name=f"penstock-line-{slot}", daemon=True).start()

    def _thread(self, slot: int) -> None:
        slots, claims = self._slots, self._claims
        while True:
            line = self._lines.get()
            if line is None:
                return
            slots.begin(slot, line.index)
            claims[line.index] = slot, line
            frame = self._run(line)
            with self._claim_lock:
                mine = claims.pop(line.index, None) is not None
            if not mine:
                # The watch gave this line up, and this thread with it.
                return
            # In this order: a line whose result is on its way must not look as if it had not begun.
            self._sink.finished(frame)
            slots.end(slot)

    def _run(self, line: LineInput) -> bytes:
        bench = self._bench
        try:
            work = execute(bench.program, line.values, bench.thread_host, index=line.index, folder=_folder(line))
            return bench.pack(drive(work), line.attempt)
        except BaseException as error:
            # Nothing that a line does may end its thread without a word.
            return bench.pack_failure(line, failure_of(error, None, bench.redactor))

    def _watch(self, limit: float) -> None:
        while not self._closed.wait(min(0.5, limit / 5)):
            for index, seconds in self._slots.running().items():
                if seconds > limit:
                    with self._claim_lock:
                        claim = self._claims.pop(index, None)
                    if claim is not None:
                        self._give_up(*claim, limit)

    def _give_up(self, slot: int, line: LineInput, limit: float) -> None:
        self._sink.tainted()
        self._sink.finished(self._bench.pack_failure(line, timed_out(line.index, limit), limit))
        self._slots.end(slot)
        if self._free:
            self._start()


class LoopLanes:
    """Tasks of the background loop: flows that await."""

    def __init__(self, bench: Workbench, slots: Slots, sink: Sink) -> None:
        self._bench = bench
        self._slots = slots
        self._sink = sink
        self._timeout = bench.job.line_timeout
        self._loop = background_loop()
        self._free = list(range(slots.count))
        self._pending: collections.deque[LineInput] = collections.deque()
        self._pulling = 0
        self._closed = threading.Event()  # ends the watch
        # A task that nobody holds may be collected while it waits.
        self._tasks: set[asyncio.Task[None]] = set()
        steps = bench.program.steps[: bench.program.line_steps]
        self._threads = any(step.bound.mode == "thread" for step in steps)
        if self._timeout:
            threading.Thread(target=self._watch, args=(self._timeout,), name="penstock-watch", daemon=True).start()

    def submit(self, lines: list[LineInput]) -> None:
        """See ``Lanes``."""
        self._pending.extend(lines)
        self._loop.call_soon_threadsafe(self._begin)

    def recall(self) -> list[int]:
        """See ``Lanes``."""
        found: list[int] = []
        while True:
            try:
                found.append(self._pending.popleft().index)
            except IndexError:
                return found

    def close(self) -> None:
        """See ``Lanes``."""
        self._closed.set()

    def _begin(self) -> None:
        for _ in range(min(len(self._pending), self._bench.job.concurrency - self._pulling)):
            self._pulling += 1
            task = self._loop.create_task(self._pull())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pull(self) -> None:
        """Run pending lines one after the other; as many of these tasks run as lines may be in flight."""
        while True:
            try:
                line = self._pending.popleft()
            except IndexError:
                break
            slot = self._free.pop()
            self._slots.begin(slot, line.index)
            frame = await self._line(line)
            self._sink.finished(frame)
            self._slots.end(slot)
            self._free.append(slot)
        self._pulling -= 1

    async def _line(self, line: LineInput) -> bytes:
        bench = self._bench
        work = execute(bench.program, line.values, bench.loop_host, index=line.index, folder=_folder(line))
        task = self._loop.create_task(work, name=f"line {line.index}")
        if not await self._wait(task):
            return await self._give_up(task, line)
        try:
            return bench.pack(task.result(), line.attempt)
        except BaseException as error:
            return bench.pack_failure(line, failure_of(error, None, bench.redactor))

    async def _wait(self, task: asyncio.Task[Any]) -> bool:
        while True:
            try:
                # Not wait_for, which would wait on for a line that does not let itself be cancelled.
                done, _ = await asyncio.wait({task}, timeout=self._timeout)
            except asyncio.CancelledError:
                continue  # a tool that cancels every task it finds means its own
            return bool(done)

    async def _give_up(self, task: asyncio.Task[Any], line: LineInput) -> bytes:
        limit = self._timeout or 0.0
        task.add_done_callback(_look_at)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=_CLEANUP)
        # A coroutine ends when it is cancelled, unless it will not; a thread that it waited for goes on.
        if self._threads or not done:
            self._sink.tainted()
        return self._bench.pack_failure(line, timed_out(line.index, limit), limit)

    def _watch(self, limit: float) -> None:
        """A coroutine that calls something that blocks stops every line here, and the clock that would end it."""
        unknown = 0
        while not self._closed.wait(min(0.5, limit / 5)):
            running = self._slots.running()
            late = any(seconds > limit + _CLEANUP + _BLOCKED for seconds in running.values())
            task = asyncio.current_task(self._loop) if late else None
            index = _index(task.get_name()) if task else None
            # A task of the flow's own making has no line's name; so have ours, but never for long.
            unknown = unknown + 1 if task and index is None else 0
            if unknown >= _LOOKS or (index is not None and running.get(index, 0.0) > limit):
                self._sink.stuck(index)


def _index(name: str) -> int | None:
    word, _, number = name.partition(" ")
    return int(number) if word == "line" and number.isdecimal() else None


def _look_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


def _folder(line: LineInput) -> Path | None:
    return Path(line.folder) if line.folder else None
