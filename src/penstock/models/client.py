"""The wire client: a model behind an HTTP endpoint, whatever vendor speaks there."""

from __future__ import annotations

from typing import Any

from penstock.models.link import Call, Link
from penstock.models.model import Completion, Request
from penstock.models.network import network_errors, network_trouble
from penstock.models.payload import whole_json
from penstock.models.stream import HttpStream
from penstock.models.trouble import Trouble, told_in_body


class HttpModel:
    """A model at the end of ``link``."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def __repr__(self) -> str:
        """Names the connection, never its key."""
        return f"HttpModel({self._link.endpoint.name!r}, {self._link.endpoint.base!r})"

    async def complete(self, request: Request) -> Completion:
        """The whole answer; with ``stream`` among the parameters it is streamed and merged."""
        if request.params.get("stream"):
            stream = self.stream(request)
            async for _ in stream:
                pass
            return stream.completion
        link = self._link
        call = link.call(request, stream=False)
        while True:
            try:
                data = await self._attempt(call)
                return link.completion(call, link.dialect.whole(request, data))
            except Trouble as trouble:
                await link.pause(call, trouble)

    def stream(self, request: Request) -> HttpStream:
        """The answer piece by piece; ``stream: true`` is added where the parameters do not say so."""
        return HttpStream(self._link, request)

    async def close(self) -> None:
        """Close the session of the running loop, which all models of one ``Models`` share."""
        await self._link.transport.close()

    async def _attempt(self, call: Call) -> dict[str, Any]:
        link = self._link
        place = await link.enter(call)
        trouble: Trouble | None = None
        ok = False
        try:
            async with await link.send(place.state, call, stream=False) as response:
                payload = await response.read()
            data = whole_json(payload)
            if "error" in data and (found := told_in_body(data)) is not None:
                raise found
            ok = True
            return data
        except Trouble as found:
            trouble = found
            raise
        except network_errors() as error:
            trouble = network_trouble(error, link.endpoint.base, link.patience(call.request))
            raise trouble from error
        finally:
            link.leave(place, trouble, ok=ok)
