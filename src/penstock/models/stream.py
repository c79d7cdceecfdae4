"""The stream of a call over HTTP: opened when first asked, tried again until something came, told when it is cut."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from penstock.errors import ModelError
from penstock.models.answer import read
from penstock.models.link import Call, Link, Place
from penstock.models.model import Completion, CutStream, Delta, Request
from penstock.models.network import network_errors, network_trouble
from penstock.models.payload import event_json, whole_json
from penstock.models.sse import Event, EventParser
from penstock.models.trouble import Trouble, told_in_body

if TYPE_CHECKING:
    import aiohttp

_DONE = "[DONE]"
# How long to wait for the end of the connection after the end of the answer, to be able to use it again.
_LINGER = 0.2


class HttpStream:
    """Deltas of one call.

    Until the first delta was handed out, troubles are tried again like those of any call. After that nothing can be
    taken back: a cut stream is a ``CutStream``, with what had come.
    """

    def __init__(self, link: Link, request: Request) -> None:
        self._link = link
        self._request = request
        self._call: Call | None = None
        self._merger = link.dialect.merger(request)
        self._parser = EventParser()
        self._response: aiohttp.ClientResponse | None = None
        self._place: Place | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: deque[Delta] = deque()
        self._trouble: Trouble | None = None
        self._began = False
        self._over = False
        self._completion: Completion | None = None

    @property
    def completion(self) -> Completion:
        """The whole answer, once the stream has ended."""
        if self._completion is None or self._ready:
            raise RuntimeError("The stream has not ended: take all its pieces before asking for the completion.")
        return self._completion

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta:
        while not self._ready:
            if self._trouble is not None:
                await self._failed(self._trouble)
            if self._over:
                raise StopAsyncIteration
            try:
                await self._advance()
            except Trouble as trouble:
                self._met(trouble)
            except network_errors() as error:
                self._met(network_trouble(error, self._link.endpoint.base, self._link.patience(self._request)), error)
            except BaseException:
                self._drop()
                raise
        self._began = True
        return self._ready.popleft()

    async def aclose(self) -> None:
        """Stop reading and free the connection."""
        self._over = True
        self._ready.clear()
        self._drop()

    def __del__(self) -> None:
        """A stream that was left behind must give back its place, or its endpoint's lane stays narrower for ever."""
        if self._place is not None and self._place.taken and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_abandon, self._link, self._place, self._response)

    async def _advance(self) -> None:
        if self._response is None:
            await self._open()
            return
        chunk = await self._response.content.readany()
        events = self._parser.feed(chunk) if chunk else self._parser.close()
        done = False
        for event in events:
            done = done or event.data == _DONE
            if not done:
                self._take(event)
        if done or self._merger.closed:
            await _to_end(self._response)
        elif chunk:
            return
        if not (done or self._merger.ended):
            raise Trouble("APIConnectionError", "the stream ended before the answer did", tries=None)
        self._finish()

    async def _open(self) -> None:
        link = self._link
        self._loop = asyncio.get_running_loop()
        call = self._call = self._call or link.call(self._request, stream=True)
        self._merger, self._parser = link.dialect.merger(call.request), EventParser()
        self._place = await link.enter(call)
        self._response = await link.send(self._place.state, call, stream=True)
        if self._response.content_type == "application/json":
            # The server does not stream: its whole answer is one piece.
            self._take_whole(call, whole_json(await self._response.read()))
            self._finish()

    def _take(self, event: Event) -> None:
        delta = self._merger.add(event_json(event))
        if delta is not None:
            self._ready.append(delta)

    def _take_whole(self, call: Call, data: dict[str, Any]) -> None:
        trouble = told_in_body(data)
        if trouble is not None:
            raise trouble
        raw = self._link.dialect.whole(call.request, data)
        self._ready.append(Delta(read(call.request.api, raw).text or "", raw))
        self._completion = self._link.completion(call, raw)

    def _finish(self) -> None:
        assert self._call is not None, "a stream that ends was opened"
        if self._completion is None:
            self._completion = self._link.completion(self._call, self._merger.raw())
        self._over = True
        self._drop(ok=True)

    def _met(self, trouble: Trouble, cause: Exception | None = None) -> None:
        """Give the place back at once; what to do about the trouble is decided when the deltas before it are taken."""
        trouble.__cause__ = cause
        if cause is not None and self._merger.ended:
            self._finish()  # the answer is whole; what broke is a connection that had nothing more to say
            return
        self._drop(trouble)
        if not self._began:
            self._ready.clear()
        self._trouble = trouble

    async def _failed(self, trouble: Trouble) -> None:
        self._trouble = None
        call = self._call
        assert call is not None, "a stream that failed was opened"
        if self._began:
            self._over = True
            raise self._cut(call, trouble) from trouble
        try:
            await self._link.pause(call, trouble)
        except ModelError:
            self._over = True
            cut = self._cut(call, trouble)
            if cut.partial.text:
                raise cut from trouble
            raise
        except BaseException:
            self._over = True
            raise

    def _cut(self, call: Call, trouble: Trouble) -> CutStream:
        partial = self._link.partial(call, self._merger.raw())
        so_far = len(partial.text or "")
        text = f"{self._link.sentence(call, trouble)} The stream was cut after {so_far} characters of the answer."
        return CutStream(text, partial=partial, status=trouble.status)

    def _drop(self, trouble: Trouble | None = None, *, ok: bool = False) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()  # one whose end was read has given its connection back already; others lose theirs
        place, self._place = self._place, None
        if place is not None:
            self._link.leave(place, trouble, ok=ok)


def _abandon(link: Link, place: Place, response: aiohttp.ClientResponse | None) -> None:
    if response is not None:
        response.close()
    link.leave(place, None, ok=False)


async def _to_end(response: aiohttp.ClientResponse) -> None:
    try:
        async with asyncio.timeout(_LINGER):
            await response.content.read()
    except network_errors():
        return  # the answer is whole; only the connection cannot be used again
