"""One worker process as its parent sees it: its pipes, the lines it was given, and what it said last."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from typing import Self

from penstock.connections.redact import Redactor
from penstock.environments.environment import interpreter_command, interpreter_variables
from penstock.errors import PenstockError
from penstock.runners import frames
from penstock.runners.job import Job
from penstock.runners.runner import LineInput
from penstock.runners.slots import Slots

_KEEP_STDERR = 65_536
# A pipe of the usual size takes a result of 1 MB in sixteen turns of the wheel; this one in one.
_PIPE = 1 << 20
# Frames that are taken at a time, so that those of several workers take turns and none pile up here.
_FRAMES = 256
# How long a process whose pipe is closed may take to end, in seconds.
_ENDING = 2.0
_FRAME = re.compile(r'File "(?!<)(.+?)", line (\d+) in (.+)')


class WorkerProcess:
    """A spawned worker. Reading and writing never block; ``ProcessSession`` waits for all workers at once.

    Attributes:
        concurrency: Lines that it runs at once.
        assigned: Lines that it was given and has not finished, in the order in which it got them.
        ready: Whether it has bound the flow.
        retiring: Whether it takes no more lines, because a line was left behind in it.
        alone: Whether it is running one line alone that was under way in a worker that died.
        successor_of: The retiring worker whose place it takes.
        heard: When it last began to be, got lines or said something, on the monotonic clock.
        aggregation: Names of the flow's aggregation nodes by position, once it is ready.
    """

    def __init__(self, job: Job, successor_of: Self | None = None) -> None:
        self.concurrency = job.concurrency
        self.slots = Slots.create(job.concurrency)
        self.assigned: dict[int, LineInput] = {}
        self.ready = False
        self.retiring = False
        self.alone = False
        self.successor_of = successor_of
        self.heard = time.monotonic()
        self.aggregation: dict[int, str] = {}
        # Of what it says nothing is cut before the secrets are out.
        self._redactor = Redactor(job.secrets)
        self._folder = os.path.dirname(job.flow)
        self._stderr: deque[bytes] = deque()
        self._stderr_size = 0
        self._outgoing = bytearray()
        self._splitter = frames.Splitter()
        try:
            self.process = _spawn(self.slots, job.interpreter)
        except OSError as error:
            self.slots.close()
            raise PenstockError(
                f"A worker process cannot be started: {error.strerror}; use fewer with --workers.",
                code="ProcessStartError",
            ) from error
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self.stdin = self.process.stdin.fileno()
        self.stdout = self.process.stdout.fileno()
        self.stderr = self.process.stderr.fileno()
        for descriptor in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(descriptor, False)
        self.send(frames.JOB, json.dumps(job.to_json()).encode())

    # What it is told

    def send(self, kind: int, body: bytes = b"") -> None:
        """Queue a frame and write what the pipe takes."""
        self._outgoing += frames.pack(kind, body)
        self.write()

    def write(self) -> None:
        """Write what the pipe takes of what is queued; a dead worker's share is dropped (its death is seen elsewhere)."""
        while self._outgoing:
            try:
                written = os.write(self.stdin, self._outgoing[:_PIPE])
            except BlockingIOError:
                return
            except OSError:
                self._outgoing.clear()
                return
            del self._outgoing[:written]

    @property
    def backlog(self) -> bool:
        """Whether bytes are waiting for room in the pipe."""
        return bool(self._outgoing)

    def assign(self, lines: list[LineInput]) -> None:
        """Give the worker lines.

        Raises:
            TypeError, ValueError, RecursionError: They cannot be said in JSON; none of them is assigned.
        """
        items = [[line.index, line.values, line.folder, line.attempt] for line in lines]
        body = json.dumps(items, default=str).encode()
        frame = frames.pack(frames.LINES, body)
        for line in lines:
            self.assigned[line.index] = line
        self.heard = time.monotonic()
        self._outgoing += frame
        self.write()

    # What it says

    def read(self) -> list[tuple[int, bytes]] | None:
        """Frames that have arrived; None when the worker closed its end, or wrote what is no frame."""
        found: list[tuple[int, bytes]] = []
        while len(found) < _FRAMES:
            try:
                data = os.read(self.stdout, _PIPE)
            except BlockingIOError:
                break
            if not data:
                return found or None
            self.heard = time.monotonic()
            try:
                found.extend(self._splitter.feed(data))
            except frames.BrokenTalk:
                self.kill()
                return None
            if len(data) < _PIPE:
                break
        return found

    def read_stderr(self) -> bool:
        """Keep the end of what the worker prints outside its nodes; False at the end of the stream."""
        try:
            data = os.read(self.stderr, 65_536)
        except BlockingIOError:
            return True
        self._stderr.append(data)
        self._stderr_size += len(data)
        while self._stderr_size > _KEEP_STDERR and len(self._stderr) > 1:
            self._stderr_size -= len(self._stderr.popleft())
        return bool(data)

    # How it ends

    def ended(self) -> bool:
        """Whether the process is dead; a pipe alone does not tell, since a child of a tool may hold it open."""
        if hasattr(os, "waitid"):
            # Seen, not buried: until ``close`` the number stays its own, and nobody else's group can be hit by ``kill``.
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            with contextlib.suppress(ChildProcessError):
                return os.waitid(os.P_PID, self.process.pid, flags) is not None
        return self.process.poll() is not None

    def last_words(self) -> str:
        """How the process ended and the end of what it said; one that does not end is killed first."""
        deadline = time.monotonic() + _ENDING
        while not self.ended() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.kill()
        code = self.process.wait()
        for _ in range(4):  # what a pipe can still hold
            self.read_stderr()
        said = self._redactor.text(b"".join(self._stderr).decode("utf-8", "replace").strip())
        how = f"exit code {code}" if code >= 0 else f"signal {_signal_name(-code)}"
        return f"{how}{_told(said, self._folder)}"

    def kill(self) -> None:
        """End it now, and what it started in its session."""
        if self.process.returncode is not None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self.process.kill()

    def close(self) -> None:
        """Free the pipes and the slots of an ended worker."""
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        self.slots.close()


def _spawn(slots: Slots, interpreter: str | None) -> subprocess.Popen[bytes]:
    command = interpreter_command(interpreter or sys.executable, "penstock.runners.worker")
    process = subprocess.Popen(
        [*command, str(slots.descriptor), str(slots.count), str(os.getpid())],
        env=None if interpreter is None else interpreter_variables(interpreter, os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(slots.descriptor,),
        bufsize=0,
        # Ctrl-C is for the parent, which ends its workers in its own way.
        start_new_session=True,
    )
    if sys.platform == "linux":
        import fcntl  # not on every platform

        for stream in filter(None, (process.stdin, process.stdout)):
            with contextlib.suppress(OSError):  # the user's share of pipe memory is used up: then a small one
                fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE)
    return process


def _told(said: str, folder: str) -> str:
    """The part of a worker's last words that a reader can use: where the interpreter crashed, or the last line."""
    if not said:
        return ""
    if "Fatal Python error:" in said:
        crash = said[said.rindex("Fatal Python error:") :]
        what = crash.partition("\n")[0].removeprefix("Fatal Python error:").strip()
        calls = _FRAME.findall(crash.partition("Current thread")[2])
        own = next((frame for frame in calls if frame[0].startswith(folder)), None) or next(iter(calls), None)
        return f": {what}" + (f" in {own[2]} ({own[0]}:{own[1]})" if own else "")
    return f"; it said last: {said.rpartition(chr(10))[2][-500:]}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
