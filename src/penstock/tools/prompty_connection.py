"""Whom a prompty asks: from ``model.configuration`` to a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.connections.azure import KEY, TOKEN
from penstock.connections.kinds import (
    AnthropicConnection,
    AzureOpenAIConnection,
    Connection,
    OpenAICompatibleConnection,
    OpenAIConnection,
    ServerlessConnection,
)
from penstock.connections.model_configuration import AzureOpenAIModelConfiguration, ModelConfiguration
from penstock.connections.resolve import Connections
from penstock.errors import BadConnection
from penstock.prompts.prompty import Prompty

_WITH_MODELS = (
    AzureOpenAIConnection,
    OpenAIConnection,
    OpenAICompatibleConnection,
    ServerlessConnection,
    AnthropicConnection,
)
# Every spelling of ``type``, written small and without underscores.
_AZURE = frozenset({"azureopenai", "azure", "azurebeta", "azureopenaibeta", "foundry"})
_COMPATIBLE = frozenset({"openaicompatible", "serverless"})
_SHOWN = "azure_openai, openai, serverless, anthropic, openai_compatible"
# Fields that say which model, not where it is.
_NO_ENDPOINT = frozenset({"type", "connection", "azure_deployment", "model", "name"})


def connection_of(prompty: Prompty, connections: Connections | None, env: Mapping[str, str]) -> Connection:
    """The connection that the configuration of ``prompty`` names or describes, else that of the environment.

    Args:
        prompty: Its ``model.configuration`` is read.
        connections: Where a name is looked up.
        env: The variables; where no endpoint is configured, those of the vendor's own client say which.

    Raises:
        BadConnection: There is none of that name, the type is unknown, or a setting is missing.
    """
    given = prompty.model.configuration
    settings = _settings(given)
    named = settings.get("connection")
    if isinstance(named, Connection):
        return _with_model(named, prompty)
    if named:
        if connections is None:
            raise BadConnection(f"{prompty.file}: there are no connections here to look {named!r} up in.")
        return _with_model(connections.get(str(named)), prompty)
    kind = _kind(settings, prompty)
    _check_unset(prompty)
    values = {key: str(value) for key, value in settings.items() if key not in _NO_ENDPOINT and value}
    name = prompty.file.name
    if kind in _AZURE:
        return _azure(values, name, prompty, env)
    if kind == "openai":
        return _openai(values, name, prompty, env)
    if kind == "anthropic":
        return _anthropic(values, name, env)
    return _compatible(values, name, prompty)


def offline_connection(prompty: Prompty) -> Connection:
    """What stands in where no endpoint is ever asked."""
    return OpenAIConnection(api_key="offline", name=prompty.file.name)


def _settings(given: Any) -> dict[str, Any]:
    if isinstance(given, ModelConfiguration):
        kind = "azure_openai" if isinstance(given, AzureOpenAIModelConfiguration) else "openai"
        return {"type": kind, **given.fields()}
    return {str(key): value for key, value in given.items()} if isinstance(given, Mapping) else {}


def _with_model(connection: Connection, prompty: Prompty) -> Connection:
    if not isinstance(connection, _WITH_MODELS):
        raise BadConnection(
            f"{prompty.file}: connection {connection.name!r} is {type(connection).__name__}, which has no model behind it;"
            f" a prompty takes {', '.join(kind.__name__ for kind in _WITH_MODELS)}.",
            code="UnknownConnectionType",
        )
    return connection


def _kind(settings: Mapping[str, Any], prompty: Prompty) -> str:
    given = settings.get("type")
    if given is None:
        if any(key.startswith("azure_") for key, value in settings.items() if value):
            return "azureopenai"
        if settings.get("model") or settings.get("base_url"):
            return "openai"
        raise BadConnection(
            f"{prompty.file}: no model is configured: add model.configuration with a type ({_SHOWN}), and the model or"
            " deployment.",
            code="UnknownConnectionType",
        )
    kind = str(given).lower().replace("_", "").removesuffix("connection")
    if kind not in {*_AZURE, *_COMPATIBLE, "openai", "anthropic"}:
        raise BadConnection(
            f"{prompty.file}: model.configuration.type {given!r} is unknown; there are: {_SHOWN}.",
            code="UnknownConnectionType",
        )
    return kind


def _check_unset(prompty: Prompty) -> None:
    """An endpoint with a hole in it can never be reached; a key may not matter to the endpoint."""
    for one in prompty.unset:
        needed = prompty.dialect != "promptflow" or one.path[-1] in (
            "azure_endpoint",
            "api_base",
            "base_url",
            "endpoint",
        )
        if one.path[:1] == ("model",) and needed:
            raise BadConnection(
                f"{prompty.file}: {'.'.join(map(str, one.path))} needs the environment variable {one.variable!r}, which is"
                " not set; set it, or give an --env-file that does.",
                code="EnvironmentVariableNotFound",
            )


def _azure(values: dict[str, str], name: str, prompty: Prompty, env: Mapping[str, str]) -> Connection:
    if not values:
        return AzureOpenAIConnection.from_env(name, env)
    base = values.get("api_base") or values.get("azure_endpoint") or values.get("endpoint")
    base = base or env.get("AZURE_OPENAI_ENDPOINT")
    if not base:
        raise BadConnection(
            f"{prompty.file}: model.configuration has no azure_endpoint, and AZURE_OPENAI_ENDPOINT is not set; give one of"
            " them.",
            code="RequiredEnvironmentVariablesNotSetError",
        )
    version = values.get("api_version") or env.get("OPENAI_API_VERSION")
    key = values.get("api_key")
    return AzureOpenAIConnection(
        base,
        key,
        auth_mode=KEY if key else TOKEN,
        name=name,
        **({"api_version": version} if version else {}),
    )


def _openai(values: dict[str, str], name: str, prompty: Prompty, env: Mapping[str, str]) -> Connection:
    key = values.get("api_key") or env.get("OPENAI_API_KEY")
    if not key:
        raise BadConnection(
            f"{prompty.file}: model.configuration has no api_key, and OPENAI_API_KEY is not set; give one of them.",
            code="RequiredEnvironmentVariablesNotSetError",
        )
    return OpenAIConnection(
        key,
        values.get("organization") or env.get("OPENAI_ORG_ID"),
        values.get("base_url") or env.get("OPENAI_BASE_URL"),
        name=name,
    )


def _anthropic(values: dict[str, str], name: str, env: Mapping[str, str]) -> Connection:
    if not values.get("api_key"):
        return AnthropicConnection.from_env(name, env)
    url = values.get("base_url") or env.get("ANTHROPIC_BASE_URL")
    return AnthropicConnection(values["api_key"], name=name, **({"base_url": url} if url else {}))


def _compatible(values: dict[str, str], name: str, prompty: Prompty) -> Connection:
    base = values.get("base_url") or values.get("endpoint") or values.get("api_base")
    if not base:
        raise BadConnection(
            f"{prompty.file}: model.configuration needs an endpoint, the address before /chat/completions.",
            code="InvalidConnection",
        )
    return OpenAICompatibleConnection(base, values.get("key") or values.get("api_key"), name=name)
