"""The stream of a model that knows its whole answer from the start."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Self

from penstock.models.chunks import chunks_of
from penstock.models.model import Completion, Delta, Request


class LocalStream:
    """Cuts the answer that ``complete`` gives into deltas.

    Args:
        request: What was asked.
        complete: Gives the whole answer; called when the first piece is asked for.
    """

    def __init__(self, request: Request, complete: Callable[[Request], Awaitable[Completion]]) -> None:
        self._completion: Completion | None = None
        self._pieces = self._run(request, complete)

    @property
    def completion(self) -> Completion:
        """The whole answer, once the stream has ended."""
        if self._completion is None:
            raise RuntimeError("The stream has not ended: take all its pieces before asking for the completion.")
        return self._completion

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """Stop."""
        await self._pieces.aclose()

    async def _run(
        self, request: Request, complete: Callable[[Request], Awaitable[Completion]]
    ) -> AsyncGenerator[Delta, None]:
        completion = await complete(request)
        wanted = (request.params.get("stream_options") or {}).get("include_usage") is True
        for chunk in chunks_of(request.api, completion.raw, include_usage=wanted):
            yield Delta(_text(chunk), chunk)
        self._completion = completion


def _text(chunk: dict[str, object]) -> str:
    if chunk.get("type") == "response.output_text.delta":
        return str(chunk["delta"])
    choices = chunk.get("choices")
    if not isinstance(choices, list) or not choices:
        return ""
    choice = choices[0]
    return str((choice.get("delta") or {}).get("content") or choice.get("text") or "")
