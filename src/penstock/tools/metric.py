"""``log_metric``: what an aggregation says about the whole run."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_lock = threading.Lock()  # protects the stack and every write into a collected dict
_open: list[dict[str, Any]] = []
_mine: ContextVar[dict[str, Any] | None] = ContextVar("penstock_metrics", default=None)


def log_metric(
    key: str,
    value: Any,
    variant_id: str | None = None,  # ruff: ignore[unused-function-argument]  flows pass it
) -> None:
    """Record a metric of the run; the last value of a key wins. Outside an aggregation it does nothing.

    Args:
        key: The metric's name.
        value: A number, or any JSON value.
        variant_id: Accepted because flows pass it; a run has one variant, so it changes nothing.
    """
    with _lock:
        target = _mine.get()
        if target is None or not any(target is one for one in _open):
            # A thread the aggregation started has an empty context: the collection opened last is the one it belongs
            # to.
            target = _open[-1] if _open else None
        if target is not None:
            target[key] = value


log_flow_metric = log_metric


@contextmanager
def collecting() -> Generator[dict[str, Any]]:
    """Collect what ``log_metric`` is told inside this block, from this task and from threads started meanwhile.

    Yields:
        The metrics by name, filled as they come.
    """
    metrics: dict[str, Any] = {}
    token = _mine.set(metrics)
    with _lock:
        _open.append(metrics)
    try:
        yield metrics
    finally:
        with _lock:
            _open[:] = [one for one in _open if one is not metrics]
        _mine.reset(token)
