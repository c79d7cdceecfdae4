"""What every call through one connection shares, streamed or not: queueing, sending, waiting, wording a failure."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.errors import ModelError
from penstock.models.answer import completion_of, usage_of
from penstock.models.endpoint import Dialect, Endpoint
from penstock.models.limiter import Lane, Ticket
from penstock.models.model import Completion, Request
from penstock.models.policy import CallPolicy
from penstock.models.prices import Prices
from penstock.models.redact import Redactor
from penstock.models.retry import retry_after
from penstock.models.tokens import estimate_request
from penstock.models.transport import LoopState, Transport
from penstock.models.trouble import Trouble, refused

if TYPE_CHECKING:
    import aiohttp

_JSON = {"Content-Type": "application/json"}
# A token is asked for anew this often; the sign-in library itself knows when it must fetch another.
_TOKEN_SECONDS = 60.0


@dataclass(slots=True)
class Call:
    """One call on its way: what is sent, and how often it was."""

    request: Request
    url: str
    body: bytes
    started: float
    tokens: int = 0
    attempt: int = 0


@dataclass(slots=True)
class Place:
    """A call's place among those in flight; given back once."""

    state: LoopState
    lane: Lane
    ticket: Ticket
    taken: bool = True


class Link:
    """The way to one endpoint.

    Args:
        endpoint: Where and how.
        dialect: The vendor's words.
        policy: Limits and patience.
        transport: Session and queues, shared by all models of a ``Models``.
        prices: For the cost of an answer.
        sleep: Waits; tests pass one that does not.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        dialect: Dialect,
        policy: CallPolicy,
        transport: Transport,
        prices: Prices,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.endpoint = endpoint
        self.dialect = dialect
        self.policy = policy
        self.transport = transport
        self._prices = prices
        self._sleep = sleep
        self._redact = Redactor(endpoint.secrets)
        self._headers = {**_JSON, **endpoint.headers}
        self._random = random.Random()
        self._token: tuple[float, str] = (0.0, "")
        self._timeouts: dict[bool, aiohttp.ClientTimeout] = {}

    def call(self, request: Request, *, stream: bool) -> Call:
        """A call that is not sent yet.

        Raises:
            ModelError: The request holds what JSON or the vendor has no form for.
        """
        if stream and not request.params.get("stream"):
            request = dataclasses.replace(request, params={**request.params, "stream": True})
        try:
            body = json.dumps(self.dialect.body(request), allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"The request to model {request.model!r} (connection {self.endpoint.name!r}) holds a value that "
                f"JSON has no form for: {error}."
            ) from error
        tokens = estimate_request(request) if self.policy.tokens_per_minute else 0
        return Call(request, self.endpoint.address(request), body, time.perf_counter(), tokens)

    async def enter(self, call: Call) -> Place:
        """Wait until the allowances and the endpoint's load let one more attempt in."""
        call.attempt += 1
        state = self.transport.here()
        policy, name, workers = self.policy, self.endpoint.name, self.transport.workers
        if policy.requests_per_minute or policy.tokens_per_minute:
            now = asyncio.get_running_loop().time()
            wait = 0.0
            if policy.requests_per_minute:
                wait = state.pace(name, "requests", policy.requests_per_minute / workers).reserve(1, now)
            if policy.tokens_per_minute:
                tokens = state.pace(name, "tokens", policy.tokens_per_minute / workers)
                wait = max(wait, tokens.reserve(call.tokens, now))
            if wait > 0:
                await self._sleep(wait)
        lane = state.lane((self.endpoint.base, *self.endpoint.secrets, call.request.model), policy.concurrency)
        return Place(state, lane, await lane.enter())

    def leave(self, place: Place, trouble: Trouble | None, *, ok: bool) -> None:
        """Give a place back and say how the attempt fared; a second time does nothing."""
        if not place.taken:
            return
        place.taken = False
        after = trouble.retry_after if trouble is not None else None
        if after is not None and after > self.policy.retry.max_retry_after:
            after = None
        place.lane.leave(place.ticket, ok=ok, overload=trouble is not None and trouble.overload, retry_after=after)

    async def send(self, state: LoopState, call: Call, *, stream: bool) -> aiohttp.ClientResponse:
        """Send one attempt; the response's head has come, its body may not. The caller releases it.

        Raises:
            Trouble: The endpoint answers with an error status.
        """
        own = call.request.headers
        headers = {**self._headers, **own} if own else self._headers
        if self.endpoint.token is not None:
            headers = {**headers, "Authorization": f"Bearer {await self._bearer(self.endpoint.token)}"}
        response = await state.session.post(
            call.url,
            data=call.body,
            headers=headers,
            timeout=self._timeout(call.request.timeout, stream=stream),
            # Not followed: a redirect would carry the key to wherever it points.
            allow_redirects=False,
            proxy=self.transport.proxy(call.url),
        )
        if response.status != 200:
            async with response:
                payload = await response.read()
            raise refused(response.status, payload, response.headers, retry_after(response.headers))
        return response

    def completion(self, call: Call, raw: dict[str, Any]) -> Completion:
        """The finished call's answer; raises Trouble where ``raw`` is none."""
        usage = usage_of(raw, call.request, self._prices)
        if call.tokens and usage.total_tokens and self.policy.tokens_per_minute:
            per_minute = self.policy.tokens_per_minute / self.transport.workers
            pace = self.transport.here().pace(self.endpoint.name, "tokens", per_minute)
            pace.correct(usage.total_tokens - call.tokens)
        duration = time.perf_counter() - call.started
        return completion_of(call.request, raw, usage=usage, attempts=call.attempt, duration=duration)

    def partial(self, call: Call, raw: dict[str, Any]) -> Completion:
        """What came of an answer that was cut."""
        usage = usage_of(raw, call.request, self._prices)
        try:
            return completion_of(call.request, raw, usage=usage, attempts=call.attempt)
        except Trouble:
            return Completion(None, None, raw, usage, call.request.model, attempts=call.attempt)

    async def pause(self, call: Call, trouble: Trouble) -> None:
        """Wait before the next attempt.

        Raises:
            ModelError: It is time to give up.
        """
        if trouble.status == 401 and self.endpoint.token is not None:
            # The token may have ended between two of our looks at it: one more try, with a new one.
            self._token = (0.0, "")
            trouble.tries = 2
        wait = self.policy.retry.wait(trouble, call.attempt, self._random.random)
        # It is the cause of what is raised, and whoever prints a traceback prints causes, too.
        trouble.message = self._redact.text(trouble.message)
        trouble.args = (trouble.message,)
        if wait is None:
            raise ModelError(
                self.sentence(call, trouble),
                code="ExceedMaxRetryTimes" if trouble.tries != 1 and call.attempt > 1 else None,
                status=trouble.status,
                retryable=trouble.tries != 1,
                retry_after=trouble.retry_after,
            ) from trouble
        await self._sleep(wait)

    def sentence(self, call: Call, trouble: Trouble) -> str:
        """A trouble for the user: the endpoint's words, the status, the connection's name, and no secret."""
        facts = [f"status {trouble.status}"] if trouble.status is not None else []
        facts += [f"connection {self.endpoint.name!r}", f"model {call.request.model!r}"]
        if call.attempt > 1:
            facts.append(f"{call.attempt} attempts")
        if trouble.retry_after is not None and trouble.retry_after > self.policy.retry.max_retry_after:
            facts.append(f"it asks to wait {trouble.retry_after:g} s, more than max_retry_after")
        text = f"{self.endpoint.label} hits {trouble.kind}: {trouble.message.rstrip('.')} ({', '.join(facts)})."
        return self._redact.text(text)

    def patience(self, request: Request) -> CallPolicy:
        """The policy, with the time that ``request`` itself gives."""
        seconds = request.timeout
        if seconds is None:
            return self.policy
        return dataclasses.replace(self.policy, timeout=seconds, stream_timeout=seconds)

    def _timeout(self, seconds: float | None, *, stream: bool) -> aiohttp.ClientTimeout:
        if seconds is not None:
            return self._make_timeout(seconds, stream=stream)
        timeout = self._timeouts.get(stream)
        if timeout is None:
            seconds = self.policy.stream_timeout if stream else self.policy.timeout
            timeout = self._timeouts[stream] = self._make_timeout(seconds, stream=stream)
        return timeout

    def _make_timeout(self, seconds: float | None, *, stream: bool) -> aiohttp.ClientTimeout:
        import aiohttp

        total, silence = (None, seconds) if stream else (seconds, None)
        return aiohttp.ClientTimeout(total=total, sock_connect=self.policy.connect_timeout, sock_read=silence)

    async def _bearer(self, get: Callable[[], str]) -> str:
        fetched, token = self._token
        if not token or time.monotonic() - fetched > _TOKEN_SECONDS:
            token = await asyncio.to_thread(get)
            self._token = (time.monotonic(), token)
            self._redact = Redactor((*self.endpoint.secrets, token))
        return token
