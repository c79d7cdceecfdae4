"""``ChatModel``: what every model is to the rest of Penstock, whatever its vendor, network or none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from penstock.errors import ModelError
from penstock.records import NO_USAGE, Usage

Api = Literal["chat", "completion", "embedding", "responses"]


@dataclass(frozen=True, slots=True)
class Request:
    """One call as the flow asks for it, in OpenAI's names.

    Attributes:
        api: Which of the four calls.
        model: Model (OpenAI) or deployment (Azure).
        params: Every other parameter of the call (``messages``, ``prompt``, ``input``, ``temperature``, …). They are
            sent as they are; nothing is added and nothing is taken away.
        headers: More headers of this call; they may hold keys.
        timeout: Seconds this call may take (or be silent, where it streams), instead of the connection's own.
    """

    api: Api
    model: str
    params: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """One finished answer.

    Attributes:
        text: The answer's text; None for embeddings and for messages without content.
        message: The assistant's message, OpenAI-shaped; None where the call has none (completion, embedding).
        raw: The whole answer, OpenAI-shaped whatever the vendor.
        usage: Tokens and cost in US dollars; the cost is None where the endpoint told no usage or the price is unknown.
        model: The model that says it answered.
        finish_reason: OpenAI's word (``stop``, ``length``, ``tool_calls``, …), None where the call has none.
        attempts: Requests sent until this answer came.
        duration: Seconds from the call to the whole answer, waiting and retries included.
        offline: Whether no model was asked at all (scripted or replayed).
    """

    text: str | None
    message: dict[str, Any] | None
    raw: dict[str, Any]
    usage: Usage = NO_USAGE
    model: str = ""
    finish_reason: str | None = None
    attempts: int = 1
    duration: float = 0.0
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed answer: its text ('' where a chunk has none) and the chunk itself, OpenAI-shaped."""

    text: str
    raw: dict[str, Any] = field(default_factory=dict[str, Any])


class DeltaStream(Protocol):
    """Deltas as they come; ``completion`` holds the merged answer once the last one was taken."""

    @property
    def completion(self) -> Completion:
        """The whole answer; RuntimeError while the stream has not ended."""

    def __aiter__(self) -> AsyncIterator[Delta]:
        """Itself."""

    async def __anext__(self) -> Delta:
        """The next piece; raises ModelError (``CutStream`` where part of the answer came) when the endpoint fails."""

    async def aclose(self) -> None:
        """Stop reading and free the connection; needed only where the stream is left before its end."""


class ChatModel(Protocol):
    """A model behind a connection. Safe to share between tasks and event loops."""

    async def complete(self, request: Request) -> Completion:
        """The whole answer; raises ModelError when the endpoint refuses, fails or answers nonsense."""

    def stream(self, request: Request) -> DeltaStream:
        """The answer piece by piece; nothing is sent before the first piece is asked for."""

    async def close(self) -> None:
        """Free what the model holds; it may be used again afterwards."""


class CutStream(ModelError):
    """A stream that ended before its answer did; ``partial`` is what had come."""

    def __init__(self, message: str, *, partial: Completion, status: int | None = None) -> None:
        super().__init__(message, status=status, retryable=True)
        self.partial = partial
