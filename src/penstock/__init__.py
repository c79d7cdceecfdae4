"""Penstock carries an LLM application from its first prompt to measured production.

The public names are imported when they are first used, so that ``import penstock`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC: dict[str, str] = {
    "details": "penstock.api",
    "get_prompt": "penstock.api.prompts",
    "get_run": "penstock.api",
    "list_runs": "penstock.api",
    "metrics": "penstock.api",
    "run": "penstock.api",
    "visualize": "penstock.api",
    "FlowError": "penstock.api.flows",
    "FlowFunction": "penstock.api.flows",
    "load": "penstock.api.flows",
    "FunctionFlow": "penstock.api.functions",
    "flow": "penstock.api.functions",
    "AsyncPrompty": "penstock.api.prompty",
    "Prompty": "penstock.api.prompty",
    "Collect": "penstock.functions",
    "Each": "penstock.functions",
    "extract_fields": "penstock.functions",
    "group": "penstock.functions",
    "inject": "penstock.functions",
    "llm": "penstock.functions",
    "parameterize": "penstock.functions",
    "prompt": "penstock.functions",
    "source": "penstock.functions",
    "tag": "penstock.functions",
    "value": "penstock.functions",
    "when": "penstock.functions",
    "Budget": "penstock.runs.spec",
    "ask": "penstock.tools.answering",
    "ask_async": "penstock.tools.answering",
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
