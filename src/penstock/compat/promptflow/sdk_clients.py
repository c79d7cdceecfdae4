"""For flow code that calls OpenAI's own library: clients made of connections, and retries around its calls."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from penstock.compat.promptflow.errors import error_class
from penstock.compat.promptflow.exceptions import PromptflowException
from penstock.connections.kinds import AzureOpenAIConnection, OpenAIConnection, ServerlessConnection
from penstock.errors import PenstockError

P = ParamSpec("P")
R = TypeVar("R")

_ERRORS = "promptflow.tools.exception"
_WORTH_RETRYING = ("connection aborted", "server disconnected without sending a response")


def normalize_connection_config(connection: Any) -> dict[str, Any]:
    """Keyword arguments for a client of OpenAI's library.

    Raises:
        InvalidConnectionType: A connection of another kind.
    """
    if isinstance(connection, AzureOpenAIConnection):
        own = {"api_version": connection.api_version, "azure_endpoint": connection.api_base, "max_retries": 0}
        key = connection.api_key
        return {**own, "api_key": key} if key else {**own, "azure_ad_token_provider": connection.get_token}
    if isinstance(connection, ServerlessConnection):
        base = connection.api_base
        return {
            "max_retries": 0,
            "api_key": connection.api_key,
            "base_url": base if base.endswith("/v1") else f"{base}/v1",
        }
    if isinstance(connection, OpenAIConnection):
        return {
            "max_retries": 0,
            "api_key": connection.api_key,
            "organization": connection.organization,
            "base_url": connection.base_url,
        }
    raise error_class(_ERRORS, "InvalidConnectionType")(
        f"{type(connection).__name__} is no connection of OpenAI's library; these are: AzureOpenAIConnection, "
        "OpenAIConnection, ServerlessConnection."
    )


def init_openai_client(connection: Any) -> Any:
    """An ``openai.OpenAI`` for ``connection``; the library must be installed."""
    return _library().OpenAI(**normalize_connection_config(connection))


def init_azure_openai_client(connection: Any) -> Any:
    """An ``openai.AzureOpenAI`` for ``connection``; the library must be installed."""
    return _library().AzureOpenAI(**normalize_connection_config(connection))


def handle_openai_error(
    tries: int = 100, unprocessable_entity_error_tries: int = 3
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Try a function that calls OpenAI's library again where that may help.

    It helps with status 429 (unless the quota is used up), 500 and above, timeouts and cut connections; with 422 at
    most ``unprocessable_entity_error_tries`` times in a row. It waits as long as the service asks, else 3, 4, 6, 10 …
    up to 60 s.

    Raises:
        WrappedOpenAIError: The service's refusal.
        ExceedMaxRetryTimes: It failed ``tries`` times again.
        LLMError: An exception that is not the library's.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            refused = 0
            for attempt in range(tries + 1):
                try:
                    return function(*args, **kwargs)
                except PenstockError:
                    raise
                except Exception as error:
                    status = getattr(error, "status_code", None)
                    refused = refused + 1 if status == 422 else 0
                    if not _is_librarys(error):
                        raise _raised("LLMError", error) from error
                    if not _retryable(error, status):
                        raise _raised("WrappedOpenAIError", error) from error
                    if attempt == tries or refused == unprocessable_entity_error_tries:
                        raise _raised("ExceedMaxRetryTimes", error) from error
                    wait = _wait(error, attempt)
                    sys.stderr.write(f"{type(error).__name__}, trying again in {wait:g} s.\n")
                    time.sleep(wait)
            raise AssertionError("the last attempt returns or raises")

        return call

    return decorate


def _library() -> Any:
    try:
        import openai  # only flow code that asks for it pays for its import
    except ImportError as error:
        raise error_class(_ERRORS, "ToolValidationError")(
            "This flow's code makes a client of OpenAI's library, which is not installed: run `pip install openai`."
        ) from error
    return openai


def _is_librarys(error: Exception) -> bool:
    return any(cls.__module__.partition(".")[0] == "openai" for cls in type(error).__mro__)


def _retryable(error: Exception, status: int | None) -> bool:
    if status is not None:
        quota = getattr(error, "type", None) == "insufficient_quota"
        return (status in {422, 429} or status >= 500) and not quota
    said = f"{error} {error.__cause__}".lower()
    return type(error).__name__ == "APITimeoutError" or any(one in said for one in _WORTH_RETRYING)


def _wait(error: Exception, attempt: int) -> float:
    response = getattr(error, "response", None)
    asked = response.headers.get("retry-after") if response is not None else None
    try:
        return float(asked or "")
    except ValueError:
        return float(min(2 + 2 ** min(attempt, 10), 60))


def _raised(name: str, error: Exception) -> PromptflowException:
    cls: Any = error_class(_ERRORS, name)
    if name == "LLMError":
        return cls(f"OpenAI API hits exception: {type(error).__name__}: {error}")  # type: ignore[no-any-return]
    before = "Exceed max retry times. " if name == "ExceedMaxRetryTimes" else ""
    return cls(error, message=f"{before}OpenAI API hits {type(error).__name__}: {error}")  # type: ignore[no-any-return]
