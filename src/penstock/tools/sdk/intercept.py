"""The ``send`` of httpx's clients, which the vendors' libraries send through: model calls are noted, offline ones answered.

Outside a flow it does what it always did.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

from penstock.connections.redact import Redactor, secret_headers
from penstock.errors import ModelError
from penstock.models.model import Completion, Request
from penstock.models.pool import Models
from penstock.tools.builtin.session import Session, opened
from penstock.tools.sdk.wire import Answer, asked, body_of
from penstock.tracing.notes import NOTES

_EVENTS = "text/event-stream"
_LARGEST = 50_000_000
_intercepted: list[ModuleType] = []


def intercept(module: ModuleType) -> None:
    """Have the clients of ``module`` (httpx, or one that is like it) tell of model calls; once is enough."""
    if module in _intercepted:
        return
    _intercepted.append(module)
    client, asynchronous = module.Client, module.AsyncClient
    tee = type("Tee", (_Tee, module.SyncByteStream), {})
    async_tee = type("AsyncTee", (_AsyncTee, module.AsyncByteStream), {})
    client.send = _sync_send(client.send, module, tee)
    asynchronous.send = _async_send(asynchronous.send, module, async_tee)


def _sync_send(send: Any, module: ModuleType, tee: Any) -> Any:
    @functools.wraps(send)
    def sending(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        call = _call(request)
        if call is None:
            return send(self, request, *args, **kwargs)
        answer, session = call
        if session.models.offline:
            return _response(module, request, answer, _ask_here(session.models, answer.request))
        try:
            response = send(self, request, *args, **kwargs)
        except Exception as error:
            answer.failed(f"{type(error).__name__}: {error}")
            raise
        return _watched(response, answer, session, tee)

    return sending


def _async_send(send: Any, module: ModuleType, tee: Any) -> Any:
    @functools.wraps(send)
    async def sending(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        call = _call(request)
        if call is None:
            return await send(self, request, *args, **kwargs)
        answer, session = call
        if session.models.offline:
            try:
                found: Completion | ModelError = await _ask(session.models, answer.request)
            except ModelError as error:
                found = error
            return _response(module, request, answer, found)
        try:
            response = await send(self, request, *args, **kwargs)
        except Exception as error:
            answer.failed(f"{type(error).__name__}: {error}")
            raise
        return _watched(response, answer, session, tee)

    return sending


def _call(request: Any) -> tuple[Answer, Session] | None:
    """What is asked, where it is a model that is asked and a flow asks; else None."""
    session = opened()
    if session is None:
        return None
    try:
        found = asked(request.method, request.url.path, request.content)
    except Exception:  # a body that is sent piece by piece: no model call is
        return None
    if found is None:
        return None
    return Answer(found, NOTES.get(), session.models.prices, _redactor(request, session)), session


def _redactor(request: Any, session: Session) -> Redactor:
    """Takes the keys of ``request`` out of text; the session's records do without them, too."""
    keys = secret_headers(request.headers.items())
    if session.connections is not None and not keys <= session.connections.secrets():
        session.connections.also_secret(keys)
    return Redactor(keys)


async def _ask(models: Models, request: Request) -> Completion:
    return await models.get(None).complete(request)


def _ask_here(models: Models, request: Request) -> Completion | ModelError:
    """The offline model's answer, for code that does not await."""
    try:
        # Not on the background loop: code that blocks it may be what waits for this answer.
        return asyncio.run_coroutine_threadsafe(_ask(models, request), _own_loop()).result()
    except ModelError as error:
        return error


@functools.cache
def _own_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="penstock-offline", daemon=True).start()
    return loop


def _response(module: ModuleType, request: Any, answer: Answer, found: Completion | ModelError) -> Any:
    if isinstance(found, ModelError):
        answer.failed(found.message)
        error = {"message": found.message, "type": "offline", "code": found.code, "param": None}
        # Not one of the codes that the library tries again by itself: asking again would change nothing.
        return module.Response(found.status or 400, json={"error": error}, request=request, headers=_NO_RETRY)
    answer.completed(found)
    body, kind = body_of(answer.request, found)
    return module.Response(200, content=body, request=request, headers={"content-type": kind})


_NO_RETRY = {"x-should-retry": "false"}


def _watched(response: Any, answer: Answer, session: Session, tee: Any) -> Any:
    write = session.models.write
    if not response.is_success:
        answer.failed(f"HTTP {response.status_code}: {_text(response)}")
    elif not response.is_stream_consumed:
        streams = response.headers.get("content-type", "").startswith(_EVENTS)
        if response.headers.get("content-encoding", "identity") == "identity":
            response.stream = tee(response.stream, _Watch(answer, streams, write))
    else:
        answer.read(response.content)
        write(answer.request, answer.whole)
    return response


def _text(response: Any) -> str:
    try:
        return str(response.text)
    except Exception:  # the body has not been read yet
        return str(response.reason_phrase)


class _Tee:
    """A response's stream that shows what passes."""

    def __init__(self, stream: Any, watch: _Watch) -> None:
        self._stream, self._watch = stream, watch

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._watch.see(chunk)
            yield chunk
        self._watch.end()

    def close(self) -> None:
        try:
            self._watch.end()
        finally:
            self._stream.close()


class _AsyncTee:
    """The same for a client with an event loop."""

    def __init__(self, stream: Any, watch: _Watch) -> None:
        self._stream, self._watch = stream, watch

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._watch.see(chunk)
            yield chunk
        self._watch.end()

    async def aclose(self) -> None:
        try:
            self._watch.end()
        finally:
            await self._stream.aclose()


class _Watch:
    def __init__(self, answer: Answer, events: bool, write: Any) -> None:
        self._answer = answer
        self._events = events
        self._write = write
        self._pieces: list[bytes] = []
        self._size = 0
        self._over = False

    def see(self, chunk: bytes) -> None:
        if self._over:
            return
        self._size += len(chunk)
        if self._size > _LARGEST:
            # It goes on to whoever reads it; kept twice it could be more than there is memory.
            self._over = True
            self._pieces.clear()
            self._answer.failed(f"The endpoint's answer has more than {_LARGEST:,} bytes, which are not recorded.")
        elif self._events:
            self._answer.feed(chunk)
        else:
            self._pieces.append(chunk)

    def end(self) -> None:
        if self._over:
            return
        self._over = True
        if self._events:
            self._answer.end()
        else:
            self._answer.read(b"".join(self._pieces))
        self._write(self._answer.request, self._answer.whole)
