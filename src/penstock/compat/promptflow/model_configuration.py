"""Which model to ask, as prompty files and flow code configure it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from penstock.compat.promptflow.errors import error_class
from penstock.connections.kinds import AzureOpenAIConnection, OpenAIConnection


class ModelConfiguration:
    """Base of both kinds."""

    _type: ClassVar[str]

    def _exclusive(self, connection: str | None, *settings: str | None) -> None:
        if connection and any(settings):
            raise error_class("promptflow.core._errors", "InvalidConnectionError")(
                "A model configuration takes either a connection or an endpoint of its own, not both: "
                "leave one of them out."
            )


@dataclass
class AzureOpenAIModelConfiguration(ModelConfiguration):
    """A deployment of Azure OpenAI, with the endpoint's settings or the name of a connection that has them."""

    _type: ClassVar[str] = "azure_open_ai"

    azure_deployment: str
    azure_endpoint: str | None = None
    api_version: str | None = None
    api_key: str | None = field(default=None, repr=False)
    connection: str | None = None

    def __post_init__(self) -> None:
        self._exclusive(self.connection, self.azure_endpoint, self.api_key, self.api_version)

    @classmethod
    def from_connection(cls, connection: AzureOpenAIConnection, azure_deployment: str) -> AzureOpenAIModelConfiguration:
        """A deployment at the endpoint of ``connection``."""
        return cls(
            azure_deployment=azure_deployment,
            azure_endpoint=connection.api_base,
            api_version=connection.api_version,
            api_key=connection.api_key,
        )


@dataclass
class OpenAIModelConfiguration(ModelConfiguration):
    """A model of OpenAI, or of an endpoint like it, with its settings or the name of a connection that has them."""

    _type: ClassVar[str] = "open_ai"

    model: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    organization: str | None = None
    connection: str | None = None

    def __post_init__(self) -> None:
        self._exclusive(self.connection, self.base_url, self.api_key, self.organization)

    @classmethod
    def from_connection(cls, connection: OpenAIConnection, model: str) -> OpenAIModelConfiguration:
        """A model at the endpoint of ``connection``."""
        return cls(
            model=model,
            base_url=connection.base_url,
            api_key=connection.api_key,
            organization=connection.organization,
        )


MODEL_CONFIG_NAME_2_CLASS: dict[str, Any] = {
    cls.__name__: cls for cls in (AzureOpenAIModelConfiguration, OpenAIModelConfiguration)
}
