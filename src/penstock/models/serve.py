"""The scripted model as a local HTTP endpoint: OpenAI's paths and Azure's, with faults on demand.

Imports aiohttp's server at once; only those import this module who serve.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from penstock.errors import ModelError
from penstock.models.chunks import chunks_of
from penstock.models.faults import Fault, Faults
from penstock.models.model import Api, Request
from penstock.models.openai import PATHS
from penstock.models.rules import Refusal
from penstock.models.script import Script
from penstock.models.scripted import error_body
from penstock.models.trouble import TYPES

_PREFIXES = ("", "/v1", "/openai", "/openai/v1", "/openai/deployments/{deployment}")
_NEEDED: dict[Api, str] = {"chat": "messages", "completion": "prompt", "embedding": "input", "responses": "input"}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LARGEST = 64 * 2**20  # bytes of a request; images are sent inline


@dataclass(slots=True)
class Service:
    """What one server answers with.

    Attributes:
        script: The rules at work.
        faults: What goes wrong on purpose.
        latency: Seconds that every answer takes at least.
        remote: Whether other names than those of this machine may be asked for.
    """

    script: Script
    faults: Faults = field(default_factory=Faults)
    latency: float = 0.0
    remote: bool = False


@asynccontextmanager
async def serving(service: Service, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[str, None]:
    """The running server; gives its address, ``http://HOST:PORT``. Leaving it stops the server.

    Raises:
        OSError: The port is taken, or the host is none of this machine.
    """
    runner = web.AppRunner(application(service), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0]
        name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        yield f"http://{name}:{bound[1]}"
    finally:
        await runner.cleanup()


def application(service: Service) -> web.Application:
    """The web application of a service."""
    app = web.Application(client_max_size=_LARGEST, middlewares=[_guard(service)])
    for api, path in PATHS.items():
        for prefix in _PREFIXES:
            app.router.add_post(prefix + path, _handler(service, api))
    for prefix in ("", "/v1", "/openai", "/openai/v1"):
        app.router.add_get(prefix + "/models", _models)
    app.router.add_get("/health", _health)
    return app


def _guard(service: Service) -> Any:
    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        # A web page that points its own name at this machine must not be able to talk to us.
        name = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdigit() else request.host
        if not service.remote and name.strip("[]").lower() not in _LOOPBACK:
            return _failure(403, f"This server answers only to the names of its own machine, not to {name!r}.")
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _failure(error.status, f"{request.method} {request.path}: {error.reason}.")

    return guard


def _handler(service: Service, api: Api) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            asked = _asked(api, await request.json(), request.match_info.get("deployment", ""))
        except ValueError as error:
            return _failure(400, str(error))
        faults = {fault.kind: fault for fault in service.faults.draw()}
        for fault in faults.values():
            if fault.kind.isdigit():
                return _failure(int(fault.kind), f"made-up fault {fault.kind}", retry_after=fault.seconds)
        try:
            outcome = service.script.answer(asked)
        except ModelError as error:
            return _failure(400, error.message, code=error.code)
        slow = faults["slow"].seconds or 0.0 if "slow" in faults else 0.0
        wait = max(outcome.latency, service.latency) + slow
        if wait > 0:
            await asyncio.sleep(wait)
        if outcome.error is not None:
            return _refusal(outcome.error)
        assert outcome.raw is not None, "an outcome is an answer or an error"
        if asked.params.get("stream") and api != "embedding":
            return await _stream(request, asked, outcome.raw, faults)
        return await _whole(request, outcome.raw, faults)

    return handle


def _asked(api: Api, body: Any, deployment: str) -> Request:
    if not isinstance(body, dict):
        raise ValueError("The body must be a JSON object.")
    if _NEEDED[api] not in body:
        raise ValueError(f"Missing required parameter: '{_NEEDED[api]}'.")
    params = {key: value for key, value in body.items() if key != "model"}
    return Request(api, str(body.get("model") or deployment), params)


async def _whole(request: web.Request, raw: dict[str, Any], faults: dict[str, Fault]) -> web.StreamResponse:
    text = json.dumps(raw)
    if "malformed" in faults:
        return web.Response(text=text[: len(text) // 2], content_type="application/json")
    if "cut" in faults:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(text.encode())
        await response.prepare(request)
        await response.write(text.encode()[: len(text) // 2])
        _hang_up(request)
        return response
    return web.Response(text=text, content_type="application/json")


async def _stream(
    request: web.Request, asked: Request, raw: dict[str, Any], faults: dict[str, Fault]
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    usage = (asked.params.get("stream_options") or {}).get("include_usage") is True
    events = list(chunks_of(asked.api, raw, include_usage=usage))
    damaged = len(events) // 2
    for number, event in enumerate(events):
        text = json.dumps(event)
        if number == damaged and "cut" in faults:
            _hang_up(request)
            return response
        if number == damaged and "malformed" in faults:
            text = text[: len(text) // 2]
        name = f"event: {event['type']}\n" if asked.api == "responses" else ""
        await response.write(f"{name}data: {text}\n\n".encode())
    if asked.api != "responses":
        await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


def _refusal(error: Refusal) -> web.Response:
    headers = {"Retry-After": f"{error.retry_after:g}"} if error.retry_after is not None else None
    return web.json_response(error_body(error), status=error.status, headers=headers)


def _failure(status: int, message: str, *, code: str | None = None, retry_after: float | None = None) -> web.Response:
    kind = TYPES.get(status) or "InternalServerError"
    return _refusal(Refusal(status, message, type=kind, code=code, retry_after=retry_after))


async def _models(_: web.Request) -> web.Response:  # ruff: ignore[unused-async]  aiohttp takes coroutines
    model = {"id": "scripted", "object": "model", "created": 0, "owned_by": "penstock"}
    return web.json_response({"object": "list", "data": [model]})


async def _health(_: web.Request) -> web.Response:  # ruff: ignore[unused-async]  aiohttp takes coroutines
    return web.json_response({"status": "ok"})
