"""Asking a model on behalf of a node: the request and its answer are noted in the node's record."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from penstock.connections.kinds import Connection
from penstock.errors import PenstockError
from penstock.models.model import Completion, DeltaStream, Request
from penstock.models.pool import Models
from penstock.records import NO_USAGE, ModelCall
from penstock.tools.stream import TextStream
from penstock.tracing.notes import NOTES, note_call


async def ask(models: Models, connection: Connection, request: Request) -> Completion:
    """The whole answer to ``request``; a failed call is noted too, then raised."""
    started, clock = time.time(), time.perf_counter()
    try:
        completion = await models.get(connection).complete(request)
    except PenstockError as error:
        spent = time.perf_counter() - clock
        note_call(
            ModelCall(request.api, request.model, request.params, None, NO_USAGE, started, spent, error=error.message)
        )
        raise
    note_call(_call(request, completion, started))
    return completion


def ask_stream(
    models: Models,
    connection: Connection,
    request: Request,
    *,
    text: Callable[[Any], Any] | None = None,
    source: Callable[[DeltaStream], AsyncIterator[Any]] | None = None,
) -> TextStream:
    """The answer piece by piece; called on an event loop.

    Args:
        models: Who is asked.
        connection: The model's.
        request: What is asked.
        text: What of a delta is a piece; its text unless told.
        source: Picks the deltas that count out of the stream; all of them unless told.
    """
    started = time.time()
    stream = models.get(connection).stream(request)
    # The stream may end long after its node has returned, in another context.
    notes = NOTES.get()

    def done() -> None:
        if notes is not None:
            notes.call(_call(request, stream.completion, started))

    return TextStream(stream if source is None else source(stream), text or _text, done)


def _text(delta: Any) -> str:
    return str(delta.text)


def _call(request: Request, completion: Completion, started: float) -> ModelCall:
    answer: Any = completion.message if completion.message is not None else completion.text
    if request.api == "embedding":
        answer = {"embeddings": len(completion.raw.get("data", []))}
    return ModelCall(
        request.api,
        completion.model or request.model,
        request.params,
        answer,
        completion.usage,
        started,
        completion.duration,
        completion.attempts,
        completion.offline,
    )
