"""What the command line prints: JSON, errors, text that is safe on a terminal."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from penstock.errors import PenstockError
from penstock.records import NodeRun

_LONGEST = 10_000  # characters of a sentence; what is longer quotes a file or an endpoint at length
# Controls that JSON leaves as they are, and characters that are only there to steer how others are shown.
_INVISIBLE = re.compile(
    r"[\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_JOINER = "\u200d"  # holds an emoji's parts together; harmless, unlike the other invisible characters


def prepare_streams() -> None:
    """Let no character end a command: what the terminal's encoding lacks is written as its escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def result_stream() -> TextIO:
    """Standard output itself, also while ``engine.capture`` sends what the flow's code prints elsewhere."""
    stream: TextIO = getattr(sys.stdout, "results", sys.stdout)
    return stream


def print_json(value: Any, *, indent: int | None = 4, strict: bool = False) -> None:
    """One JSON value on standard output.

    Args:
        value: What to print; what JSON cannot say is said as text.
        indent: Blanks a level, None for a single line.
        strict: Whether NaN and the infinities are written as texts; else they stay bare tokens, as prompt flow writes them.
    """
    stdout = result_stream()
    text = json.dumps(value, indent=indent, ensure_ascii=not knows_unicode(stdout), default=str)
    if strict and ("NaN" in text or "Infinity" in text):
        return print_json(json.loads(text, parse_constant=str), indent=indent)
    stdout.write(shown_json(text) + "\n")
    return None


def shown_json(text: str) -> str:
    """JSON text that says the same without a character that could move a terminal's cursor or hide what it shows."""
    return _INVISIBLE.sub(_as_json, text)


def _as_json(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def fail(error: PenstockError, *, as_json: bool = False) -> int:
    """Print an error as one sentence (and with ``--json`` as an object); returns the exit code."""
    if as_json:
        print_json({"status": "Failed", "error": {"code": error.code, "message": error.message}}, indent=None)
    note(error.message)
    return error.exit_code


def note(text: str) -> None:
    """A sentence to the person at the terminal, on standard error."""
    shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    sys.stderr.write(f"penstock: {plain(shown)}\n")


def echo_logs(runs: Iterable[NodeRun]) -> None:
    """What nodes printed, on standard error, each line under the node's name."""
    for run in runs:
        for stream, text in (run.logs or {}).items():
            for line in text.splitlines():
                sys.stderr.write(plain(f"[{run.label}] {stream}> {line}") + "\n")


def plain(text: str) -> str:
    """``text`` without the control characters that could move a terminal's cursor or colour it."""
    return "".join(c if c.isprintable() or c in f"\n\t{_JOINER}" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def interactive(stream: TextIO | None = None) -> bool:
    """Whether a person is looking at ``stream`` (standard error unless told)."""
    return (stream or sys.stderr).isatty()


def knows_unicode(stream: TextIO) -> bool:
    """Whether ``stream`` can show every character."""
    return str(getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def counted(number: int, what: str) -> str:
    """``number`` and its noun: ``1 line``, ``2 lines``."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
