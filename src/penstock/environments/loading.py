"""Processes that import a flow's code for a moment, to say what is in it: they run in the flow's own interpreter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from penstock.environments.environment import interpreter_command, interpreter_variables

_python: ContextVar[str | None] = ContextVar("penstock_flow_python", default=None)

_LARGEST = 100_000_000  # bytes of an answer
_KEPT = 4_000  # bytes of what a process said last


@dataclass(frozen=True, slots=True)
class Told:
    """What a process told: its answer, None where that is no JSON map; how it ended; the end of what it said besides."""

    answer: dict[str, Any] | None
    code: int
    said: str


@contextmanager
def loading_in(python: Path | None) -> Generator[None]:
    """Within this block flows are described by the interpreter ``python``; None means this one."""
    token = _python.set(None if python is None else str(python))
    try:
        yield
    finally:
        _python.reset(token)


def loader_command(part: str) -> list[str]:
    """The command that runs a part of Penstock that imports flow code, by its module's name."""
    return interpreter_command(_python.get() or sys.executable, part)


def loader_variables() -> dict[str, str]:
    """The variables of such a process."""
    python = _python.get()
    variables = dict(os.environ) if python is None else interpreter_variables(python, os.environ)
    return {**variables, "PYTHONIOENCODING": "utf-8"}


def ask_loader(
    part: str, arguments: Sequence[str] = (), *, request: bytes = b"", cwd: Path | None = None, seconds: float
) -> Told:
    """Run a part of Penstock that imports flow code, until it ends; whatever that code started ends with it.

    Raises:
        TimeoutError: It takes longer than ``seconds``.
    """
    with tempfile.TemporaryFile() as given:
        given.write(request)
        given.seek(0)
        process = subprocess.Popen(
            [*loader_command(part), *arguments],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=loader_variables(),
            start_new_session=True,
        )
    out, err = _Reader(process.stdout, _LARGEST), _Reader(process.stderr, _KEPT, last=True)
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{part} takes longer than {seconds} s") from error
    finally:
        _end(process)
        text, said = out.read(), err.read()
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    return Told(answer if isinstance(answer, dict) else None, code, said.decode(errors="replace").strip())


class _Reader:
    """Reads a pipe to its end in a thread of its own, and keeps the first or the last ``most`` bytes."""

    def __init__(self, pipe: IO[bytes] | None, most: int, *, last: bool = False) -> None:
        assert pipe is not None, "the process has one"
        self._pipe, self._most, self._last = pipe, most, last
        self._kept = b""
        self._thread = threading.Thread(target=self._run, name="penstock-loader", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        kept = bytearray()
        with self._pipe:
            while piece := os.read(self._pipe.fileno(), 65536):
                if self._last:
                    kept = (kept + piece)[-self._most :]
                elif len(kept) <= self._most:
                    kept += piece
                self._kept = bytes(kept) if self._last else b""
        self._kept = bytes(kept)

    def read(self) -> bytes:
        """What was kept. A process that left its group may hold the pipe for ever; it is not waited for."""
        self._thread.join(5.0)
        return self._kept


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
