"""``@trace``: a child span for a function of the user's, when somebody listens; a plain call otherwise."""

from __future__ import annotations

import functools
import inspect
import time
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar, overload

from penstock.tracing.notes import NOTES, PARENT, LiveSpan

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


@overload
def trace(function: F, /) -> F: ...
@overload
def trace(
    function: None = None, /, *, name: str | None = None, trace_type: str = "Function", **options: Any
) -> Callable[[F], F]: ...
def trace(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    trace_type: str = "Function",
    **options: Any,  # ruff: ignore[unused-function-argument]  flows pass more than is read
) -> Any:
    """Record each call of ``function`` as a child span; works bare (``@trace``) and with options.

    Plain functions, coroutine functions, generators and async generators keep their kind. A generator's span ends
    when it is exhausted or closed; its output is the list of its items.
    """

    def decorate(target: Any) -> Any:
        shown = str(name or getattr(target, "__qualname__", repr(target)))
        return _wrap(target, shown, str(getattr(trace_type, "value", trace_type)))

    return decorate if function is None else decorate(function)


def _wrap(target: Any, name: str, kind: str) -> Any:
    if inspect.isasyncgenfunction(target):
        return _wrap_async_generator(target, name, kind)
    if inspect.iscoroutinefunction(target):
        return _wrap_coroutine(target, name, kind)
    if inspect.isgeneratorfunction(target):
        return _wrap_generator(target, name, kind)

    @functools.wraps(target)
    def call(*args: Any, **kwargs: Any) -> Any:
        if NOTES.get() is None:
            return target(*args, **kwargs)
        with span(name, _arguments(target, args, kwargs), kind) as record:
            record["output"] = output = target(*args, **kwargs)
            return output

    return call


def _wrap_coroutine(target: Any, name: str, kind: str) -> Any:
    @functools.wraps(target)
    async def call(*args: Any, **kwargs: Any) -> Any:
        if NOTES.get() is None:
            return await target(*args, **kwargs)
        with span(name, _arguments(target, args, kwargs), kind) as record:
            record["output"] = output = await target(*args, **kwargs)
            return output

    return call


def _wrap_generator(target: Any, name: str, kind: str) -> Any:
    @functools.wraps(target)
    def call(*args: Any, **kwargs: Any) -> Iterator[Any]:
        if NOTES.get() is None:
            yield from target(*args, **kwargs)
            return
        with _open_span(name, _arguments(target, args, kwargs), kind) as record:
            record["output"] = items = list[Any]()
            for item in target(*args, **kwargs):
                items.append(item)
                yield item

    return call


def _wrap_async_generator(target: Any, name: str, kind: str) -> Any:
    @functools.wraps(target)
    async def call(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        listening = NOTES.get() is not None
        record = new_span(name, _arguments(target, args, kwargs), kind) if listening else LiveSpan()
        items: list[Any] = []
        try:
            async for item in target(*args, **kwargs):
                if listening:
                    items.append(item)
                yield item
        except BaseException as error:
            _finish_if(listening, record, items, error)
            raise
        _finish_if(listening, record, items, None)

    return call


def _finish_if(listening: bool, record: LiveSpan, items: list[Any], error: BaseException | None) -> None:
    if listening:
        finish_span(record, output=items, error=error)


@contextmanager
def span(name: str, inputs: Mapping[str, Any], kind: str = "Function") -> Generator[LiveSpan, None, None]:
    """A span around this block, parent of those inside it; set ``["output"]`` on the yielded dict before the end."""
    with _open_span(name, inputs, kind) as record:
        token = PARENT.set(record["id"])
        try:
            yield record
        finally:
            PARENT.reset(token)


@contextmanager
def _open_span(name: str, inputs: Mapping[str, Any], kind: str) -> Generator[LiveSpan, None, None]:
    # Unlike ``span`` it sets no context variable, so that a generator may be finished in another context than it was
    # started in.
    record, begun, notes = new_span(name, inputs, kind), time.perf_counter(), NOTES.get()
    try:
        yield record
    except BaseException as error:
        record["error"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        record["duration"] = time.perf_counter() - begun
        if notes is not None:
            notes.spans.append(record)


def new_span(name: str, inputs: Mapping[str, Any], kind: str) -> LiveSpan:
    """A span that begins now, child of the current one."""
    return {
        "id": uuid.uuid4().hex[:16],
        "parent": PARENT.get(),
        "name": name,
        "type": kind,
        "inputs": dict(inputs),
        "output": None,
        "error": None,
        "started": time.time(),
        "duration": 0.0,
    }


def finish_span(record: LiveSpan, *, output: Any = None, error: BaseException | None = None) -> None:
    """End a span that ``new_span`` began and tell who listens, for events that come in pairs but nest in no block."""
    record["output"] = output
    record["error"] = None if error is None else f"{type(error).__name__}: {error}"
    record["duration"] = time.time() - record["started"]
    notes = NOTES.get()
    if notes is not None:
        notes.spans.append(record)


def _arguments(target: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    try:
        bound = inspect.signature(target).bind_partial(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return dict(kwargs)
    return {name: value for name, value in bound.items() if name not in {"self", "cls"}}


@dataclass(frozen=True, slots=True)
class TraceStart:
    """What ``start_trace`` was told."""

    collection: str | None = None
    resource_attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])


_started: TraceStart | None = None


def start_trace(
    *,
    resource_attributes: Mapping[str, Any] | None = None,
    collection: str | None = None,
    **options: Any,  # ruff: ignore[unused-function-argument]  flows pass more than is read
) -> None:
    """Name the collection that traces of this process belong to. Starts no service and sends nothing anywhere."""
    global _started
    _started = TraceStart(collection, dict(resource_attributes or {}))


def trace_start() -> TraceStart | None:
    """What ``start_trace`` was last told in this process; None if it was never called."""
    return _started


class ThreadPoolExecutorWithContext(ThreadPoolExecutor):
    """A thread pool whose tasks see the context variables of who submitted them: their spans find their parent."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run ``fn`` in the pool, in a copy of the caller's context."""
        context = copy_context()
        return super().submit(lambda: context.run(fn, *args, **kwargs))
