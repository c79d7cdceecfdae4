"""What the command line prints: JSON, tables, errors; colour only on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from penstock.errors import PenstockError


def print_json(value: Any, *, indent: int | None = 4) -> None:
    """One JSON object on standard output; NaN and Infinity stay bare tokens, as prompt flow writes them."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=str)
    stdout = getattr(sys.stdout, "results", sys.stdout)
    stdout.write(text + "\n")


def fail(error: PenstockError, *, as_json: bool = False) -> int:
    """Print an error as one sentence (and with ``--json`` as an object); returns the exit code."""
    if as_json:
        print_json({"status": "Failed", "error": {"code": error.code, "message": error.message}}, indent=None)
    sys.stderr.write(f"penstock: {plain(error.message)}\n")
    return error.exit_code


def plain(text: str) -> str:
    """``text`` without the control characters that could move a terminal's cursor or colour it."""
    return "".join(c if c in "\n\t" or (c.isprintable()) else f"\\x{ord(c):02x}" for c in text)


def interactive(stream: Any = None) -> bool:
    """Whether a person is looking at ``stream`` (standard error unless told)."""
    is_terminal: Callable[[], bool] = (stream or sys.stderr).isatty
    return is_terminal()
