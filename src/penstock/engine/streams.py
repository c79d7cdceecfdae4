"""Results that arrive piece by piece: generators of nodes, recorded while they are consumed."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import AsyncIterator, Iterator
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from penstock.tools.stream import TextStream


class Stream:
    """A node's generator, or any other iterator: iterates once, remembers what passed, so that the record can show it."""

    def __init__(self, source: Iterator[Any]) -> None:
        self._source = source
        self.items: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        item = next(self._source)
        self.items.append(item)
        return item

    def __getattr__(self, name: str) -> Any:
        # An iterator may be more than that, as a client library's response is.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._source, name)

    def close(self) -> None:
        """Stop the generator."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


class AsyncStream:
    """The same for an async generator."""

    def __init__(self, source: AsyncIterator[Any]) -> None:
        self._source = source
        self.items: list[Any] = []

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        item = await self._source.__anext__()
        self.items.append(item)
        return item


_PLAIN = frozenset({str, int, float, bool, type(None), dict, list})
_GENERATORS = (GeneratorType, AsyncGeneratorType)
AnyStream = Stream | AsyncStream | TextStream


def wrap(value: Any) -> Any:
    """An iterator as a stream that remembers, also a generator in a map or a dataclass; anything else as it is."""
    if type(value) is dict and any(isinstance(item, _GENERATORS) for item in value.values()):
        # Two outputs may refer to one of its generators: both must see all of it.
        return {key: wrap(item) if isinstance(item, _GENERATORS) else item for key, item in value.items()}
    if type(value) in _PLAIN or is_stream(value):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _wrap_fields(value)
    if isinstance(value, Iterator):
        return Stream(value)
    return AsyncStream(value) if isinstance(value, AsyncIterator) else value


def _wrap_fields(value: Any) -> Any:
    items = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    streams = {name: wrap(item) for name, item in items.items() if isinstance(item, _GENERATORS)}
    if not streams:
        return value
    changed = copy.copy(value)
    for name, item in streams.items():
        # Past a frozen dataclass's own guard: the copy is nobody's yet.
        object.__setattr__(changed, name, item)
    return changed


def is_stream(value: Any) -> bool:
    """Whether ``value`` still has to be consumed."""
    return isinstance(value, (Stream, AsyncStream, TextStream))


def unwrapped(value: Any) -> Any:
    """What a node itself returned, where ``wrap`` made a stream of it."""
    return value._source if isinstance(value, (Stream, AsyncStream)) else value


def joined(stream: AnyStream) -> str:
    """All pieces so far as one text, as prompt flow shows a consumed generator."""
    return "".join(str(item) for item in stream.items if item is not None)
