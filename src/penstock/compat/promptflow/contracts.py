"""Enumerations that flow code and tool packages compare with."""

from __future__ import annotations

from enum import StrEnum


class ToolType(StrEnum):
    """Kinds of tools."""

    LLM = "llm"
    PYTHON = "python"
    CSHARP = "csharp"
    PROMPT = "prompt"
    CUSTOM_LLM = "custom_llm"


class ValueType(StrEnum):
    """Types of inputs."""

    INT = "int"
    DOUBLE = "double"
    BOOL = "bool"
    STRING = "string"
    SECRET = "secret"
    PROMPT_TEMPLATE = "prompt_template"
    LIST = "list"
    OBJECT = "object"
    FILE_PATH = "file_path"
    IMAGE = "image"
    ASSISTANT_DEFINITION = "assistant_definition"


class TraceType(StrEnum):
    """Kinds of spans."""

    LLM = "LLM"
    TOOL = "Tool"
    FUNCTION = "Function"
    LANGCHAIN = "LangChain"
    FLOW = "Flow"
    EMBEDDING = "Embedding"
    RETRIEVAL = "Retrieval"


class ConnectionType(StrEnum):
    """Kinds of connections, as connection files name them."""

    OPEN_AI = "open_ai"
    AZURE_OPEN_AI = "azure_open_ai"
    SERVERLESS = "serverless"
    COGNITIVE_SEARCH = "cognitive_search"
    AZURE_AI_SERVICES = "azure_ai_services"
    AZURE_CONTENT_SAFETY = "azure_content_safety"
    FORM_RECOGNIZER = "form_recognizer"
    SERP = "serp"
    QDRANT = "qdrant"
    WEAVIATE = "weaviate"
    CUSTOM = "custom"


INPUTS_TO_ESCAPE_PARAM_KEY = "_inputs_to_escape"
STREAMING_OPTION_PARAMETER_ATTR = "_streaming_option_parameter"
