"""The Python API. The command line and the compatibility layer call these same functions.

Names are imported when they are first used: calling a flow must not wait for what batch runs need.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.api.flows import FlowError, FlowFunction, load
    from penstock.api.prompts import get_prompt
    from penstock.api.runs import (
        delete_run,
        details,
        get_run,
        lines,
        list_runs,
        metrics,
        run,
        stream,
        update_run,
        visualize,
    )

__all__ = [
    "FlowError",
    "FlowFunction",
    "delete_run",
    "details",
    "get_prompt",
    "get_run",
    "lines",
    "list_runs",
    "load",
    "metrics",
    "run",
    "stream",
    "update_run",
    "visualize",
]

_FLOWS = ("FlowError", "FlowFunction", "load")
_PROMPTS = ("get_prompt",)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"penstock.api has no name {name!r}; it has: {', '.join(__all__)}.")
    module = "flows" if name in _FLOWS else "prompts" if name in _PROMPTS else "runs"
    return getattr(importlib.import_module(f"penstock.api.{module}"), name)
