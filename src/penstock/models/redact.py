"""Secrets out of what endpoints say and what is recorded of them: known ones, and what looks like a key."""

from __future__ import annotations

import re
from typing import Any

from penstock.connections import redact
from penstock.connections.connection import MASK

# What looks like a key although nobody told us: an endpoint may echo one that came from elsewhere.
_KEYLIKE = re.compile(
    r"(?i)\bbearer\s+[\w.~+/=-]{6,}"
    r"|\b(?:sk|rk|pk)-[A-Za-z0-9_*-]{8,}"
    r"|\beyJ[\w-]{10,}\.[\w-]+\.[\w-]+"
)


class Redactor(redact.Redactor):
    """As ``connections.redact.Redactor``; also masks what looks like a key."""

    __slots__ = ()

    def text(self, text: str) -> str:
        """``text`` without secrets."""
        return _KEYLIKE.sub(MASK, super().text(text))

    def _string(self, text: str) -> str:
        return _KEYLIKE.sub(MASK, super()._string(text))


def masked(value: Any, redactor: Redactor) -> bool:
    """Whether ``redactor`` changes ``value``: what must not be kept, because it would come back changed."""
    return bool(redactor.value(value) != value)
