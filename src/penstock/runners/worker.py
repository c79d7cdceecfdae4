"""A worker process: ``python -m penstock.runners.worker SLOTS_FD COUNT PARENT``. Reads frames, runs lines, writes frames.

Once a line was left behind in it (a thread that hangs cannot be ended) the worker says that it is tainted, gives back the lines
that it has not begun, and finishes the others; its parent puts another in its place.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from penstock import plugins
from penstock.aio import run_sync
from penstock.connections.redact import Redactor
from penstock.engine import capture
from penstock.errors import PenstockError
from penstock.runners import frames
from penstock.runners.job import Job
from penstock.runners.lanes import Lanes, open_lanes
from penstock.runners.runner import LineInput
from penstock.runners.slots import Slots
from penstock.runners.workbench import Workbench
from penstock.tools.builtin.session import adopt
from penstock.tools.shadows import import_first

# A slice of a large frame is copied before it is written.
_PIECE = 1 << 20


class Output:
    """The way back to the parent. Nothing is held back: what a line did must be known even if the next one ends the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()  # protects the order of whole frames in the pipe

    def send(self, frame: bytes) -> None:
        """Write a frame, waiting where the pipe is full."""
        try:
            with self._lock:
                done = os.write(self._descriptor, frame)
                while done < len(frame):
                    done += os.write(self._descriptor, frame[done : done + _PIECE])
        except OSError:
            # Nobody listens any more, or user code closed the pipe: either way no result can be told.
            os._exit(1)


class Reporter:
    """What the lanes of this worker report, as frames to the parent."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lanes: Lanes | None = None
        self._retired = False
        self._lock = threading.Lock()  # protects that no line is submitted after the worker retired

    def begin(self, lanes: Lanes) -> None:
        """Report for ``lanes`` from now on."""
        self._lanes = lanes

    def submit(self, lines: list[LineInput]) -> None:
        """Run these lines, or give them back."""
        with self._lock:
            if self._lanes is not None and not self._retired:
                self._lanes.submit(lines)
                return
        self._return([line.index for line in lines])

    def recall(self) -> None:
        """Give back what has not begun."""
        if self._lanes is not None:
            self._return(self._lanes.recall())

    def finished(self, frame: bytes) -> None:
        """See ``lanes.Sink``."""
        self._output.send(frame)

    def tainted(self) -> None:
        """See ``lanes.Sink``."""
        with self._lock:
            if self._retired:
                return
            self._retired = True
        self._output.send(frames.pack(frames.TAINTED, b""))
        self.recall()

    def stuck(self, index: int | None) -> None:
        """See ``lanes.Sink``."""
        self._output.send(frames.pack(frames.STUCK, json.dumps(index).encode()))

    def _return(self, indexes: list[int]) -> None:
        self._output.send(frames.pack(frames.RETURNED, json.dumps(indexes).encode()))


def main() -> None:
    """Serve frames until the parent closes the pipe."""
    _die_with(int(sys.argv[3]))
    source, target = _private_pipes()
    slots = Slots(int(sys.argv[1]), int(sys.argv[2]))
    output = Output(target)
    first = frames.read(source)
    if first is None:
        return
    job = Job.from_json(json.loads(first[1]))
    _prepare(job)
    pool = ThreadPoolExecutor(max(4, job.concurrency * job.node_concurrency), "penstock-node")
    reporter = Reporter(output)
    try:
        bench = Workbench(job, pool)
        adopt(bench.session)
        bench.bind()
        reporter.begin(open_lanes(bench, slots, reporter))
    except BaseException as error:
        _refuse(job, error, output)
        return
    ready = {"aggregation": bench.aggregation_nodes(), "closures": bench.closures}
    output.send(frames.pack(frames.READY, json.dumps(ready).encode()))
    _serve(source, reporter, bench, slots, output)


def _refuse(job: Job, error: BaseException, output: Output) -> None:
    if isinstance(error, PenstockError):
        code, message = error.code, error.message
    else:
        code, message = "InvalidFlow", f"{job.flow}: the flow cannot be loaded: ({type(error).__name__}) {error}"
    refusal = {"code": code, "message": Redactor(job.secrets).text(message)}
    output.send(frames.pack(frames.REFUSED, json.dumps(refusal).encode()))
    os._exit(2)


def _serve(source: BinaryIO, reporter: Reporter, bench: Workbench, slots: Slots, output: Output) -> None:
    while (frame := frames.read(source)) is not None:
        kind, body = frame
        if kind == frames.LINES:
            reporter.submit([LineInput(*item) for item in json.loads(body)])
        elif kind == frames.RECALL:
            reporter.recall()
        elif kind == frames.AGGREGATE:
            output.send(_aggregated(json.loads(body), bench, slots))
        elif kind == frames.FINISH:
            run_sync(bench.models.close())
            output.send(b"")
            # Threads of user code that still run must not keep the process alive.
            os._exit(0)
    # The parent is gone: so goes everything that tools started in this session.
    os.killpg(0, signal.SIGKILL)


def _aggregated(data: dict[str, Any], bench: Workbench, slots: Slots) -> bytes:
    # The first slot says which node is running, should it end this process.
    work = bench.aggregate(
        data["inputs"], data["outputs"], data["lines"], begins=lambda position: slots.begin(0, position)
    )
    body = run_sync(work)
    slots.end(0)
    return frames.pack(frames.AGGREGATED, body)


def _die_with(parent: int) -> None:
    """End this process when its parent ends, however it ends; a call that never gives up the interpreter ends too."""
    if sys.platform == "linux":
        import ctypes  # not needed elsewhere

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _private_pipes() -> tuple[BinaryIO, int]:
    """The pipes to the parent, out of reach of user code: it finds an empty stdin, and its stdout is our stderr."""
    source = os.fdopen(os.dup(0), "rb", 1 << 16)
    target = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)

    def let_go() -> None:
        # A child that a tool forks must neither report lines nor keep the pipe open after this process died.
        os.close(source.fileno())
        os.close(target)

    os.register_at_fork(after_in_child=let_go)
    return source, target


def _prepare(job: Job) -> None:
    if job.memory:
        import resource  # not on every platform

        resource.setrlimit(resource.RLIMIT_AS, (job.memory, job.memory))
    folder = str(Path(job.flow).parent)
    os.environ.update(job.environment)
    os.chdir(folder)
    import_first(Path(folder))
    sys.path.insert(0, folder)
    capture.install()
    for hook in plugins.names("import_hook"):
        # For the life of this process: nothing but this flow's code runs in it.
        plugins.load("import_hook", hook)().__enter__()


if __name__ == "__main__":
    main()
