"""The only bridge between sync and async: one event loop in one background thread, shared by all who need to wait for it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()  # protects the creation of the loop, nothing else
_loop: asyncio.AbstractEventLoop | None = None


def background_loop() -> asyncio.AbstractEventLoop:
    """The event loop of this process, running in a daemon thread; made on first use."""
    global _loop
    with _lock:
        if _loop is None:
            loop = asyncio.new_event_loop()
            threading.Thread(target=_spin, args=(loop,), name="penstock-loop", daemon=True).start()
            _loop = loop
        return _loop


def _spin(loop: asyncio.AbstractEventLoop) -> None:
    # Some task of user code may stop the loop, or leave through it; that ends the task, not everybody's loop.
    while not loop.is_closed():
        with contextlib.suppress(SystemExit, KeyboardInterrupt):
            loop.run_forever()


def submit(coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Start ``coroutine`` on the background loop."""
    return asyncio.run_coroutine_threadsafe(coroutine, background_loop())


def run_sync(coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
    """Wait, in a thread that is not the loop's own, for ``coroutine`` and return its result.

    Raises:
        RuntimeError: Called on the background loop's own thread, where it would wait for ever.
        TimeoutError: Not done after ``timeout`` seconds; the coroutine is cancelled.
    """
    if threading.current_thread().name == "penstock-loop":
        coroutine.close()
        raise RuntimeError("run_sync was called on the event loop's own thread; await the coroutine instead.")
    future = submit(coroutine)
    try:
        return future.result(timeout)
    except BaseException:
        future.cancel()
        raise
