"""An exception as the JSON that prompt flow's records and services carry."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from penstock.compat.promptflow.exceptions import PromptflowException, SystemErrorException, error_code
from penstock.errors import PenstockError

_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"
_EXECUTION_DETAILS = ("ToolExecutionErrorDetails", "FlexFlowExecutionErrorDetails")


class RootErrorCode:
    """The two outermost codes."""

    USER_ERROR = "UserError"
    SYSTEM_ERROR = "SystemError"


class ResponseCode(StrEnum):
    """HTTP status classes, as text."""

    SUCCESS = "200"
    ACCEPTED = "202"
    REDIRECTION = "300"
    CLIENT_ERROR = "400"
    SERVICE_ERROR = "500"
    UNKNOWN = "0"


class JsonSerializedPromptflowException(Exception):
    """An exception whose message is an error dictionary as JSON text."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ExceptionPresenter:
    """Makes the error dictionary of any exception.

    Example:
        >>> ExceptionPresenter.create(ValueError("no")).to_dict()["innerError"]
        {'code': 'ValueError', 'innerError': None}
    """

    def __init__(self, ex: BaseException) -> None:
        self._ex = ex

    @staticmethod
    def create(ex: BaseException) -> ExceptionPresenter:
        """The presenter of ``ex``."""
        return ExceptionPresenter(ex)

    @property
    def formatted_traceback(self) -> str:
        """The traceback, as Python prints it."""
        return "".join(traceback.format_exception(self._ex))

    @property
    def debug_info(self) -> dict[str, Any]:
        """``{"type", "message", "stackTrace", "innerException"}``, the last one of the same form or None."""
        return _debug_info(self._ex)

    @property
    def error_codes(self) -> list[str]:
        """Codes from the root category inwards."""
        ex = self._ex
        if isinstance(ex, PromptflowException):
            if ex.error_codes:
                return ex.error_codes
            inner = ex.inner_exception
            return [error_code(SystemErrorException), *([type(inner).__name__] if inner is not None else [])]
        if isinstance(ex, PenstockError):
            return [RootErrorCode.USER_ERROR, ex.code]
        return [RootErrorCode.SYSTEM_ERROR, type(ex).__name__]

    @property
    def error_code_recursed(self) -> dict[str, Any] | None:
        """The codes nested: ``{"code": …, "innerError": {"code": …, "innerError": None}}``."""
        nested: dict[str, Any] | None = None
        for code in reversed(self.error_codes):
            nested = {"code": code, "innerError": nested}
        return nested

    def to_dict(self, *, include_debug_info: bool = False) -> dict[str, Any]:
        """The error dictionary; with ``include_debug_info`` the tracebacks too."""
        ex = self._ex
        result: dict[str, Any] = {"message": str(ex), "messageFormat": "", "messageParameters": {}}
        if isinstance(ex, PromptflowException):
            result["messageFormat"] = ex.message_format
            result["messageParameters"] = ex.serializable_message_parameters
            result["referenceCode"] = ex.reference_code
        result.update(self.error_code_recursed or {})
        if isinstance(ex, PromptflowException) and ex.additional_info:
            result["additionalInfo"] = [{"type": kind, "info": info} for kind, info in ex.additional_info.items()]
        if include_debug_info:
            result["debugInfo"] = self.debug_info
        return result


class ErrorResponse:
    """A service's answer about an error, made of its dictionary."""

    def __init__(self, error_dict: Mapping[str, Any]) -> None:
        self._error = error_dict

    @staticmethod
    def from_error_dict(error_dict: Mapping[str, Any]) -> ErrorResponse:
        """From ``ExceptionPresenter.to_dict``."""
        return ErrorResponse(error_dict)

    @staticmethod
    def from_exception(ex: BaseException, *, include_debug_info: bool = False) -> ErrorResponse:
        """From the exception itself."""
        return ErrorResponse(ExceptionPresenter(ex).to_dict(include_debug_info=include_debug_info))

    @property
    def message(self) -> str:
        """The error's message."""
        return str(self._error.get("message", ""))

    @property
    def response_code(self) -> ResponseCode:
        """The HTTP status: 400 for a user's error, 500 for all others."""
        user = self._error.get("code") == RootErrorCode.USER_ERROR
        return ResponseCode.CLIENT_ERROR if user else ResponseCode.SERVICE_ERROR

    @property
    def additional_info(self) -> dict[str, Any]:
        """What more there is, by kind."""
        listed = self._error.get("additionalInfo")
        entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        return {one["type"]: one["info"] for one in entries if one.get("type") and one.get("info")}

    def get_additional_info(self, name: str) -> Any:
        """One kind of it, None if it is not there."""
        return self.additional_info.get(name)

    def get_user_execution_error_info(self) -> dict[str, Any]:
        """Where the user's own code failed: type, message, traceback, filename, lineno, name; empty if it did not."""
        for name in _EXECUTION_DETAILS:
            found = self.get_additional_info(name)
            if isinstance(found, dict):
                return found
        return {}

    @property
    def error_codes(self) -> list[str]:
        """Codes from the root category inwards."""
        return list(_codes(self._error))

    @property
    def error_code_hierarchy(self) -> str:
        """The codes with slashes between them."""
        return "/".join(self.error_codes)

    @property
    def innermost_error_code(self) -> str | None:
        """The last of them."""
        codes = self.error_codes
        return codes[-1] if codes else None

    def to_dict(self) -> dict[str, Any]:
        """The whole answer."""
        return {
            "error": self._error,
            "correlation": None,
            "environment": None,
            "location": None,
            "componentName": "penstock",
            "time": datetime.now(UTC).isoformat(),
        }

    def to_simplified_dict(self) -> dict[str, Any]:
        """Only code and message."""
        return {"error": {"code": self._error.get("code"), "message": self._error.get("message")}}


def _codes(error: Any) -> Iterator[str]:
    while isinstance(error, Mapping) and error.get("code") is not None:
        yield error["code"]
        error = error.get("innerError")


def _debug_info(ex: BaseException) -> dict[str, Any]:
    stack = "Traceback (most recent call last):\n" + "".join(traceback.format_tb(ex.__traceback__))
    inner = None
    if ex.__cause__ is not None:
        inner, stack = _debug_info(ex.__cause__), _CAUSE + stack
    elif ex.__context__ is not None and not ex.__suppress_context__:
        inner, stack = _debug_info(ex.__context__), _CONTEXT + stack
    return {"type": type(ex).__qualname__, "message": str(ex), "stackTrace": stack, "innerException": inner}
