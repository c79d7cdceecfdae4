"""Decorators of prompt flow's own tools, which some tool packages copied: they give back what they are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def register_apis(cls: T) -> T:
    """The class, unchanged: which class serves which connection is not looked up by registration."""
    return cls


register_builtins = register_connections = register_apis


def enable_cache(calculate_cache_string_func: Callable[..., str]) -> Callable[[T], T]:
    """A decorator that changes nothing: `enable_cache: true` in a flow's node is what turns a cache on."""
    del calculate_cache_string_func

    def decorate(function: T) -> T:
        return function

    return decorate
