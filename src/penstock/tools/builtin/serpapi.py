"""Web search through SerpAPI."""

from typing import Any

from penstock.connections.kinds import SerpConnection
from penstock.errors import ToolError
from penstock.tools.builtin.http import exchange

ENDPOINT = "https://serpapi.com"


async def search(
    connection: SerpConnection,
    query: str,
    location: str | None = None,
    safe: str = "off",
    num: int = 10,
    engine: str = "google",
) -> Any:
    """The search service's answer, a JSON object.

    Args:
        connection: Holds ``api_key``; a setting ``api_base`` replaces the service's own address.
        query: What to search for.
        location: Where the search is made from.
        safe: ``active`` leaves out adult content, ``off`` does not.
        num: How many results; 0 leaves it to the service.
        engine: ``google`` or ``bing``.

    Raises:
        ToolError: The service refused or failed; code ``SerpAPIUserError`` or ``SerpAPISystemError``.
    """
    engine, safe = str(getattr(engine, "value", engine)), str(getattr(safe, "value", safe))
    google = engine.lower() == "google"
    params = {"q": query, "engine": engine, "api_key": connection.api_key, "source": "python", "output": "json"}
    if location:
        params["location"] = location
    if safe == "active":
        params |= {"safe": "Active"} if google else {"safeSearch": "Strict"}
    if int(num) > 0:
        params["num" if google else "count"] = str(int(num))
    base = connection.configs.get("api_base") or ENDPOINT
    key = str(connection.api_key)
    answer = await exchange("SerpAPI", "GET", f"{base.rstrip('/')}/search", params=params, secret=key)
    if answer.status == 200 and answer.json is not None:
        return answer.json
    told = answer.json.get("error") if isinstance(answer.json, dict) else None
    code = "SerpAPISystemError" if answer.status >= 500 or answer.status == 200 else "SerpAPIUserError"
    detail = str(told or answer.text[:500]).replace(key, "***")
    raise ToolError(f"SerpAPI answered with status {answer.status}: {detail}", code=code)
