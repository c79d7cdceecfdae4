"""One worker process as its parent sees it: its pipes, the lines it was given, and what it said last."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque

from penstock.connections.redact import Redactor
from penstock.runners import frames
from penstock.runners.job import Job
from penstock.runners.runner import LineInput
from penstock.runners.slots import Slots

_KEEP_STDERR = 65_536
# A pipe takes at least this much without blocking when it is empty.
_PIPE = 1 << 20


class WorkerProcess:
    """A spawned worker. Reading and writing never block; ``ProcessSession`` waits for all workers at once."""

    def __init__(self, job: Job) -> None:
        # Twice the slots: a line that timed out keeps its own until its thread ends, which may be never.
        self.slots = Slots.create(job.concurrency * 2)
        self.assigned: dict[int, LineInput] = {}
        self.ready = False
        # Of what it says nothing is cut before the secrets are out.
        self._redactor = Redactor(job.secrets)
        self.tainted = False
        self.quarantine = False
        self.born = time.monotonic()
        self._stderr: deque[bytes] = deque()
        self._stderr_size = 0
        self._outgoing = bytearray()
        self._splitter = frames.Splitter()
        self.process = subprocess.Popen(
            [
                sys.executable, "-P", "-X", "faulthandler", "-m", "penstock.runners.worker",
                str(self.slots.descriptor), str(self.slots.count),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(self.slots.descriptor,),
            bufsize=0,
            # Ctrl-C is for the parent, which ends its workers in its own way.
            start_new_session=True,
        )  # fmt: skip
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self.stdin = self.process.stdin.fileno()
        self.stdout = self.process.stdout.fileno()
        self.stderr = self.process.stderr.fileno()
        for descriptor in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(descriptor, False)
        self.send(frames.JOB, json.dumps(job.to_json()).encode())

    def send(self, kind: int, body: bytes) -> None:
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
            except (BrokenPipeError, OSError):
                self._outgoing.clear()
                return
            del self._outgoing[:written]

    @property
    def backlog(self) -> bool:
        """Whether bytes are waiting for room in the pipe."""
        return bool(self._outgoing)

    def read(self) -> list[tuple[int, bytes]] | None:
        """Frames that have arrived; None when the worker closed its end."""
        found: list[tuple[int, bytes]] = []
        for _ in range(16):
            try:
                data = os.read(self.stdout, _PIPE)
            except BlockingIOError:
                return found
            if not data:
                return found or None
            found.extend(self._splitter.feed(data))
            if len(data) < 4096:
                return found
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

    def assign(self, lines: list[LineInput]) -> None:
        """Give the worker lines."""
        for line in lines:
            self.assigned[line.index] = line
        body = json.dumps([[line.index, line.values, line.folder] for line in lines], default=str)
        self.send(frames.LINES, body.encode("utf-8", "surrogatepass"))

    def last_words(self) -> str:
        """How the process ended and the end of what it said."""
        try:
            code = self.process.wait(5)
        except subprocess.TimeoutExpired:
            code = None
        said = self._redactor.text(b"".join(self._stderr).decode("utf-8", "replace").strip())
        how = f"exit code {code}" if code is None or code >= 0 else f"signal {_signal_name(-code)}"
        return f"{how}{'; it said last: ' + said[-500:] if said else ''}"

    def kill(self) -> None:
        """End it now, and what it started in its session."""
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


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
