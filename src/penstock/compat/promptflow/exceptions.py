"""The exceptions that flow code raises and catches under prompt flow's names."""

from __future__ import annotations

import string
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NoReturn

from penstock.errors import PenstockError


class ErrorCategory(StrEnum):
    """Whose fault an error is."""

    USER_ERROR = "UserError"
    SYSTEM_ERROR = "SystemError"
    UNKNOWN = "Unknown"


class ErrorTarget(StrEnum):
    """The part in which an error happened."""

    EXECUTOR = "Executor"
    BATCH = "Batch"
    CORE = "Core"
    FLOW_EXECUTOR = "FlowExecutor"
    NODE_EXECUTOR = "NodeExecutor"
    TOOL = "Tool"
    AZURE_RUN_STORAGE = "AzureRunStorage"
    RUNTIME = "Runtime"
    UNKNOWN = "Unknown"
    RUN_TRACKER = "RunTracker"
    RUN_STORAGE = "RunStorage"
    CONTROL_PLANE_SDK = "ControlPlaneSDK"
    SERVING_APP = "ServingApp"
    FLOW_INVOKER = "FlowInvoker"
    FUNCTION_PATH = "FunctionPath"


class PromptflowException(PenstockError):
    """Base of them all.

    Args:
        message: The message.
        message_format: A format string that makes the message where there is none; its fields come from ``parameters``.
        target: The part in which it happened.
        module: The module in which it happened.
        privacy_info: Accepted, and without effect: nothing is sent anywhere.
        parameters: Fields of ``message_format``; ``error`` is the exception behind this one.
    """

    def __init__(
        self,
        message: object = "",
        message_format: str = "",
        target: ErrorTarget | str = ErrorTarget.UNKNOWN,
        module: str | None = None,
        privacy_info: Sequence[str] | None = None,
        **parameters: Any,
    ) -> None:
        self.message_format = message_format
        self.target = target
        self.module = module
        self.privacy_info = privacy_info
        self._inner: BaseException | None = parameters.get("error")
        names = {name for _, name, _, _ in string.Formatter().parse(message_format) if name is not None}
        self.message_parameters = {name: parameters.get(name, f"<{name}>") for name in names} if parameters else {}
        text = str(message) if message else ""
        if not text and message_format:
            text = message_format.format(**self.message_parameters)
        # Past PenstockError: a subclass of the user's may turn ``message`` into a property that cannot be set.
        Exception.__init__(self, text or type(self).__name__)
        self._message = text or type(self).__name__

    @property
    def message(self) -> str:  # type: ignore[override]  # read-only, because subclasses override it as a property
        """The message."""
        return self._message

    @property
    def code(self) -> str:  # type: ignore[override]  # made of the class's name, so nothing can set it
        """The innermost of ``error_codes``."""
        return (self.error_codes or [type(self).__name__])[-1]

    @property
    def inner_exception(self) -> BaseException | None:
        """The exception behind this one: the ``error`` argument, or the cause."""
        return self._inner or self.__cause__

    @property
    def serializable_message_parameters(self) -> dict[str, str]:
        """``message_parameters`` as text."""
        return {name: str(value) for name, value in self.message_parameters.items()}

    @property
    def reference_code(self) -> str:
        """The target, with the module after a slash where there is one."""
        return f"{self.target!s}/{self.module}" if self.module else str(self.target)

    @property
    def additional_info(self) -> dict[str, Any] | None:
        """More about the error, by kind; a subclass may have some."""
        return None

    @property
    def error_codes(self) -> list[str]:
        """Names of the classes from the root category down to this one; empty for the base class itself."""
        chain = type(self).__mro__
        own = chain[: chain.index(PromptflowException)]
        return [error_code(cls) for cls in reversed(own)]

    def __str__(self) -> str:
        return str(self.message)


class UserErrorException(PromptflowException):
    """Something the user can put right."""


class SystemErrorException(PromptflowException):
    """Something the user cannot put right."""


class ValidationException(UserErrorException):
    """Something that was found wrong before it was run."""


_CODES: dict[type[BaseException], str] = {
    UserErrorException: "UserError",
    SystemErrorException: "SystemError",
    ValidationException: "ValidationError",
}


def error_code(cls: type[BaseException]) -> str:
    """The code a class has in a chain of codes."""
    return _CODES.get(cls, cls.__name__)


class Absent:
    """Stands for a name that flow code may import and cannot use here; any use of it says why.

    Args:
        name: The name, as it was imported.
        reason: What to do instead, a sentence.
    """

    def __init__(self, name: str, reason: str) -> None:
        self._name, self._reason = name, reason

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        """Raise UserErrorException, whatever it is called with."""
        del args, kwargs
        raise UserErrorException(f"{self._name} is not there in Penstock. {self._reason}")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # asked by inspect, copy and the like, which take "no" for an answer
            raise AttributeError(name)
        self()

    def __repr__(self) -> str:
        return f"<{self._name}: not there in Penstock>"
