"""What a check found: a value, all of them at once, never an exception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about a flow's files.

    ``severity`` ``error`` means the flow cannot run; ``warning`` that it can but probably should not; ``note`` is for
    keys that have no effect. ``line`` counts from 1.
    """

    severity: Literal["error", "warning", "note"]
    code: str
    message: str
    file: str = ""
    line: int | None = None
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        hint = f" {self.hint}" if self.hint else ""
        return f"{place}: {self.severity} {self.code}: {self.message}{hint}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "file": self.file,
            "line": self.line,
            "hint": self.hint,
        }
