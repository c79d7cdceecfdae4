"""The scripted model: answers from a rules file, without network, and says that it is offline."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

from penstock.errors import ModelError
from penstock.models.answer import completion_of, usage_of
from penstock.models.local_stream import LocalStream
from penstock.models.model import Completion, Request
from penstock.models.retry import RetryPolicy
from penstock.models.rules import Refusal
from penstock.models.script import Script
from penstock.models.trouble import Trouble, refused
from penstock.records import Usage


class ScriptedModel:
    """Answers by ``script``.

    Scripted errors go the way of real ones: those worth a retry are retried as often as a real call would be, only
    without the waiting.

    Args:
        script: The rules at work.
        retry: How often.
        sleep: Waits the scripted latency.
    """

    def __init__(
        self,
        script: Script,
        retry: RetryPolicy | None = None,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._script = script
        self._retry = retry or RetryPolicy()
        self._sleep = sleep

    async def complete(self, request: Request) -> Completion:
        """The answer of the first rule that matches."""
        started = time.perf_counter()
        attempt = 0
        while True:
            attempt += 1
            outcome = self._script.answer(request)
            if outcome.latency > 0:
                await self._sleep(outcome.latency)
            if outcome.raw is not None:
                told = usage_of(outcome.raw, request)
                # Nothing was bought: the tokens say how long the texts are, the cost is none.
                usage = Usage(told.prompt_tokens, told.completion_tokens, told.total_tokens, 1, 0.0)
                duration = time.perf_counter() - started
                return completion_of(
                    request, outcome.raw, usage=usage, attempts=attempt, duration=duration, offline=True
                )
            assert outcome.error is not None, "an outcome is an answer or an error"
            trouble = refused(
                outcome.error.status, json.dumps(error_body(outcome.error)), {}, outcome.error.retry_after
            )
            if self._retry.wait(trouble, attempt, lambda: 0.0) is None:
                raise self._error(request, trouble, attempt)

    def stream(self, request: Request) -> LocalStream:
        """The same answer, word by word."""
        return LocalStream(request, self.complete)

    async def close(self) -> None:
        """Nothing to free."""

    def _error(self, request: Request, trouble: Trouble, attempt: int) -> ModelError:
        tries = f", {attempt} attempts" if attempt > 1 else ""
        return ModelError(
            f"OpenAI API hits {trouble.kind}: {trouble.message.rstrip('.')} (status {trouble.status}, scripted by "
            f"{self._script.rules.path}, model {request.model!r}{tries}).",
            code="ExceedMaxRetryTimes" if trouble.tries != 1 and attempt > 1 else None,
            status=trouble.status,
            retryable=trouble.tries != 1,
            retry_after=trouble.retry_after,
        )


def error_body(error: Refusal) -> dict[str, object]:
    """The JSON body of a scripted error, as an endpoint words it."""
    return {"error": {"message": error.message, "type": error.type, "param": None, "code": error.code}}
