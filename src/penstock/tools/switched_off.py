"""Interfaces that their vendor has switched off: what to tell whose code still asks for them."""

from __future__ import annotations

_ASSISTANTS = (
    "OpenAI switched its Assistants API off on 26 August 2026; ask the Responses API instead (client.responses.create),"
    " which takes the assistant's instructions and function tools, and keeps a conversation where a thread was."
)
_PLACES = ("/assistants", "/threads")
_NAMES = ("assistants", "threads")
_GONE = (404, 410)


def switched_off(error: BaseException) -> str:
    """Advice where ``error`` comes of OpenAI's Assistants API being gone, else nothing.

    That is an answer "not found" to a request for an assistant or a thread, or a client library that has no such part any
    more.
    """
    if isinstance(error, (AttributeError, ImportError)):
        return _ASSISTANTS if _misses_part(error) else ""
    seen: BaseException | None = error
    for _ in range(5):
        if seen is None:
            break
        if _asked_in_vain(seen):
            return _ASSISTANTS
        seen = seen.__cause__
    return ""


def _asked_in_vain(error: BaseException) -> bool:
    if getattr(error, "status_code", None) not in _GONE:
        return False
    url = getattr(getattr(error, "request", None), "url", None)
    path = str(getattr(url, "path", url or ""))
    return any(f"{place}/" in f"{path}/" for place in _PLACES)


def _misses_part(error: AttributeError | ImportError) -> bool:
    if isinstance(error, ImportError):
        return str(error.name or "").startswith(("openai.types.beta", "openai.resources.beta"))
    return error.name in _NAMES and type(error.obj).__module__.split(".")[0] == "openai"
