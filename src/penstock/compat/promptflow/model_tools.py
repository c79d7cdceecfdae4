"""The tool functions that flow code calls itself: plain calls, which wait for the answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Any

from penstock.aio import run_sync
from penstock.compat.promptflow.translate import translated
from penstock.connections.kinds import Connection, SerpConnection
from penstock.tools.builtin import content_safety, llm, open_model, serpapi
from penstock.tools.builtin import embedding as embeddings
from penstock.tools.provider import ToolProvider
from penstock.tools.tool import tool

_ERRORS = "promptflow.tools.exception"


class SafeMode(StrEnum):
    """Whether a search leaves out adult content."""

    ACTIVE = "active"
    OFF = "off"


class Engine(StrEnum):
    """Search engines."""

    GOOGLE = "google"
    BING = "bing"


class TextCategorySensitivity(StrEnum):
    """How easily a category of harm rejects a text."""

    DISABLE = "disable"
    LOW_SENSITIVITY = "low_sensitivity"
    MEDIUM_SENSITIVITY = "medium_sensitivity"
    HIGH_SENSITIVITY = "high_sensitivity"


class EmbeddingModel(StrEnum):
    """Embedding models that prompt flow lists."""

    TEXT_EMBEDDING_ADA_002 = "text-embedding-ada-002"
    TEXT_SEARCH_ADA_DOC_001 = "text-search-ada-doc-001"
    TEXT_SEARCH_ADA_QUERY_001 = "text-search-ada-query-001"


def _call(function: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kwargs: Any) -> Any:
    with translated(_ERRORS):
        return run_sync(function(*args, **kwargs))


def _ask(function: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **values: Any) -> Any:
    # Flow code that calls a tool itself wrote what it passes, unless it says otherwise; a flow's node says so always.
    return _call(function, *args, **{llm.ESCAPED: (), **values})


def azure_chat(connection: Connection, prompt: str, deployment_name: str = "", **values: Any) -> Any:
    """``promptflow.tools.aoai.chat``; arguments, results and errors of ``penstock.tools.builtin.llm.chat``."""
    return _ask(llm.chat, connection, prompt, deployment_name=deployment_name, **values)


def azure_completion(connection: Connection, prompt: str, deployment_name: str = "", **values: Any) -> Any:
    """``promptflow.tools.aoai.completion``."""
    return _ask(llm.completion, connection, prompt, deployment_name=deployment_name, **values)


def openai_chat(connection: Connection, prompt: str, model: str = "", **values: Any) -> Any:
    """``promptflow.tools.openai.chat``."""
    return _ask(llm.chat, connection, prompt, model=model, **values)


def openai_completion(connection: Connection, prompt: str, model: str = "", **values: Any) -> Any:
    """``promptflow.tools.openai.completion``."""
    return _ask(llm.completion, connection, prompt, model=model, **values)


def llm_tool(connection: Connection, prompt: str, **values: Any) -> Any:
    """``promptflow.tools.llm.llm``."""
    return _ask(llm.llm, connection, prompt, **values)


def llm_vision(connection: Connection, prompt: str, **values: Any) -> Any:
    """``promptflow.tools.llm_vision.llm_vision``."""
    return _ask(llm.llm_vision, connection, prompt, **values)


def embedding(
    connection: Connection,
    input: str,
    deployment_name: str = "",
    model: str = EmbeddingModel.TEXT_EMBEDDING_ADA_002,
) -> list[float]:
    """``promptflow.tools.embedding.embedding``: the vector of a text."""
    vector: list[float] = _call(embeddings.embedding, connection, input, deployment_name, str(model))
    return vector


def search(connection: SerpConnection, query: str, **options: Any) -> Any:
    """``promptflow.tools.serpapi.search``; see ``penstock.tools.builtin.serpapi.search``."""
    return _call(serpapi.search, connection, query, **options)


def analyze_text(connection: Connection, text: str, **categories: Any) -> dict[str, Any]:
    """``promptflow.tools.azure_content_safety.analyze_text``."""
    verdict: dict[str, Any] = _call(content_safety.analyze_text, connection, text, **categories)
    return verdict


class _Provider(ToolProvider):
    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection


class AzureOpenAI(_Provider):
    """``promptflow.tools.aoai.AzureOpenAI``."""

    @tool
    def chat(self, prompt: str, deployment_name: str = "", **values: Any) -> Any:
        """See ``azure_chat``."""
        return azure_chat(self.connection, prompt, deployment_name, **values)

    @tool
    def completion(self, prompt: str, deployment_name: str = "", **values: Any) -> Any:
        """See ``azure_completion``."""
        return azure_completion(self.connection, prompt, deployment_name, **values)


class OpenAI(_Provider):
    """``promptflow.tools.openai.OpenAI``."""

    @tool
    def chat(self, prompt: str, model: str = "", **values: Any) -> Any:
        """See ``openai_chat``."""
        return openai_chat(self.connection, prompt, model, **values)

    @tool
    def completion(self, prompt: str, model: str = "", **values: Any) -> Any:
        """See ``openai_completion``."""
        return openai_completion(self.connection, prompt, model, **values)


class AzureVision(_Provider):
    """``promptflow.tools.aoai_gpt4v.AzureOpenAI``."""

    @tool(streaming_option_parameter="stream")
    def chat(self, prompt: str, deployment_name: str = "", **values: Any) -> Any:
        """See ``llm_vision``."""
        return llm_vision(self.connection, prompt, deployment_name=deployment_name, **values)


class OpenAIVision(_Provider):
    """``promptflow.tools.openai_gpt4v.OpenAI``."""

    @tool(streaming_option_parameter="stream")
    def chat(self, prompt: str, model: str = "gpt-4-vision-preview", **values: Any) -> Any:
        """See ``llm_vision``."""
        return llm_vision(self.connection, prompt, model=model, **values)


class SerpAPI(_Provider):
    """``promptflow.tools.serpapi.SerpAPI``."""

    @tool
    def search(self, query: str, **options: Any) -> Any:
        """See ``search``."""
        return _call(serpapi.search, self.connection, query, **options)


class AzureContentSafety(_Provider):
    """``promptflow.tools.azure_content_safety.AzureContentSafety``."""

    @tool
    def analyze_text(self, text: str, **categories: Any) -> dict[str, Any]:
        """See ``analyze_text``."""
        return analyze_text(self.connection, text, **categories)


class OpenModelLLM(ToolProvider):
    """``promptflow.tools.open_model_llm.OpenModelLLM``."""

    @tool
    def call(self, prompt: str, **values: Any) -> str:
        """See ``penstock.tools.builtin.open_model.call``."""
        return str(_ask(open_model.call, prompt, **values))
