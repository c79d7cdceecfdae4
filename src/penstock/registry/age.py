"""How old something is, for reading."""

from __future__ import annotations


def shown_age(seconds: float) -> str:
    """A time for reading: ``40 seconds``, ``3 hours``."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    count = int(seconds)
    return f"{count} second{'' if count == 1 else 's'}"
