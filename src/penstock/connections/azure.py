"""The kinds that Azure and its AI services offer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol, Self

from penstock.connections.connection import Connection
from penstock.connections.token import azure_token
from penstock.errors import BadConnection

KEY, TOKEN = "key", "meid_token"


class TokenProvider(Protocol):
    """Whoever can make a bearer token."""

    def get_token(self) -> str:
        """The token."""
        ...


class AzureConnection(Connection):
    """A kind that takes a key (``auth_mode="key"``) or a token of Microsoft Entra ID (``auth_mode="meid_token"``)."""

    SECRETS = ("api_key",)

    api_key: str | None
    auth_mode: str
    _token_provider: TokenProvider | None

    def __init__(
        self,
        configs: Mapping[str, Any],
        api_key: str | None,
        *,
        token_provider: TokenProvider | None = None,
        **rest: Any,
    ) -> None:
        secrets = {} if configs["auth_mode"] == TOKEN else {"api_key": api_key}
        super().__init__(configs=configs, secrets=secrets, **rest)
        self.__dict__["_token_provider"] = token_provider

    def get_token(self) -> str:
        """A bearer token for the Azure AI services.

        Raises:
            MissingDependency: azure-identity is not installed.
            BadConnection: Nobody is signed in to Azure here.
        """
        return self._token_provider.get_token() if self._token_provider else azure_token()


class AzureOpenAIConnection(AzureConnection):
    """A resource of Azure OpenAI; ``api_base`` is its endpoint."""

    TYPE = "azure_open_ai"
    FIELDS = ("api_key", "api_base", "api_type", "api_version", "auth_mode", "resource_id")
    REQUIRED = ("api_base",)

    api_base: str
    api_type: str
    api_version: str
    resource_id: str | None

    def __init__(
        self,
        api_base: str,
        api_key: str | None = None,
        api_type: str = "azure",
        api_version: str = "2024-02-01",
        auth_mode: str = KEY,
        resource_id: str | None = None,
        **rest: Any,
    ) -> None:
        configs = {
            "api_base": api_base,
            "api_type": api_type,
            "api_version": api_version,
            "auth_mode": auth_mode,
            "resource_id": resource_id,
        }
        super().__init__(configs, api_key, **rest)

    @classmethod
    def from_env(cls, name: str | None = None, env: Mapping[str, str] | None = None) -> Self:
        """From AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY and, if set, OPENAI_API_VERSION."""
        env = os.environ if env is None else env
        base, key = required_variables(cls.__name__, env, "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY")
        version = env.get("OPENAI_API_VERSION")
        return cls(base, key, name=name, **({"api_version": version} if version else {}))


class CognitiveSearchConnection(AzureConnection):
    """A service of Azure AI Search."""

    TYPE = "cognitive_search"
    FIELDS = ("api_key", "api_base", "api_version", "auth_mode")
    REQUIRED = ("api_base",)

    api_base: str
    api_version: str

    def __init__(
        self,
        api_base: str,
        api_key: str | None = None,
        api_version: str = "2023-11-01",
        auth_mode: str = KEY,
        **rest: Any,
    ) -> None:
        configs = {"api_base": api_base, "api_version": api_version, "auth_mode": auth_mode}
        super().__init__(configs, api_key, **rest)


class AzureAIServicesConnection(AzureConnection):
    """A resource of Azure AI services."""

    TYPE = "azure_ai_services"
    FIELDS = ("api_key", "endpoint", "auth_mode")
    REQUIRED = ("endpoint",)

    endpoint: str

    def __init__(self, endpoint: str, api_key: str | None = None, auth_mode: str = KEY, **rest: Any) -> None:
        super().__init__({"endpoint": endpoint, "auth_mode": auth_mode}, api_key, **rest)


class AzureContentSafetyConnection(Connection):
    """A resource of Azure AI Content Safety."""

    TYPE = "azure_content_safety"
    FIELDS = ("api_key", "endpoint", "api_version", "api_type")
    REQUIRED = ("api_key", "endpoint")
    SECRETS = ("api_key",)

    api_key: str
    endpoint: str
    api_version: str
    api_type: str

    def __init__(
        self,
        api_key: str,
        endpoint: str,
        api_version: str = "2023-10-01",
        api_type: str = "Content Safety",
        **rest: Any,
    ) -> None:
        configs = {"endpoint": endpoint, "api_version": api_version, "api_type": api_type}
        super().__init__(configs=configs, secrets={"api_key": api_key}, **rest)


class FormRecognizerConnection(AzureContentSafetyConnection):
    """A resource of Azure AI Document Intelligence."""

    TYPE = "form_recognizer"

    def __init__(
        self,
        api_key: str,
        endpoint: str,
        api_version: str = "2023-07-31",
        api_type: str = "Form Recognizer",
        **rest: Any,
    ) -> None:
        super().__init__(api_key, endpoint, api_version, api_type, **rest)


def required_variables(kind: str, env: Mapping[str, str], *names: str) -> list[str]:
    """The values of the variables ``names``.

    Raises:
        BadConnection: One of them is not set.
    """
    missing = [name for name in names if env.get(name) is None]
    if missing:
        raise BadConnection(
            f"{kind}.from_env needs the environment variables {', '.join(names)}; not set: {', '.join(missing)}.",
            code="RequiredEnvironmentVariablesNotSetError",
        )
    return [env[name] for name in names]
