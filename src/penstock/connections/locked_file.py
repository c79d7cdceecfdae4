"""Files that two processes may write at once and that a crash never leaves half written."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from penstock.errors import StoreError

WAIT = 30.0  # seconds


@contextmanager
def locked(path: Path, wait: float = WAIT) -> Generator[int, None, None]:
    """Holds the lock file at ``path`` (made with its folder if need be) against other threads and processes.

    Gives its descriptor, which a child process may keep open to hold the lock on.

    Raises:
        StoreError: Somebody else holds it for ``wait`` seconds, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"{path}: cannot be opened: {error.strerror}.") from error
    try:
        give_up = time.monotonic() + wait
        while not _try_lock(handle):
            if time.monotonic() > give_up:
                raise StoreError(
                    f"{path}: another process has held this lock for {wait:g} s; try again when it is done."
                )
            time.sleep(0.01)
        yield handle
    finally:
        os.close(handle)  # gives the lock back


def replace_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put ``data`` at ``path``, all or nothing, safe on the disk when this returns.

    Raises:
        StoreError: It cannot be written; what was at ``path`` is still there.
    """
    beside = path.with_name(f"{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}; nothing was changed.") from error


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # folders cannot be opened there; the rename is durable by itself
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
