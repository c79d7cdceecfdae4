"""Prompt flow's error classes by the module they are imported from.

Each table maps a base class to the names right below it; the classes are made when a name is asked for, because no
flow needs more than one or two of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.compat.promptflow import exceptions as root

_EXECUTOR = {
    "ValidationException": (
        "InvalidCustomLLMTool InvalidAssistantTool ValueTypeUnresolved ToolValidationError InvalidRequest "
        "InvalidBulkTestRequest InvalidFlowRequest InvalidFlexFlowEntry InvalidModelConfigValueType"
    ),
    "InvalidRequest": "GetConnectionError",
    "InvalidFlowRequest": (
        "NodeInputValidationError DuplicateNodeName EmptyOutputReference OutputReferenceNotFound "
        "InputReferenceNotFound InputNotFound InputTypeError InputParseError InvalidConnectionType "
        "NodeReferenceNotFound NodeCircularDependency InvalidNodeReference"
    ),
    "UserErrorException": (
        "ScriptExecutionError NodeReferenceError NodeOutputNotFound SingleNodeValidationError "
        "AggregationNodeExecutionTimeoutError LineExecutionTimeoutError BatchExecutionTimeoutError "
        "ProcessCrashError EmptyLLMApiMapping FailedToGenerateToolDefinition FlowEntryInitializationError "
        "InvalidAggregationFunction"
    ),
    "NodeReferenceError": "UnsupportedReference InvalidReferenceProperty OutputReferenceNotExist",
    "SystemErrorException": (
        "InvalidAggregationInput InputNotFoundFromAncestorNodeOutput NoNodeExecutedError ThreadCrashError "
        "ProcessTerminatedTimeout ProcessInfoObtainedTimeout SpawnedForkProcessManagerStartFailure"
    ),
    "PromptflowException": "ResolveToolError",
}
_RUNTIME = {
    "SystemErrorException": (
        "UnexpectedError GenerateMetaSystemError RunRecordNotFound ProcessPoolError ResumeCopyError"
    ),
    "GenerateMetaSystemError": "NoToolTypeDefined",
    "UserErrorException": (
        "NotSupported ToolCanceledError ToolLoadError ToolExecutionError GenerateMetaUserError FlowOutputUnserializable"
    ),
    "GenerateMetaUserError": "MetaFileNotFound MetaFileReadError GenerateMetaTimeout",
    "ValidationException": (
        "PackageToolNotFoundError MissingRequiredInputs InputTypeMismatch InvalidSource DuplicateToolMappingError"
    ),
}
_CORE = {
    "UserErrorException": (
        "CoreError MissingRequiredPackage UserAuthenticationError ListDeploymentsError ToolValidationError "
        "LLMError WrappedOpenAIError OpenURLFailedUserError OpenURLNotFoundError UnknownConnectionType "
        "UnsupportedConnectionAuthType UnsupportedConnectionProviderConfig MalformedConnectionProviderConfig "
        "UnsupportedWorkspaceKind AccessDeniedError AccountNotSetUp"
    ),
    "SystemErrorException": "CoreInternalError OpenURLFailed BuildConnectionError",
    "CoreError": (
        "GenerateFlowMetaJsonError RequiredEnvironmentVariablesNotSetError InvalidConnectionError "
        "ChatAPIInvalidRoleError JinjaTemplateError ChatAPIFunctionRoleInvalidFormatError "
        "MissingRequiredInputError InvalidOutputKeyError InvalidSampleError ChatAPIFunctionRoleInvalidFormat "
        "ChatAPIToolRoleInvalidFormat ConnectionNotFound"
    ),
    "UserAuthenticationError": "OpenURLUserAuthenticationError",
    "ListDeploymentsError": "ParseConnectionError",
    "ToolValidationError": "ChatAPIInvalidFunctions ChatAPIInvalidTools",
    "WrappedOpenAIError": "ExceedMaxRetryTimes",
}
_SDK = {
    "UserErrorException": "SDKError",
    "SystemErrorException": "SDKInternalError",
    "SDKError": (
        "RunExistsError RunNotFoundError InvalidRunStatusError UnsecureConnectionError DecryptConnectionError "
        "StoreConnectionEncryptionKeyError InvalidFlowError ConnectionNotFoundError ConnectionNameNotSetError "
        "ConnectionClassNotFoundError InvalidRunError GenerateFlowToolsJsonError GenerateFlowMetaJsonError "
        "BulkRunException RunOperationParameterError RunOperationError FlowOperationError "
        "ExperimentExistsError ExperimentNotFoundError MultipleExperimentTemplateError "
        "NoExperimentTemplateError ExperimentValidationError ExperimentValueError ExperimentHasCycle "
        "UploadUserError UserAuthenticationError ExperimentNodeRunFailedError ExperimentNodeRunNotFoundError "
        "ExperimentCommandRunError ChatGroupError ChatRoleError UnexpectedAttributeError LineRunNotFoundError "
        "MissingAzurePackage WrongTraceSearchExpressionError PromptFlowServiceInvocationError"
    ),
    "SDKInternalError": (
        "DownloadInternalError UploadInternalError ArtifactInternalError AssetInternalError "
        "RunHistoryInternalError MetricInternalError"
    ),
}
_TOOLS = {
    "UserErrorException": (
        "WrappedOpenAIError ToolValidationError LLMError SerpAPIUserError OpenModelLLMOnlineEndpointError "
        "OpenModelLLMUserError AzureContentSafetyInputValueError ListDeploymentsError"
    ),
    "SystemErrorException": "SerpAPISystemError AzureContentSafetySystemError",
    "WrappedOpenAIError": "ExceedMaxRetryTimes",
    "ToolValidationError": (
        "JinjaTemplateError ChatAPIInvalidRole ChatAPIFunctionRoleInvalidFormat ChatAPIToolRoleInvalidFormat "
        "ChatAPIInvalidFunctions ChatAPIInvalidTools FunctionCallNotSupportedInStreamMode "
        "InvalidConnectionType OpenModelLLMKeyValidationError"
    ),
    "ListDeploymentsError": "ParseConnectionError",
}
_SMALL = {
    "promptflow.contracts._errors": {"UserErrorException": "FailedToImportModule FlowDefinitionError"},
    "promptflow._utils._errors": {
        "ValidationException": "InvalidImageInput ApplyInputMappingError",
        "UserErrorException": "LoadMultimediaDataError InvalidMessageFormatType",
        "SystemErrorException": "YamlParseError",
    },
    "promptflow.batch._errors": {
        "ValidationException": "InputMappingError",
        "UserErrorException": "EmptyInputsData BatchRunTimeoutError",
    },
    "promptflow._orchestrator._errors": {
        "UserErrorException": (
            "InvalidChatRoleCount MissingConversationHistoryExpression MultipleConversationHistoryInputsMapping "
            "UsingReservedRoleKey InvalidMaxTurnValue"
        ),
    },
}
TABLES: Mapping[str, Mapping[str, str]] = {
    "promptflow.executor._errors": _EXECUTOR,
    "promptflow._core._errors": _RUNTIME,
    "promptflow.core._errors": _CORE,
    "promptflow._sdk._errors": _SDK,
    "promptflow.tools.exception": _TOOLS,
    **_SMALL,
}


class WrapsModelError(root.UserErrorException):
    """An error of a model's endpoint: its codes name the endpoint's own error below ``OpenAIError``."""

    def __init__(self, ex: BaseException | None = None, *, message: str = "", **rest: Any) -> None:
        said = f"OpenAI API hits {type(ex).__name__}: {ex}" if ex is not None else ""
        super().__init__(message or said, error=ex, **rest)

    @property
    def code(self) -> str:  # type: ignore[override]  # as in the base class
        """The class's own name: what an llm node's failure is called too."""
        return type(self).__name__

    @property
    def error_codes(self) -> list[str]:
        """``UserError``, ``OpenAIError`` and the class of the endpoint's error."""
        inner = getattr(self, "_inner", None)
        return ["UserError", "OpenAIError", *([type(inner).__name__] if inner is not None else [])]


_PARENTS: Mapping[str, type[root.PromptflowException]] = {"WrappedOpenAIError": WrapsModelError}
_made: dict[tuple[str, str], type[root.PromptflowException]] = {}


def names(module: str) -> list[str]:
    """The error classes that ``module`` has, in prompt flow's order of families."""
    return [name for below in TABLES[module].values() for name in below.split()]


def error_class(module: str, name: str) -> type[root.PromptflowException]:
    """The class ``name`` of ``module``; the same object each time.

    Raises:
        KeyError: That module has no such class.
    """
    if (module, name) not in _made:
        base = next((base for base, below in TABLES[module].items() if name in below.split()), None)
        if base is None:
            raise KeyError(name)
        parent = error_class(module, base) if base in names(module) else getattr(root, base)
        members: dict[str, Any] = {"__module__": module, "__doc__": f"Prompt flow's ``{name}``."}
        _made[module, name] = type(name, (_PARENTS.get(name, parent),), members)
    return _made[module, name]
