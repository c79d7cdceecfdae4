"""The only bridge between sync and async: one event loop in one background thread, shared by all who need to wait for it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_NAME = "penstock-loop"
_lock = threading.Lock()  # protects the creation of the loops, nothing else
_loops: dict[str, asyncio.AbstractEventLoop] = {}


def background_loop(name: str = _NAME) -> asyncio.AbstractEventLoop:
    """The event loop of this process, running in a daemon thread; made on first use."""
    with _lock:
        loop = _loops.get(name)
        if loop is None:
            loop = _loops[name] = asyncio.new_event_loop()
            threading.Thread(target=_spin, args=(loop,), name=name, daemon=True).start()
        return loop


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
    if threading.current_thread().name == _NAME:
        coroutine.close()
        raise RuntimeError("run_sync was called on the event loop's own thread; await the coroutine instead.")
    return _result(submit(coroutine), timeout)


def run_beside(coroutine: Coroutine[Any, Any, T]) -> T:
    """As ``run_sync``, but also from coroutines: their loop stands still meanwhile, and the work is done on another one.

    For user code that calls from a coroutine what it should await.

    Raises:
        RuntimeError: Called from the work itself.
    """
    here = threading.current_thread().name
    if here == f"{_NAME}-beside":
        coroutine.close()
        raise RuntimeError("run_beside was called on its own loop's thread; await the coroutine instead.")
    name = f"{_NAME}-beside" if here == _NAME else _NAME
    return _result(asyncio.run_coroutine_threadsafe(coroutine, background_loop(name)), None)


def _result(future: concurrent.futures.Future[T], timeout: float | None) -> T:
    try:
        return future.result(timeout)
    except BaseException:
        future.cancel()
        raise
