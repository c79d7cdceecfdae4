"""Parameters that are given several nodes' values at once, as a list or a dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.functions import Source, Value

Items = Sequence[tuple[str | int, Source | Value]]


def gathered(function: Callable[..., Any], groups: Mapping[str, Items]) -> Callable[..., Any]:
    """``function`` with each parameter in ``groups`` put together from arguments called ``parameter[key]``."""
    return _Gathered(function, {name: tuple(key for key, _ in items) for name, items in groups.items()})


class _Gathered:
    """Callable; ``__wrapped__`` shows what it calls, so that it is treated as that."""

    def __init__(self, function: Callable[..., Any], groups: Mapping[str, tuple[str | int, ...]]) -> None:
        self.__wrapped__ = function
        self._groups = groups

    def __call__(self, **arguments: Any) -> Any:
        for name, keys in self._groups.items():
            values = {key: arguments.pop(f"{name}[{key}]", None) for key in keys}
            arguments[name] = list(values.values()) if isinstance(keys[0], int) else values
        return self.__wrapped__(**arguments)
