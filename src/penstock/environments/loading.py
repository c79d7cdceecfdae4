"""Processes that import a flow's code for a moment, to say what is in it: they run in the flow's own interpreter."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from penstock.environments.environment import interpreter_command, interpreter_variables

_python: ContextVar[str | None] = ContextVar("penstock_flow_python", default=None)


@contextmanager
def loading_in(python: Path | None) -> Generator[None]:
    """Within this block flows are described by the interpreter ``python``; None means this one."""
    token = _python.set(None if python is None else str(python))
    try:
        yield
    finally:
        _python.reset(token)


def loader_command(part: str) -> list[str]:
    """The command that runs a part of Penstock that imports flow code, by its module's name."""
    return interpreter_command(_python.get() or sys.executable, part)


def loader_variables() -> dict[str, str]:
    """The variables of such a process."""
    python = _python.get()
    variables = dict(os.environ) if python is None else interpreter_variables(python, os.environ)
    return {**variables, "PYTHONIOENCODING": "utf-8"}
