"""One writer a run: a lock on the run's folder that dies with its owner."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from penstock.errors import StoreError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_FILE = "lock"
# Whoever asks "is it alive?" holds the lock for microseconds; a writer waits that out before it gives up.
_PATIENCE = 0.25


@dataclass(frozen=True, slots=True)
class Owner:
    """Who wrote the lock file last. ``alive`` is None where the owner is on another machine and cannot be asked."""

    pid: int
    host: str
    alive: bool | None


class FolderLock:
    """An exclusive lock on a folder, released by ``release`` or by the death of the process, never left behind.

    The lock is the operating system's (``flock``), not the file's content: the content only says who.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / _FILE
        self._fd: int | None = None

    def acquire(self, *, wait: float = _PATIENCE) -> None:
        """Take the lock, waiting up to ``wait`` seconds.

        Raises:
            StoreError: Another process (or another journal of this one) holds it, or the folder cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be written: {error.strerror}.") from error
        deadline = time.monotonic() + wait
        while not _try(fd):
            if time.monotonic() >= deadline:
                os.close(fd)
                raise StoreError(f"{self.path.parent} is being written by {_who(self.path)}; wait for it, or stop it.")
            time.sleep(0.005)
        who = json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode()
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, who, 0) if sys.platform != "win32" else os.write(fd, who)
        except OSError:
            pass  # a full disk must not stop the owner from taking its lock; only the name in the message is lost
        self._fd = fd

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def owner_of(folder: Path) -> Owner | None:
    """Who holds, or last held, the lock of ``folder``; None where nobody ever locked it."""
    path = folder / _FILE
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        free = _try(fd)
        pid, host = _written(path)
    finally:
        os.close(fd)
    here = not host or host == socket.gethostname()
    # A free lock on another machine's file proves nothing where the network file system does not carry locks.
    return Owner(pid, host, (not free) if here else (None if free else True))


def _try(fd: int) -> bool:
    try:
        if sys.platform == "win32":
            os.lseek(fd, 1 << 20, os.SEEK_SET)  # a byte past the content, so that others may still read who owns it
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
            os.lseek(fd, 0, os.SEEK_SET)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _written(path: Path) -> tuple[int, str]:
    try:
        data = json.loads(path.read_bytes())
        return int(data["pid"]), str(data["host"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0, ""


def _who(path: Path) -> str:
    pid, host = _written(path)
    if not pid:
        return "another process"
    return f"process {pid}" + (f" on {host}" if host != socket.gethostname() else "")
