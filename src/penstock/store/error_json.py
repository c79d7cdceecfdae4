"""A ``Failure`` as the error dictionary that prompt flow's tools read."""

from __future__ import annotations

import re
from typing import Any

from penstock.records import Failure

_FRAME = re.compile(r'^\s*File "(?P<filename>.*)", line (?P<lineno>\d+)(?:, in (?P<name>.*))?$', re.MULTILINE)

# The classes above an error's own, for those that prompt flow counts as the user's; what is not here is a system error.
_VALIDATION = ("UserError", "ValidationError")
_REQUEST = (*_VALIDATION, "InvalidFlowRequest")
_CHAINS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "ToolExecutionError",
            "ToolLoadError",
            "ToolCanceledError",
            "FlexFlowExecutionErrorDetails",
            "ScriptExecutionError",
            "LineExecutionTimeoutError",
            "BatchExecutionTimeoutError",
            "AggregationNodeExecutionTimeoutError",
            "BatchRunTimeoutError",
            "ProcessCrashError",
            "NodeOutputNotFound",
            "SingleNodeValidationError",
            "FlowEntryInitializationError",
            "InvalidAggregationFunction",
            "EmptyLLMApiMapping",
            "FlowOutputUnserializable",
            "FailedToImportModule",
            "FlowDefinitionError",
            "LoadMultimediaDataError",
            "InvalidMessageFormatType",
            "EmptyInputsData",
            "NotSupported",
            "WrappedOpenAIError",
            "LLMError",
            "ExceedMaxRetryTimes",
            "ConnectionNotFound",
            "RunInterrupted",
        ),
        ("UserError",),
    ),
    **dict.fromkeys(
        (
            "InvalidFlowRequest",
            "MissingRequiredInputs",
            "InputTypeMismatch",
            "InvalidSource",
            "InvalidImageInput",
            "ApplyInputMappingError",
            "InputMappingError",
            "PackageToolNotFoundError",
            "GetConnectionError",
        ),
        _VALIDATION,
    ),
    **dict.fromkeys(
        (
            "InputNotFound",
            "InputTypeError",
            "InputParseError",
            "NodeInputValidationError",
            "InputReferenceNotFound",
            "OutputReferenceNotFound",
            "EmptyOutputReference",
            "NodeReferenceNotFound",
            "NodeCircularDependency",
            "InvalidNodeReference",
            "InvalidConnectionType",
            "DuplicateNodeName",
        ),
        _REQUEST,
    ),
    **dict.fromkeys(
        ("UnsupportedReference", "InvalidReferenceProperty", "OutputReferenceNotExist"),
        ("UserError", "NodeReferenceError"),
    ),
    **dict.fromkeys(
        ("JinjaTemplateError", "ChatAPIInvalidRole", "ChatAPIInvalidFunctions", "ChatAPIInvalidTools"),
        ("UserError", "ToolValidationError"),
    ),
}


def error_json(failure: Failure) -> dict[str, Any]:
    """``failure`` with message, code chain, the user's own exception, and debug information."""
    chain = [*_CHAINS.get(failure.kind, ("SystemError",)), failure.kind]
    inner: dict[str, Any] | None = None
    for code in reversed(chain[1:]):
        inner = {"code": code, "innerError": inner}
    tool = failure.kind == "ToolExecutionError"
    error: dict[str, Any] = {
        "message": failure.message,
        "messageFormat": "Execution failure in '{node_name}'." if tool and not failure.cause else failure.message,
        "messageParameters": {},
        "referenceCode": "Tool/__pf_main__" if tool else "Executor",
        "code": chain[0],
        "innerError": inner,
    }
    if tool and failure.cause:
        text = _own_words(failure)
        error["messageFormat"] = "Execution failure in '{node_name}': {error_type_and_message}"
        error["messageParameters"] = {"node_name": failure.node, "error_type_and_message": f"({failure.cause}) {text}"}
    elif tool:
        error["messageParameters"] = {"node_name": failure.node}
    if failure.cause:
        kind = "ToolExecutionErrorDetails" if failure.node else "FlexFlowExecutionErrorDetails"
        error["additionalInfo"] = [{"type": kind, "info": _details(failure)}]
    error["debugInfo"] = {
        "type": failure.kind,
        "message": failure.message,
        "stackTrace": failure.traceback or "",
        "innerException": None,
    }
    return error


def _own_words(failure: Failure) -> str:
    """The exception's own message: what stands behind ``(Type) `` in the failure's."""
    _, found, text = failure.message.partition(f"({failure.cause}) ")
    return text if found else failure.message


def _details(failure: Failure) -> dict[str, Any]:
    frames = list(_FRAME.finditer(failure.traceback or ""))
    last = frames[-1] if frames else None
    return {
        "type": failure.cause,
        "message": _own_words(failure),
        "traceback": failure.traceback or "",
        "filename": last["filename"] if last else None,
        "lineno": int(last["lineno"]) if last else None,
        "name": last["name"] if last else None,
    }
