"""One JSON request to a service that is no model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.errors import ToolError
from penstock.tools.builtin.session import current

TIMEOUT = 60.0  # seconds, for the whole exchange
_LIMIT = 32 * 1024 * 1024  # bytes of an answer; more is no search result and no verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP status, the body's text, and the body as JSON (None where it is none)."""

    status: int
    text: str
    json: Any


async def exchange(
    service: str,
    method: str,
    url: str,
    *,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
    secret: str = "",
) -> Answer:
    """Send one request and read its whole answer, whatever its status.

    Args:
        service: The service's name, for messages.
        method: HTTP method.
        url: Where to.
        params: Query parameters.
        headers: Headers.
        body: Sent as JSON where it is not None.
        secret: Text that must not show in a message.

    Raises:
        ToolError: This run is offline, or no answer came.
    """
    import aiohttp  # 0.2 s to import, and most flows call no such service

    session = current()
    session.refuse_network(service)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as client,
            client.request(method, url, params=params, headers=headers, json=body, allow_redirects=False) as response,
        ):
            data = await response.content.read(_LIMIT)
            text = data.decode(response.charset or "utf-8", "replace")
            return Answer(response.status, text, _json(text))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        reason = str(error) or f"no answer within {TIMEOUT:g} seconds"
        reason = reason.replace(secret, "***") if secret else reason
        raise ToolError(f"{service} could not be asked: {type(error).__name__}: {reason}.") from None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
