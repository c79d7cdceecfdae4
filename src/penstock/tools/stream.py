"""A streamed answer of a model as a node's result: flow code may iterate it plainly or asynchronously."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any


class TextStream:
    """Pieces of text as they come, remembered in ``items``.

    Made on an event loop; a plain ``for`` in another thread has that loop fetch the next piece.
    """

    def __init__(self, source: AsyncIterator[Any], text: Callable[[Any], str], done: Callable[[], None]) -> None:
        self._source = source
        self._text = text
        self._done: Callable[[], None] | None = done
        self._loop = asyncio.get_running_loop()
        self.items: list[str] = []

    def __aiter__(self) -> TextStream:
        return self

    async def __anext__(self) -> str:
        try:
            piece = self._text(await self._source.__anext__())
        except StopAsyncIteration:
            done, self._done = self._done, None
            if done is not None:  # whoever asks again after the end must not have it counted again
                done()
            raise
        self.items.append(piece)
        return piece

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        async def step() -> str | None:
            try:
                return await self.__anext__()
            except StopAsyncIteration:
                return None

        piece = asyncio.run_coroutine_threadsafe(step(), self._loop).result()
        if piece is None:
            raise StopIteration
        return piece
