"""A model that is not asked the same thing twice: answers of earlier runs, kept by what was asked of whom."""

from __future__ import annotations

import time

from penstock.cache import ContentCache, content_key
from penstock.models.answer import completion_of
from penstock.models.cassette import canonical
from penstock.models.local_stream import LocalStream
from penstock.models.model import ChatModel, Completion, Request
from penstock.models.redact import Redactor, masked
from penstock.records import NO_USAGE


class CachedModel:
    """Answers from ``cache`` where it can, else asks ``model`` and keeps the answer. Errors are never kept.

    A kept answer costs nothing and counts no call (``attempts`` is 0).

    Args:
        model: Whom to ask.
        cache: Where answers are kept.
        scope: Tells endpoints apart: the same request to another endpoint is another request.
        redact: Knows the secrets: an answer that holds one is not kept.
    """

    def __init__(self, model: ChatModel, cache: ContentCache, scope: str, redact: Redactor) -> None:
        self._model = model
        self._cache = cache
        self._scope = scope
        self._redact = redact

    async def complete(self, request: Request) -> Completion:
        """The kept answer, or the model's."""
        started = time.perf_counter()
        key = content_key(self._scope, canonical(request, self._redact))
        found = self._cache.get(key) if key is not None else None
        if found is not None:
            spent = time.perf_counter() - started
            return completion_of(request, found[0], usage=NO_USAGE, attempts=0, duration=spent)
        completion = await self._model.complete(request)
        if key is not None and not masked(completion.raw, self._redact):
            self._cache.put(key, completion.raw)
        return completion

    def stream(self, request: Request) -> LocalStream:
        """The same, word by word: an answer can only be kept once it is whole."""
        return LocalStream(request, self.complete)

    async def close(self) -> None:
        """Close the model."""
        await self._model.close()
