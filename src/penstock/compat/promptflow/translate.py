"""From Penstock's errors to prompt flow's classes, so that a flow's own ``except`` clauses go on catching them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from penstock.compat.promptflow.errors import WrapsModelError, error_class, names
from penstock.compat.promptflow.exceptions import PromptflowException, UserErrorException
from penstock.errors import PenstockError

_OTHER_NAMES = {
    "ChatAPIInvalidRoleError": "ChatAPIInvalidRole",  # of the packages, and of the core
    "ChatAPIInvalidRole": "ChatAPIInvalidRoleError",
    "JSONDecodeError": "LLMError",
}


@contextmanager
def translated(*modules: str) -> Generator[None, None, None]:
    """Raise, instead of a Penstock error, the class of the error's code in the first of ``modules`` that has one.

    Where none has, it is a ``UserErrorException`` with the same message.
    """
    try:
        yield
    except PromptflowException:
        raise
    except PenstockError as error:
        raise _translate(error, modules) from error


def _translate(error: PenstockError, modules: tuple[str, ...]) -> PromptflowException:
    for code in (error.code, _OTHER_NAMES.get(error.code, error.code)):
        for module in modules:
            if code in names(module):
                cls = error_class(module, code)
                if issubclass(cls, WrapsModelError):
                    return cls(error, message=error.message)
                return cls(error.message)
    return UserErrorException(error.message, error=error)
