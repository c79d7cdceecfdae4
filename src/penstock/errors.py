"""Every exception a caller of Penstock may catch.

A message is one sentence (or a few) that says what is wrong, where, and what to do. The command line prints it as it
stands and leaves with ``exit_code``; a line of a batch turns it into a ``Failure`` whose ``kind`` is ``code``.
"""

from __future__ import annotations

from collections.abc import Sequence


class PenstockError(Exception):
    """Something the caller can act on.

    Args:
        message: What is wrong, where, what to do.
        code: The field's name of the error (prompt flow's class name where it has one); defaults to the class's own.
    """

    exit_code = 1
    default_code = "PenstockError"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code


class LoadError(PenstockError):
    """A flow, prompt or file that cannot be loaded or bound; the command line leaves with 2."""

    exit_code = 2
    default_code = "InvalidFlow"

    def __init__(self, message: str, *, code: str | None = None, diagnostics: Sequence[object] = ()) -> None:
        super().__init__(message, code=code)
        self.diagnostics = tuple(diagnostics)


class UsageError(PenstockError):
    """A command or call whose arguments do not fit together."""

    exit_code = 2
    default_code = "UsageError"


class InputError(PenstockError):
    """An input value, a data file or a mapping that does not fit the flow."""

    default_code = "InputNotFound"


class TemplateError(PenstockError):
    """A template that cannot be rendered, or whose rendering is no valid chat."""

    default_code = "JinjaTemplateError"


class ToolError(PenstockError):
    """A node's tool that cannot do its work; raised inside a line, it becomes that line's ``Failure``."""

    default_code = "ToolExecutionError"


class BadReference(PenstockError):
    """A ``${…}`` reference whose property is not there in the value it points at."""

    default_code = "InvalidReferenceProperty"


class BadConnection(PenstockError):
    """A connection that is missing, malformed or of the wrong type."""

    default_code = "ConnectionNotFound"


class ModelError(PenstockError):
    """A model endpoint that refused, failed or answered nonsense.

    Args:
        message: What happened, with the endpoint's own words; never holds a secret.
        status: HTTP status, or None where no answer came.
        retryable: Whether trying again later may help.
        retry_after: Seconds the endpoint asked to wait, if it did.
    """

    default_code = "WrappedOpenAIError"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.retryable = retryable
        self.retry_after = retry_after


class RunNotFound(PenstockError):
    """A run name that the store does not know."""

    default_code = "RunNotFoundError"


class RunExists(PenstockError):
    """A run name that is taken."""

    default_code = "RunExistsError"


class VersionNotFound(PenstockError):
    """A prompt, or a version or label of it, that the registry does not know."""

    exit_code = 2
    default_code = "VersionNotFound"


class LabelRefused(PenstockError):
    """A label that is not moved: it is protected, was moved meanwhile, or its users would miss something."""

    default_code = "LabelRefused"


class StoreError(PenstockError):
    """A store or run folder that cannot be read or written."""

    default_code = "StoreError"


class MissingDependency(PenstockError):
    """An optional package that the asked-for feature needs."""

    default_code = "MissingRequiredPackage"

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional package: run `pip install 'penstock[{extra}]'`.")
