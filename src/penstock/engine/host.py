"""Where a line's calls happen: in this thread, or on an event loop with threads for what may block.

``execute`` is one coroutine for both. In a ``ThreadHost`` nothing ever suspends it, so a plain thread can run it to its end
without an event loop; a flow of plain Python functions then costs no task switch at all.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine
from types import TracebackType
from typing import Any, Protocol

from penstock.aio import run_sync
from penstock.cache import ContentCache
from penstock.engine.streams import AnyStream, AsyncStream, Stream
from penstock.errors import ToolError
from penstock.tools.bound import Bound
from penstock.tools.stream import TextStream

Handle = Any


class Host(Protocol):
    """Calls tools for ``execute``. ``concurrency`` is how many nodes of one line may run at once.

    ``works_here``: who starts several pieces of work must do one of them itself, because the pool may have no thread left.
    """

    concurrency: int
    works_here: bool
    cache: ContentCache | None

    async def invoke(self, bound: Bound, arguments: dict[str, Any], data: Any) -> Any:
        """Call the tool and return what it returns."""
        ...

    async def drain(self, stream: AnyStream) -> None:
        """Consume a stream to its end."""
        ...

    def start(self, work: Coroutine[Any, Any, Any]) -> Handle:
        """Begin ``work`` beside what is running."""
        ...

    async def first(self, handles: Collection[Handle]) -> set[Handle]:
        """Wait until at least one of ``handles`` is done; returns those that are."""
        ...

    def within(self, items: int) -> Host:
        """The host for the nodes of one item, when ``items`` of a sequence run at once."""
        ...


class _Exit(ToolError):
    """A tool that called ``sys.exit``."""


def _call(bound: Bound, arguments: dict[str, Any], data: Any) -> Any:
    with _contained:
        return bound.call(arguments, data) if bound.wants_data else bound.call(**arguments)


async def _await(work: Awaitable[Any]) -> Any:
    with _contained:
        return await work


class _Contained:
    """Makes a ToolError of what a tool must not do to the thread or the event loop that it runs in."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        match error:
            case None:
                return
            case SystemExit():
                raise _Exit(f"The tool called sys.exit({error.code!r}).") from error
            case StopIteration():
                # A coroutine cannot let this one through.
                raise _Exit(f"The tool raised StopIteration({error.value!r}).") from error
            case Exception() | GeneratorExit():
                return
            case asyncio.CancelledError() if _is_being_cancelled():
                return
            case KeyboardInterrupt() if threading.current_thread() is threading.main_thread():
                return
            case _:
                # An event loop or a thread would end with it, and every other line that runs there.
                raise _Exit(f"The tool raised {type(error).__name__}({error}).") from error


_contained = _Contained()


def _is_being_cancelled() -> bool:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0


class ThreadHost:
    """Everything in the calling thread; nodes that may run side by side get threads of ``pool``."""

    works_here = True

    def __init__(
        self,
        concurrency: int = 1,
        pool: concurrent.futures.ThreadPoolExecutor | None = None,
        cache: ContentCache | None = None,
    ) -> None:
        self.concurrency = concurrency if pool is not None else 1
        self.cache = cache
        self._pool = pool

    async def invoke(self, bound: Bound, arguments: dict[str, Any], data: Any) -> Any:
        """Call the tool here and now; a coroutine is awaited on the background loop."""
        value = _call(bound, arguments, data)
        return run_sync(_await(value)) if bound.mode == "async" else value

    async def drain(self, stream: AnyStream) -> None:
        """Consume here and now."""
        if isinstance(stream, Stream):
            _exhaust_plain(stream)
        else:
            run_sync(_exhaust(stream))

    def start(self, work: Coroutine[Any, Any, Any]) -> Handle:
        """Begin ``work`` in a thread of the pool."""
        assert self._pool is not None, "a host without a pool runs one node at a time"
        future = self._pool.submit(contextvars.copy_context().run, drive, work)
        future.add_done_callback(lambda done: work.close() if done.cancelled() else None)
        return future

    async def first(self, handles: Collection[Handle]) -> set[Handle]:
        """Wait in this thread."""
        return concurrent.futures.wait(handles, return_when=concurrent.futures.FIRST_COMPLETED).done

    def within(self, items: int) -> Host:
        """Items have a thread each; a thread that waited for others of the same pool could wait for ever."""
        return self if items == 1 else ThreadHost(1, None, self.cache)


class LoopHost:
    """Coroutines on the running event loop, everything that may block in threads of ``pool``."""

    works_here = False

    def __init__(
        self, pool: concurrent.futures.ThreadPoolExecutor, concurrency: int = 16, cache: ContentCache | None = None
    ) -> None:
        self.concurrency = concurrency
        self.cache = cache
        self._pool = pool

    async def invoke(self, bound: Bound, arguments: dict[str, Any], data: Any) -> Any:
        """Await it, call it, or have a thread call it."""
        if bound.mode == "thread":
            return await self._in_thread(_call, bound, arguments, data)
        value = _call(bound, arguments, data)
        return await _await(value) if bound.mode == "async" else value

    async def drain(self, stream: AnyStream) -> None:
        """Consume; a plain generator may block, so a thread does it."""
        if not isinstance(stream, Stream):
            await _exhaust(stream)
        else:
            await self._in_thread(_exhaust_plain, stream)

    def start(self, work: Coroutine[Any, Any, Any]) -> Handle:
        """Begin ``work`` as a task of the running loop, under the name of the one that asks: both are of one line."""
        task = asyncio.current_task()
        return asyncio.get_running_loop().create_task(work, name=task.get_name() if task else None)

    async def first(self, handles: Collection[Handle]) -> set[Handle]:
        """Wait for the first to end."""
        done, _ = await asyncio.wait(handles, return_when=asyncio.FIRST_COMPLETED)
        return done

    def within(self, items: int) -> Host:
        """Its share of the nodes that may run at once."""
        return LoopHost(self._pool, max(1, self.concurrency // items), self.cache) if items else self

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        run = contextvars.copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._pool, run, function, *arguments)


async def _exhaust(stream: AsyncStream | TextStream) -> None:
    with _contained:
        async for _ in stream:
            pass


def _exhaust_plain(stream: Stream) -> None:
    with _contained:
        for _ in stream:
            pass


def drive(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that a ``ThreadHost`` keeps from ever suspending, without an event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    raise RuntimeError("a coroutine of a thread host was suspended; it needs an event loop")
