"""What calls share: one HTTP session for each event loop, and the queues before each endpoint."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from penstock.models.limiter import Lane, Pace

if TYPE_CHECKING:
    import aiohttp


class LoopState:
    """The session, lanes and paces of one event loop: none of them may be used in another."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self._lanes: dict[tuple[str, ...], Lane] = {}
        self._paces: dict[tuple[str, str], Pace] = {}

    def lane(self, key: tuple[str, ...], concurrency: int) -> Lane:
        """The queue before one model of one endpoint."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(concurrency)
        return lane

    def pace(self, connection: str, what: str, per_minute: float) -> Pace:
        """The allowance a minute of one connection, of ``requests`` or ``tokens``."""
        pace = self._paces.get((connection, what))
        if pace is None:
            pace = self._paces[connection, what] = Pace(per_minute)
        return pace


class Transport:
    """Sessions by event loop.

    Args:
        env: The process environment, for HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
        workers: Processes that share the allowances a minute; each uses its part of them.
    """

    def __init__(self, env: Mapping[str, str], workers: int = 1) -> None:
        self.workers = max(1, workers)
        lower = {key.lower(): value for key, value in env.items() if key.lower().endswith("_proxy") and value}
        self._proxies = {key.removesuffix("_proxy"): value for key, value in lower.items()}
        self._states: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopState] = weakref.WeakKeyDictionary()

    def here(self) -> LoopState:
        """What belongs to the running event loop; made on first use."""
        loop = asyncio.get_running_loop()
        state = self._states.get(loop)
        if state is None or state.session.closed:
            state = self._states[loop] = LoopState(_session())
        return state

    def proxy(self, url: str) -> str | None:
        """The proxy for ``url``, None for a direct connection."""
        if not self._proxies:
            return None
        # 20 ms of http.client and email, for those who have a proxy.
        from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # missing in typeshed

        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all")
        bypass: bool = proxy_bypass_environment(parts.hostname or "", {"no": self._proxies.get("no", "")})
        return None if bypass else proxy

    async def close(self) -> None:
        """Close the running loop's session; the others end with their loops."""
        state = self._states.pop(asyncio.get_running_loop(), None)
        if state is not None:
            await state.session.close()


def _session() -> aiohttp.ClientSession:
    import aiohttp  # 180 ms that a flow without models need not pay

    return aiohttp.ClientSession(
        # No limit here: the lanes before the endpoints decide how many calls are open at once.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ttl_dns_cache=300),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "penstock"},
        read_bufsize=2**18,
    )
