"""Every name that flow code may import from ``promptflow``, and where it really is.

A target is ``module:attribute``, imported when the name is asked for. Names of error modules come from ``errors``.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import Any

VERSION = "1.18.5"
"""The prompt flow release whose names and behaviour these are."""

_C = "penstock.compat.promptflow"
_KINDS = "penstock.connections.kinds"
_TOOL = "penstock.tools.tool:tool"
_PROVIDER = "penstock.tools.provider:ToolProvider"
_METRIC = "penstock.tools.metric:log_metric"


def _from(module: str, *names: str, **renamed: str) -> dict[str, str]:
    return {
        **{name: f"{module}:{name}" for name in names},
        **{name: f"{module}:{own}" for name, own in renamed.items()},
    }


_CONNECTIONS = _from(
    _KINDS,
    "AzureAIServicesConnection",
    "AzureContentSafetyConnection",
    "AzureOpenAIConnection",
    "CognitiveSearchConnection",
    "CustomConnection",
    "CustomStrongTypeConnection",
    "FormRecognizerConnection",
    "OpenAIConnection",
    "QdrantConnection",
    "SerpConnection",
    "ServerlessConnection",
    "WeaviateConnection",
)
_CLIENT = {**_from(f"{_C}.client", "PFClient"), **_from(f"{_C}.flow", "load_flow"), **_from(f"{_C}.run", "load_run")}
_CONFIGURATION = _from(
    f"{_C}.model_configuration", "ModelConfiguration", "OpenAIModelConfiguration", "AzureOpenAIModelConfiguration"
)
_PROMPTY = _from(f"{_C}.prompty", "Prompty", "AsyncPrompty")
_FLOWS = {**_from(f"{_C}.flow", "Flow", "AsyncFlow"), **_PROMPTY}
_SETTINGS = _from("penstock.tools.types", "InputSetting", "DynamicList")
_PRESENTER = _from(
    f"{_C}.presenter", "ErrorResponse", "ExceptionPresenter", "JsonSerializedPromptflowException", "RootErrorCode"
)
_TRACE = _from("penstock.tools.trace", "start_trace", "trace", "ThreadPoolExecutorWithContext")
_LOGS = _from(f"{_C}.logs", "get_logger", "LoggerFactory", "flow_logger", "bulk_logger", "logger")
_MODELS = f"{_C}.model_tools"
_ABSENT = f"{_C}.absences"
_TEMPLATE = {"PromptTemplate": "penstock.tools.types:PromptTemplate"}

_SURFACE: dict[str, dict[str, str]] = {
    "promptflow": {
        "tool": _TOOL,
        "ToolProvider": _PROVIDER,
        "log_metric": _METRIC,
        "log_flow_metric": _METRIC,
        **_CLIENT,
        "VERSION": f"{_C}.surface:VERSION",
        "__version__": f"{_C}.surface:VERSION",
    },
    "promptflow.core": {
        "log_metric": _METRIC,
        "log_flow_metric": _METRIC,
        "ToolProvider": _PROVIDER,
        "tool": _TOOL,
        **_FLOWS,
        **_CONFIGURATION,
    },
    "promptflow.core._flow": _FLOWS,
    "promptflow.core._model_configuration": {
        **_CONFIGURATION,
        **_from(f"{_C}.model_configuration", "MODEL_CONFIG_NAME_2_CLASS"),
    },
    "promptflow.core._connection": _CONNECTIONS,
    "promptflow.core._connection_provider": {},
    "promptflow.core._connection_provider._connection_provider": _from(f"{_C}.client", "ConnectionProvider"),
    "promptflow.connections": {**_CONNECTIONS, **_from(f"{_C}.client", "ConnectionProvider")},
    "promptflow.entities": {
        **_CONNECTIONS,
        **_from(f"{_C}.run", "Run"),
        **_SETTINGS,
        **_from(f"{_C}.flow", "FlowContext"),
    },
    "promptflow.client": _CLIENT,
    "promptflow.tracing": _TRACE,
    "promptflow.tracing._trace": _TRACE,
    "promptflow.tracing._start_trace": _TRACE,
    "promptflow.tracing._operation_context": _from(f"{_C}.operation_context", "OperationContext"),
    "promptflow.tracing.contracts": {},
    "promptflow.tracing.contracts.trace": _from(f"{_C}.contracts", "TraceType"),
    "promptflow.contracts": {},
    "promptflow.contracts.types": {
        **_from(_KINDS, "Secret"),
        **_from("penstock.tools.types", "PromptTemplate", "FilePath", "AssistantDefinition"),
    },
    "promptflow.contracts.multimedia": _from("penstock.prompts.image", "Image", "Text", "PFBytes"),
    "promptflow.contracts.tool": _from(f"{_C}.contracts", "ToolType", "ValueType", "ConnectionType"),
    "promptflow.contracts.run_info": {"Status": "penstock.records:Status"},
    "promptflow.exceptions": _from(
        f"{_C}.exceptions",
        "ErrorCategory",
        "ErrorTarget",
        "PromptflowException",
        "UserErrorException",
        "SystemErrorException",
        "ValidationException",
    ),
    "promptflow.executor": _from(_ABSENT, "FlowExecutor", "FlowValidator"),
    "promptflow.executor._assistant_tool_invoker": _from(
        "penstock.tools.builtin.assistant", "AssistantToolInvoker", "ResolvedAssistantTool"
    ),
    "promptflow.batch": _from(_ABSENT, "BatchEngine", "BatchResult"),
    "promptflow.integrations": {},
    "promptflow.integrations.langchain": _from(f"{_C}.langchain", "PromptFlowCallbackHandler"),
    "promptflow.azure": _from(_ABSENT, PFClient="AzureClient"),
    "promptflow.evals": _from(_ABSENT, evaluate="evals_evaluate"),
    "promptflow.evals.evaluate": _from(_ABSENT, evaluate="evals_evaluate"),
    "promptflow.evals.evaluators": {},
    "promptflow.rag": {},
    "promptflow._core": {},
    "promptflow._core.tool": {
        "tool": _TOOL,
        "ToolProvider": _PROVIDER,
        **_SETTINGS,
        **_from("penstock.tools.types", "GeneratedBy"),
        **_from(f"{_C}.contracts", "ToolType", "INPUTS_TO_ESCAPE_PARAM_KEY", "STREAMING_OPTION_PARAMETER_ATTR"),
    },
    "promptflow._core.metric_logger": {"log_metric": _METRIC},
    "promptflow._core.tools_manager": _from(
        f"{_C}.registration", "register_apis", "register_builtins", "register_connections"
    ),
    "promptflow._core.cache_manager": _from(f"{_C}.registration", "enable_cache"),
    "promptflow._internal": {
        "tool": _TOOL,
        "ToolProvider": _PROVIDER,
        **_PRESENTER,
        **_LOGS,
        **_from(f"{_C}.registration", "register_apis", "register_builtins", "register_connections", "enable_cache"),
        **_from(f"{_C}.operation_context", "OperationContext"),
        **_from(f"{_C}.yaml_files", "load_yaml"),
    },
    "promptflow._constants": _from(f"{_C}.contracts", "ConnectionType"),
    "promptflow._utils": {},
    "promptflow._utils.yaml_utils": _from(f"{_C}.yaml_files", "load_yaml", "load_yaml_string", "dump_yaml"),
    "promptflow._utils.logger_utils": _LOGS,
    "promptflow._utils.exception_utils": {**_PRESENTER, **_from(f"{_C}.presenter", "ResponseCode")},
    "promptflow._sdk": {},
    "promptflow._sdk._constants": {
        **_from(f"{_C}.contracts", "ConnectionType"),
        **_from(f"{_C}.chat_group", "ChatGroupSpeakOrder"),
    },
    "promptflow._sdk.entities._chat_group": {},
    "promptflow._sdk.entities._chat_group._chat_group": _from(f"{_C}.chat_group", "ChatGroup"),
    "promptflow._sdk.entities._chat_group._chat_role": _from(f"{_C}.chat_group", "ChatRole"),
    "promptflow._sdk.entities._chat_group._chat_group_io": _from(
        f"{_C}.chat_group",
        "AttrDict",
        ChatRoleInputs="AttrDict",
        ChatRoleOutputs="AttrDict",
        ChatGroupInputs="AttrDict",
        ChatGroupOutputs="AttrDict",
    ),
    "promptflow._proxy": {},
    "promptflow._proxy._chat_group_orchestrator_proxy": _from(f"{_C}.chat_group", "ChatGroupOrchestratorProxy"),
    "promptflow._orchestrator": {},
    "promptflow._sdk._pf_client": _from(f"{_C}.client", "PFClient"),
    "promptflow._sdk._load_functions": {**_CLIENT, **_from(f"{_C}.client", "load_connection")},
    "promptflow._sdk.entities": {
        **_CONNECTIONS,
        **_from(f"{_C}.run", "Run"),
        **_from(f"{_C}.flow", "Flow", "FlowContext"),
        **_from(f"{_C}.prompty", "Prompty"),
    },
    "promptflow._sdk.entities._connection": _CONNECTIONS,
    "promptflow._sdk.entities._run": _from(f"{_C}.run", "Run"),
    "promptflow._sdk.entities._flows": _from(f"{_C}.flow", "Flow", "FlexFlow", "FlowContext", "Prompty"),
    "promptflow.tools": _from(_MODELS, "AzureOpenAI", "OpenAI", "SerpAPI"),
    "promptflow.tools.aoai": {
        **_from(_MODELS, "AzureOpenAI", chat="azure_chat", completion="azure_completion"),
        **_TEMPLATE,
    },
    "promptflow.tools.openai": {
        **_from(_MODELS, "OpenAI", chat="openai_chat", completion="openai_completion"),
        **_TEMPLATE,
    },
    "promptflow.tools.embedding": _from(_MODELS, "embedding", "EmbeddingModel"),
    "promptflow.tools.llm": _from(_MODELS, llm="llm_tool"),
    "promptflow.tools.llm_vision": _from(_MODELS, "llm_vision"),
    "promptflow.tools.aoai_gpt4v": _from(_MODELS, AzureOpenAI="AzureVision"),
    "promptflow.tools.openai_gpt4v": _from(_MODELS, OpenAI="OpenAIVision"),
    "promptflow.tools.serpapi": _from(_MODELS, "SerpAPI", "search", "SafeMode", "Engine"),
    "promptflow.tools.azure_content_safety": _from(
        _MODELS, "AzureContentSafety", "analyze_text", "TextCategorySensitivity"
    ),
    "promptflow.tools.open_model_llm": _from(_MODELS, "OpenModelLLM"),
    "promptflow.tools.template_rendering": _from(f"{_C}.prompt_tools", render_template_jinja2="render_jinja_template"),
    "promptflow.tools.common": {
        **_from(
            f"{_C}.prompt_tools",
            "render_jinja_template",
            "parse_chat",
            "build_messages",
            "ChatInputList",
            "PromptResult",
            "to_bool",
            "validate_functions",
            "validate_tools",
            "process_function_call",
            "process_tool_choice",
            "VALID_ROLES",
        ),
        **_from(
            "penstock.prompts.compat_chat",
            "preprocess_template_string",
            "convert_to_chat_list",
            "find_referenced_image_set",
        ),
        **_from(
            f"{_C}.sdk_clients",
            "handle_openai_error",
            "normalize_connection_config",
            "init_openai_client",
            "init_azure_openai_client",
        ),
    },
}
_ERROR_MODULES = (
    "promptflow.executor._errors",
    "promptflow._core._errors",
    "promptflow.core._errors",
    "promptflow._sdk._errors",
    "promptflow.tools.exception",
    "promptflow.contracts._errors",
    "promptflow._utils._errors",
    "promptflow.batch._errors",
    "promptflow._orchestrator._errors",
)
_ERRORS = f"{_C}.errors"


def modules() -> Mapping[str, Any]:
    """Every module that may be imported, as keys."""
    return _all()


def names(module: str) -> Mapping[str, str]:
    """The names of ``module`` and their targets; empty for a module that is not there."""
    if module in _ERROR_MODULES:
        return _error_names(module)
    return _SURFACE.get(module, {})


def public(module: str) -> list[str]:
    """The names that ``from module import *`` gives."""
    return [name for name in names(module) if not name.startswith("_")]


def resolve(target: str) -> Any:
    """Import what a target names."""
    module, _, attribute = target.partition(":")
    if module in _ERROR_MODULES:
        return importlib.import_module(_ERRORS).error_class(module, attribute)
    return getattr(importlib.import_module(module), attribute)


def missing(module: str, name: str) -> str:
    """The sentence about a name that is not there."""
    inside = sorted({*public(module), *(one.rpartition(".")[2] for one in _all() if one.rpartition(".")[0] == module)})
    shown = [one for one in inside if not one.startswith("_")] or inside
    listed = f"it has: {', '.join(shown)}" if shown else "it is empty"
    return f"Penstock's stand-in for the package promptflow has no {name!r} in {module!r}; {listed}."


@functools.cache
def _all() -> Mapping[str, None]:
    return dict.fromkeys([*_SURFACE, *_ERROR_MODULES])


@functools.cache
def _error_names(module: str) -> Mapping[str, str]:
    return {name: f"{module}:{name}" for name in importlib.import_module(_ERRORS).names(module)}
