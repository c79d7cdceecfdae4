"""A server that answers what the test tells it, byte by byte if need be, and the models that talk to it."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from penstock.connections.kinds import OpenAIConnection
from penstock.models.client import HttpModel
from penstock.models.link import Link
from penstock.models.openai import OpenAIDialect, openai
from penstock.models.policy import CallPolicy
from penstock.models.prices import Prices
from penstock.models.retry import RetryPolicy
from penstock.models.transport import Transport

KEY = "test-key-0123456789"


@dataclass
class Endpoint:
    """Plays ``answers`` one by one, the last one again and again; keeps what it was asked."""

    answers: list
    url: str = ""
    seen: list = field(default_factory=list)
    headers: list = field(default_factory=list)

    async def handle(self, request):
        raw = await request.read()
        self.seen.append((request.path_qs, json.loads(raw) if raw else None))
        self.headers.append(request.headers)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


def reply(text="fine", status=200, headers=None, **raw):
    """A whole chat answer, or with another status an error."""
    body = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        **raw,
    }
    return page(json.dumps(body) if status == 200 else json.dumps({"error": {"message": text, **raw}}), status, headers)


def page(text, status=200, headers=None, kind="application/json"):
    async def answer(request):
        await asyncio.sleep(0)
        return web.Response(text=text, status=status, headers=headers, content_type=kind)

    return answer


def events(*pieces, close=True, status=200):
    """A stream made of ``pieces`` (dicts become events, bytes go out as they are); cut off where ``close`` is false."""

    async def answer(request):
        response = web.StreamResponse(status=status, headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece if isinstance(piece, bytes) else f"data: {json.dumps(piece)}\n\n".encode())
        if close:
            await response.write_eof()
        else:
            request.transport.close()
        return response

    return answer


def hang_up():
    async def answer(request):
        await asyncio.sleep(0)
        request.transport.close()
        return web.Response()

    return answer


def hang(seconds=30):
    async def answer(request):
        await asyncio.sleep(seconds)
        return web.Response()

    return answer


@pytest.fixture
def kit():
    """The helpers of this file, for the tests that build their own scene."""
    return Kit


class Kit:
    key = KEY
    reply = staticmethod(reply)
    page = staticmethod(page)
    events = staticmethod(events)
    hang_up = staticmethod(hang_up)
    hang = staticmethod(hang)

    @staticmethod
    def chunk(text=None, finish=None, **delta):
        if text is not None:
            delta["content"] = text
        return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    @staticmethod
    @asynccontextmanager
    async def endpoint(*answers):
        endpoint = Endpoint(list(answers))
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", endpoint.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield endpoint
        finally:
            await runner.cleanup()

    @staticmethod
    @asynccontextmanager
    async def model(url, *, waits=None, policy=None, connection=None, of=openai, dialect=None, env=None, **retry):
        """A wire client that does not really wait between its attempts; what it would have waited is in ``waits``."""
        waited = [] if waits is None else waits

        async def sleep(seconds):
            waited.append(seconds)
            await asyncio.sleep(0)

        transport = Transport(env or {})
        policy = policy or CallPolicy(retry=RetryPolicy(**retry))
        connection = connection or OpenAIConnection(KEY, base_url=url + "/v1", name="oai")
        link = Link(of(connection), dialect or OpenAIDialect(), policy, transport, Prices(), sleep=sleep)
        try:
            yield HttpModel(link)
        finally:
            await transport.close()
