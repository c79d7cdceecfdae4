"""The import hook that puts ``intercept`` into httpx once flow code imports it, and hands the context on to threads.

A node that asks several questions in a pool of its own is one node: what its threads do is noted with it.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import functools
import importlib
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType, TracebackType
from typing import Any

from penstock.tracing.notes import NOTES

# The client that the libraries of OpenAI and Anthropic are built on, and its successor.
_CLIENTS = ("httpx", "httpx2")


class _Patching(Loader):
    """Loads as the real loader does, then intercepts."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _intercept(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _CLIENTS:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(fullname, path, target)) is not None:
                spec.loader = _Patching(spec.loader)
                return spec
        return None


class _Hook:
    def __init__(self) -> None:
        self._lock = threading.Lock()  # protects that all is done once
        self._done = False

    def __enter__(self) -> None:
        if self._done:
            return
        with self._lock:
            self._put_in_place()

    def _put_in_place(self) -> None:
        if not self._done:
            for name in _CLIENTS:
                if name in sys.modules:
                    _intercept(sys.modules[name])
            sys.meta_path.insert(0, _Finder())
            pool: Any = concurrent.futures.ThreadPoolExecutor
            pool.submit = _handing_on(pool.submit)
            self._done = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What was put in place stays: outside a flow it does nothing."""


def _intercept(module: ModuleType) -> None:
    # By name: it brings all that asks models, which a process that only looks at a flow does without.
    importlib.import_module("penstock.tools.sdk.intercept").intercept(module)


def _handing_on(submit: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(submit)
    def submitting(self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if NOTES.get() is None:
            return submit(self, fn, *args, **kwargs)
        return submit(self, contextvars.copy_context().run, fn, *args, **kwargs)

    return submitting


_HOOK = _Hook()


def activate() -> _Hook:
    """Note and answer the model calls of flow code inside this block; the block may be entered any number of times."""
    return _HOOK
