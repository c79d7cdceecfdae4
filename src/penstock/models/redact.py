"""Secrets out of everything that is written down or shown: error messages, cassettes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

MASK = "******"
# Shorter values are words and numbers of everyday text; masking them would make every message unreadable.
_SHORTEST = 6
# What looks like a key although nobody told us: an endpoint may echo one that came from elsewhere.
_KEYLIKE = re.compile(
    r"(?i)\bbearer\s+[\w.~+/=-]{6,}"
    r"|\b(?:sk|rk|pk)-[A-Za-z0-9_*-]{8,}"
    r"|\beyJ[\w-]{10,}\.[\w-]+\.[\w-]+"
)


class Redactor:
    """Replaces known secret values, and what looks like a key, by ``******``."""

    __slots__ = ("_known",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = sorted({str(value) for value in secrets if len(str(value)) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, values))) if values else None

    def __repr__(self) -> str:
        """Never the secrets."""
        return "Redactor(******)"

    def text(self, text: str) -> str:
        """``text`` without secrets."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _KEYLIKE.sub(MASK, text)

    def value(self, value: Any) -> Any:
        """A JSON value whose strings (keys of objects too) hold no secret."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value
