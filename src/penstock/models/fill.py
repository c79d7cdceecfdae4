"""``{{ name }}`` in the answers of a rules file: names and nothing else, so that no prompt can do anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_HOLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def fill(value: Any, values: Mapping[str, str]) -> Any:
    """A JSON value whose strings have their ``{{ name }}`` replaced, in one pass."""
    if isinstance(value, str):
        return _HOLE.sub(lambda hole: values[hole[1]], value)
    if isinstance(value, dict):
        return {key: fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, values) for item in value]
    return value


def holes(value: Any) -> Iterator[str]:
    """The names that ``fill`` would look up."""
    if isinstance(value, str):
        yield from _HOLE.findall(value)
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from holes(item)
