"""Penstock carries an LLM application from its first prompt to measured production.

The public names are imported when they are first used, so that ``import penstock`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC: dict[str, str] = {
    "FlowError": "penstock.api.flows",
    "FlowFunction": "penstock.api.flows",
    "AsyncPrompty": "penstock.api.prompty",
    "Budget": "penstock.runs.spec",
    "Prompty": "penstock.api.prompty",
    "details": "penstock.api",
    "get_run": "penstock.api",
    "list_runs": "penstock.api",
    "load": "penstock.api.flows",
    "metrics": "penstock.api",
    "run": "penstock.api",
    "visualize": "penstock.api",
    "log_metric": "penstock.tools.metric",
    "tool": "penstock.tools.tool",
    "trace": "penstock.tools.trace",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"penstock has no name {name!r}; it has: {', '.join(sorted(_PUBLIC))}.")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
