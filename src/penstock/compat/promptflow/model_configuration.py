"""Model configurations under prompt flow's names: they refuse with prompt flow's own class of error."""

from __future__ import annotations

from typing import Any

from penstock.compat.promptflow.translate import translated
from penstock.connections import model_configuration
from penstock.connections.model_configuration import ModelConfiguration

__all__ = [
    "MODEL_CONFIG_NAME_2_CLASS",
    "AzureOpenAIModelConfiguration",
    "ModelConfiguration",
    "OpenAIModelConfiguration",
]


class AzureOpenAIModelConfiguration(model_configuration.AzureOpenAIModelConfiguration):
    """A deployment of Azure OpenAI, with the endpoint's settings or the name of a connection that has them."""

    def __post_init__(self) -> None:
        with translated("promptflow.core._errors"):
            super().__post_init__()


class OpenAIModelConfiguration(model_configuration.OpenAIModelConfiguration):
    """A model of OpenAI, or of an endpoint like it, with its settings or the name of a connection that has them."""

    def __post_init__(self) -> None:
        with translated("promptflow.core._errors"):
            super().__post_init__()


MODEL_CONFIG_NAME_2_CLASS: dict[str, Any] = {
    cls.__name__: cls for cls in (AzureOpenAIModelConfiguration, OpenAIModelConfiguration)
}
