"""The kinds outside Azure: model providers, anything that speaks their protocol, and search and vector stores."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self

from penstock.connections.azure import required_variables
from penstock.connections.connection import Connection


class OpenAIConnection(Connection):
    """OpenAI, or with ``base_url`` whatever answers in its place; None means OpenAI's own."""

    TYPE = "open_ai"
    FIELDS = ("api_key", "organization", "base_url")
    REQUIRED = ("api_key",)
    SECRETS = ("api_key",)

    api_key: str
    organization: str | None
    base_url: str | None

    def __init__(self, api_key: str, organization: str | None = None, base_url: str | None = None, **rest: Any) -> None:
        # Azure's registry of connections gives "_" where there is no URL.
        configs = {"organization": organization, "base_url": None if base_url in {"", "_"} else base_url}
        super().__init__(configs=configs, secrets={"api_key": api_key}, **rest)

    @classmethod
    def from_env(cls, name: str | None = None, env: Mapping[str, str] | None = None) -> Self:
        """From OPENAI_API_KEY and, if set, OPENAI_ORG_ID and OPENAI_BASE_URL of ``env`` (the process's)."""
        env = os.environ if env is None else env
        (key,) = required_variables(cls.__name__, env, "OPENAI_API_KEY")
        return cls(key, env.get("OPENAI_ORG_ID"), env.get("OPENAI_BASE_URL"), name=name)


class OpenAICompatibleConnection(Connection):
    """Any server that speaks OpenAI's protocol: vLLM, Ollama, llama.cpp, LM Studio, a gateway.

    Args:
        base_url: What comes before ``/chat/completions``, as in ``http://localhost:11434/v1``.
        api_key: Sent as bearer token, if given.
        headers: More headers for each request; kept secret, since gateways take keys there.
    """

    TYPE = "openai_compatible"
    FIELDS = ("base_url", "api_key", "headers")
    REQUIRED = ("base_url",)
    SECRETS = ("api_key", "headers")

    base_url: str
    api_key: str | None
    headers: dict[str, str] | None

    def __init__(
        self, base_url: str, api_key: str | None = None, headers: Mapping[str, str] | None = None, **rest: Any
    ) -> None:
        given = {"api_key": api_key, "headers": dict(headers) if headers else None}
        secrets = {key: value for key, value in given.items() if value is not None}
        super().__init__(configs={"base_url": base_url}, secrets=secrets, **rest)


class AnthropicConnection(Connection):
    """Anthropic, or with ``base_url`` whatever answers in its place."""

    TYPE = "anthropic"
    FIELDS = ("api_key", "base_url", "api_version")
    REQUIRED = ("api_key",)
    SECRETS = ("api_key",)

    api_key: str
    base_url: str
    api_version: str

    def __init__(
        self,
        api_key: str,
        base_url: str = "https://api.anthropic.com",
        api_version: str = "2023-06-01",
        **rest: Any,
    ) -> None:
        configs = {"base_url": base_url, "api_version": api_version}
        super().__init__(configs=configs, secrets={"api_key": api_key}, **rest)

    @classmethod
    def from_env(cls, name: str | None = None, env: Mapping[str, str] | None = None) -> Self:
        """From ANTHROPIC_API_KEY and, if set, ANTHROPIC_BASE_URL of ``env`` (the process's)."""
        env = os.environ if env is None else env
        (key,) = required_variables(cls.__name__, env, "ANTHROPIC_API_KEY")
        url = env.get("ANTHROPIC_BASE_URL")
        return cls(key, name=name, **({"base_url": url} if url else {}))


class _KeyAndBase(Connection):
    FIELDS = ("api_key", "api_base")
    REQUIRED = ("api_key", "api_base")
    SECRETS = ("api_key",)

    api_key: str
    api_base: str

    def __init__(self, api_key: str, api_base: str, **rest: Any) -> None:
        super().__init__(configs={"api_base": api_base}, secrets={"api_key": api_key}, **rest)


class ServerlessConnection(_KeyAndBase):
    """A serverless endpoint of Azure AI; speaks OpenAI's protocol below ``api_base``/v1."""

    TYPE = "serverless"


class QdrantConnection(_KeyAndBase):
    """A Qdrant vector store."""

    TYPE = "qdrant"


class WeaviateConnection(_KeyAndBase):
    """A Weaviate vector store."""

    TYPE = "weaviate"


class SerpConnection(Connection):
    """SerpAPI's web search."""

    TYPE = "serp"
    FIELDS = ("api_key",)
    REQUIRED = ("api_key",)
    SECRETS = ("api_key",)

    api_key: str

    def __init__(self, api_key: str, **rest: Any) -> None:
        super().__init__(secrets={"api_key": api_key}, **rest)
