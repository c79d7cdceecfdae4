"""One cheap request that shows whether a connection works: a list of models, an account; never a generation."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.connections.azure import TOKEN
from penstock.connections.connection import MASK, Connection
from penstock.connections.kinds import ServerlessConnection
from penstock.connections.token import azure_token

TIMEOUT = 20.0  # seconds, over all
_MAX_BYTES = 2_000_000
_SEARCH_SCOPE = "https://search.azure.com/.default"  # the search service takes no token of the AI services


@dataclass(frozen=True, slots=True)
class Probe:
    """What came back.

    Attributes:
        ok: True where the endpoint accepted the request, None where the kind has no request to try.
        message: One sentence; holds no secret.
        url: What was asked, without its query.
        status: HTTP status, None where no answer came.
        duration: Seconds.
        models: Ids the endpoint listed.
    """

    ok: bool | None
    message: str
    url: str | None = None
    status: int | None = None
    duration: float = 0.0
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Question:
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    query: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


async def probe(conn: Connection, seconds: float = TIMEOUT) -> Probe:
    """Ask the endpoint of ``conn`` one cheap question; an endpoint that refuses or is not there is an answer, too.

    Raises:
        MissingDependency: The connection wants an Azure token and azure-identity is not installed.
        BadConnection: No Azure token can be had.
    """
    ask = _QUESTIONS.get(conn.type)
    if ask is None:
        return Probe(None, f"A connection of type {conn.type!r} has no endpoint that Penstock knows how to try.")
    started = time.monotonic()
    # A token may take a login to the cloud, which blocks.
    question = await asyncio.to_thread(ask, conn)
    if not question.url.startswith(("http://", "https://")):
        return Probe(False, f"{question.url} is no address; it must begin with https:// or http://.", question.url)
    try:
        async with asyncio.timeout(seconds):
            status, body = await _get(question)
    except TimeoutError:
        return Probe(False, f"{question.url} did not answer within {seconds:g} s.", question.url, None, seconds)
    except (OSError, ValueError) as error:  # aiohttp's errors of connections and of URLs are these
        said = _scrub(conn, str(error) or type(error).__name__)
        return Probe(
            False, f"{question.url} cannot be reached: {said}.", question.url, None, time.monotonic() - started
        )
    duration = time.monotonic() - started
    ok, message, models = _verdict(conn, question.url, status, body)
    return Probe(ok, message, question.url, status, duration, models)


async def _get(question: _Question) -> tuple[int, bytes]:
    import aiohttp

    try:
        async with (
            aiohttp.ClientSession(trust_env=True) as session,
            # A redirect is not followed: it would carry the key to wherever it points.
            session.get(question.url, headers=question.headers, params=question.query, allow_redirects=False) as answer,
        ):
            body = b""
            async for part in answer.content.iter_chunked(65536):
                body += part
                if len(body) > _MAX_BYTES:
                    break
            return answer.status, body
    except TimeoutError:  # some of which are errors of aiohttp, too
        raise
    except aiohttp.ClientError as error:
        raise OSError(str(error)) from error


def _verdict(conn: Connection, url: str, status: int, body: bytes) -> tuple[bool, str, tuple[str, ...]]:
    try:
        data = json.loads(body)
    except ValueError:
        data = None
    if 200 <= status < 300:
        models = _model_ids(data)
        some = ", ".join(models[:5]) + (", …" if len(models) > 5 else "")
        listed = f" and lists {len(models)} model{'s' if len(models) > 1 else ''}: {some}" if models else ""
        return True, f"{url} answers{_scrub(conn, listed)}.", models
    said = _scrub(conn, _words(data) or body[:200].decode(errors="replace").strip())
    said = f": {said}" if said else ""
    if status in {401, 403}:
        return False, f"{url} refuses the key or token (HTTP {status}){said}", ()
    if 300 <= status < 400:
        return False, f"{url} redirects (HTTP {status}); give the address it redirects to.", ()
    if status == 404:
        return False, f"{url} is not there (HTTP 404); is the base address right?{said and ' It says' + said}", ()
    return False, f"{url} answers HTTP {status}{said}", ()


def _model_ids(data: Any) -> tuple[str, ...]:
    items = data.get("data") if isinstance(data, dict) else None
    if not isinstance(items, list):
        return ()
    return tuple(str(item["id"]) for item in items if isinstance(item, dict) and "id" in item)


def _words(data: Any) -> str:
    """The endpoint's own words about an error, as these vendors put them."""
    error = data.get("error", data.get("message")) if isinstance(data, dict) else None
    if isinstance(error, dict):
        error = error.get("message")
    return error[:500] if isinstance(error, str) else ""


def _scrub(conn: Connection, text: str) -> str:
    for value in conn.secrets.values():
        for secret in value.values() if isinstance(value, dict) else (value,):
            if isinstance(secret, str) and len(secret) > 3:
                text = text.replace(secret, MASK)
    return text


def _join(base: str | None, path: str) -> str:
    return f"{(base or '').rstrip('/')}/{path}"


def _bearer(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _openai(conn: Any) -> _Question:
    organization = {"OpenAI-Organization": conn.organization} if conn.organization else {}
    base = conn.base_url or "https://api.openai.com/v1"
    return _Question(_join(base, "models"), {**_bearer(conn.api_key), **organization})


def _compatible(conn: Any) -> _Question:
    return _Question(_join(conn.base_url, "models"), {**_bearer(conn.api_key), **(conn.headers or {})})


def _serverless(conn: ServerlessConnection) -> _Question:
    base = conn.api_base.rstrip("/")
    return _Question(_join(base if base.endswith("/v1") else f"{base}/v1", "models"), _bearer(conn.api_key))


def _anthropic(conn: Any) -> _Question:
    headers = {"x-api-key": conn.api_key, "anthropic-version": conn.api_version}
    return _Question(_join(conn.base_url, "v1/models"), headers)


def _azure_openai(conn: Any) -> _Question:
    headers = _bearer(conn.get_token()) if conn.auth_mode == TOKEN else {"api-key": conn.api_key}
    return _Question(_join(conn.api_base, "openai/models"), headers, {"api-version": conn.api_version})


def _search(conn: Any) -> _Question:
    headers = _bearer(azure_token(_SEARCH_SCOPE)) if conn.auth_mode == TOKEN else {"api-key": conn.api_key}
    return _Question(_join(conn.api_base, "servicestats"), headers, {"api-version": conn.api_version})


def _cognitive(path: str) -> Callable[[Any], _Question]:
    def ask(conn: Any) -> _Question:
        headers = {"Ocp-Apim-Subscription-Key": conn.api_key}
        return _Question(_join(conn.endpoint, path), headers, {"api-version": conn.api_version})

    return ask


_QUESTIONS: dict[str, Callable[[Any], _Question]] = {
    "open_ai": _openai,
    "openai_compatible": _compatible,
    "serverless": _serverless,
    "anthropic": _anthropic,
    "azure_open_ai": _azure_openai,
    "cognitive_search": _search,
    "azure_content_safety": _cognitive("contentsafety/text/blocklists"),
    "form_recognizer": _cognitive("formrecognizer/info"),
    "serp": lambda conn: _Question("https://serpapi.com/account", query={"api_key": conn.api_key}),
    "qdrant": lambda conn: _Question(_join(conn.api_base, "collections"), {"api-key": conn.api_key}),
    "weaviate": lambda conn: _Question(_join(conn.api_base, "v1/meta"), _bearer(conn.api_key)),
}
