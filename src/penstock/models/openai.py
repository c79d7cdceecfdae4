"""OpenAI's wire protocol, as OpenAI, Azure OpenAI, serverless deployments and compatible servers speak it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from penstock.errors import BadConnection
from penstock.models.endpoint import Endpoint, name_of, text_of
from penstock.models.merge import Merger, merger
from penstock.models.model import Api, Request

PATHS: dict[Api, str] = {
    "chat": "/chat/completions",
    "completion": "/completions",
    "embedding": "/embeddings",
    "responses": "/responses",
}
_LABEL = "OpenAI API"
# Azure's own versionless interface: the path of OpenAI, no deployment in it.
_AZURE_V1 = frozenset({"v1", "preview", "latest"})


class OpenAIDialect:
    """Requests and answers are OpenAI-shaped already."""

    def body(self, request: Request) -> dict[str, Any]:
        """The model and the caller's parameters, nothing else."""
        return {"model": request.model, **request.params}

    def whole(
        self,
        request: Request,  # ruff: ignore[unused-method-argument]  other dialects need it
        data: dict[str, Any],
    ) -> dict[str, Any]:
        """The answer as it came."""
        return data

    def merger(self, request: Request) -> Merger:
        """OpenAI's own."""
        return merger(request.api)


def openai(connection: Any) -> Endpoint:
    """The endpoint of an OpenAIConnection."""
    headers = {}
    if organization := text_of(connection, "organization"):
        headers["OpenAI-Organization"] = organization
    return _bearer(connection, text_of(connection, "base_url") or "https://api.openai.com/v1", headers)


def compatible(connection: Any) -> Endpoint:
    """The endpoint of an OpenAICompatibleConnection: any address, key and further headers where it has them."""
    base = text_of(connection, "base_url")
    if not base:
        raise BadConnection(f"Connection {name_of(connection)!r} needs a `base_url`, as in http://127.0.0.1:8080/v1.")
    more = getattr(connection, "headers", None)
    extra = {str(key): str(value) for key, value in more.items()} if isinstance(more, Mapping) else {}
    return _bearer(connection, base, extra)


def serverless(connection: Any) -> Endpoint:
    """The endpoint of a ServerlessConnection: its ``api_base``, with ``/v1`` where that is missing."""
    base = text_of(connection, "api_base").rstrip("/")
    return _bearer(connection, base if base.endswith("/v1") else base + "/v1", {})


def azure(connection: Any) -> Endpoint:
    """The endpoint of an AzureOpenAIConnection, by key or by Microsoft Entra token."""
    base = text_of(connection, "api_base").rstrip("/")
    if not base:
        raise BadConnection(
            f"Connection {name_of(connection)!r} needs an `api_base`, as in https://NAME.openai.azure.com."
        )
    version = text_of(connection, "api_version")
    signs_in = text_of(connection, "auth_mode").lower() in {"meid_token", "aad", "token"}
    key = text_of(connection, "api_key")
    if not key and not signs_in:
        raise BadConnection(f"Connection {name_of(connection)!r} needs an `api_key`, or `auth_mode: meid_token`.")
    return Endpoint(
        name=name_of(connection),
        label=_LABEL,
        base=base,
        address=_azure_v1(base, version) if _speaks_v1(base, version) else _azure_dated(base, version),
        headers={} if signs_in else {"api-key": key},
        secrets=() if signs_in else (key,),
        token=connection.get_token if signs_in else None,
    )


def _bearer(connection: Any, base: str, headers: dict[str, str]) -> Endpoint:
    base = base.rstrip("/")
    key = text_of(connection, "api_key")
    values = tuple(value for name, value in headers.items() if name != "OpenAI-Organization")
    if key and "authorization" not in {name.lower() for name in headers}:
        headers = {"Authorization": f"Bearer {key}", **headers}
    return Endpoint(
        name=name_of(connection),
        label=_LABEL,
        base=base,
        address=lambda request: base + PATHS[request.api],
        headers=headers,
        secrets=tuple(value for value in (key, *values) if value),
    )


def _speaks_v1(base: str, version: str) -> bool:
    return version.lower() in _AZURE_V1 or base.endswith("/openai/v1")


def _azure_v1(base: str, version: str) -> Callable[[Request], str]:
    root = base if base.endswith("/openai/v1") else base.removesuffix("/openai") + "/openai/v1"
    query = f"?api-version={version}" if version.lower() in {"preview", "latest"} else ""
    return lambda request: root + PATHS[request.api] + query


def _azure_dated(base: str, version: str) -> Callable[[Request], str]:
    root = base.removesuffix("/openai") + "/openai"
    query = f"?api-version={quote(version, safe='')}" if version else ""

    def address(request: Request) -> str:
        if "/deployments/" in base:
            return base + PATHS[request.api] + query
        if request.api == "responses":  # the one call that names its deployment in the body alone
            return f"{root}/responses{query}"
        return f"{root}/deployments/{quote(request.model, safe='')}{PATHS[request.api]}{query}"

    return address
