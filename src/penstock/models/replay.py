"""Record and replay: a model that writes what another one answered, and one that answers from what was written."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Self

from penstock.errors import ModelError
from penstock.models.answer import completion_of, usage_of
from penstock.models.cassette import Cassette, CassetteWriter
from penstock.models.local_stream import LocalStream
from penstock.models.model import ChatModel, Completion, Delta, DeltaStream, Request
from penstock.records import Usage


class ReplayModel:
    """Answers from a cassette, strictly, and says that it is offline."""

    def __init__(self, cassette: Cassette) -> None:
        self._cassette = cassette

    async def complete(self, request: Request) -> Completion:
        """The recorded answer, or the recorded error."""
        started = time.perf_counter()
        record = self._cassette.find(request)
        if "error" in record:
            error = record["error"]
            raise ModelError(
                str(error.get("message")),
                code=error.get("code"),
                status=error.get("status"),
                retryable=bool(error.get("retryable")),
            )
        told = usage_of(record["raw"], request)
        usage = Usage(told.prompt_tokens, told.completion_tokens, told.total_tokens, 1, 0.0)
        duration = time.perf_counter() - started
        return completion_of(request, record["raw"], usage=usage, duration=duration, offline=True)

    def stream(self, request: Request) -> LocalStream:
        """The recorded answer, word by word."""
        return LocalStream(request, self.complete)

    async def close(self) -> None:
        """Nothing to free."""


class RecordingModel:
    """Passes calls on to ``model`` and writes each answer, and each final error, to a cassette."""

    def __init__(self, model: ChatModel, writer: CassetteWriter) -> None:
        self._model = model
        self._writer = writer

    async def complete(self, request: Request) -> Completion:
        """The model's answer, written down."""
        try:
            completion = await self._model.complete(request)
        except ModelError as error:
            self.write_error(request, error)
            raise
        self._writer.write(request, raw=completion.raw)
        return completion

    def stream(self, request: Request) -> RecordingStream:
        """The model's stream; its whole answer is written down at the end."""
        return RecordingStream(self, self._model.stream(request), request)

    async def close(self) -> None:
        """Close the model."""
        await self._model.close()

    def write(self, request: Request, completion: Completion) -> None:
        """Write down an answer."""
        self._writer.write(request, raw=completion.raw)

    def write_error(self, request: Request, error: ModelError) -> None:
        """Write down an error that is the endpoint's last word; one that may pass is no part of the recording."""
        if not error.retryable and error.status is not None:
            told = {"message": error.message, "code": error.code, "status": error.status, "retryable": False}
            self._writer.write(request, error=told)


class RecordingStream:
    """The stream of a ``RecordingModel``."""

    def __init__(self, model: RecordingModel, stream: DeltaStream, request: Request) -> None:
        self._stream = stream
        self._pieces = self._run(model, request)

    @property
    def completion(self) -> Completion:
        """The whole answer, once the stream has ended."""
        return self._stream.completion

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """Stop reading and free the connection."""
        await self._pieces.aclose()
        await self._stream.aclose()

    async def _run(self, model: RecordingModel, request: Request) -> AsyncGenerator[Delta, None]:
        try:
            async for delta in self._stream:
                yield delta
        except ModelError as error:
            model.write_error(request, error)
            raise
        model.write(request, self._stream.completion)
