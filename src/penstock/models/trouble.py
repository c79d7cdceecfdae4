"""``Trouble``: one failed attempt, before anybody decided whether to try again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Names of the vendor's own client library, which is what people search the web for.
TYPES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
}
_LONGEST = 1000
# Attempts by status; what is not here and below 500 is the caller's mistake, and no waiting mends it.
_TRIES = {408: None, 409: 3, 422: 3, 425: None, 429: None}
# 429s that waiting does not mend: the account is out of money.
_HOPELESS = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "credit_balance_too_low"}
)


class Trouble(Exception):
    """What went wrong with one attempt.

    Args:
        kind: The vendor library's name for it (``RateLimitError``).
        message: The endpoint's own words, or ours where it said nothing.
        status: HTTP status, None where no answer came.
        tries: Attempts in all that such a trouble is worth; None for as many as the policy allows, 1 for no retry.
        retry_after: Seconds the endpoint asked to wait.
        overload: Whether the endpoint says it is asked too much.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        status: int | None = None,
        tries: int | None = 1,
        retry_after: float | None = None,
        overload: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.tries = tries
        self.retry_after = retry_after
        self.overload = overload


def refused(status: int, payload: bytes | str, headers: Mapping[str, str], retry_after: float | None = None) -> Trouble:
    """The trouble that an HTTP error answer tells of."""
    message, words = _told(payload)
    tries = _TRIES.get(status, None if status >= 500 else 1)
    told = headers.get("x-should-retry", "").lower()
    if (status == 429 and words & _HOPELESS) or told == "false":
        tries = 1
    elif told == "true" and tries == 1:
        tries = 3
    kind = TYPES.get(status) or ("InternalServerError" if status >= 500 else "APIStatusError")
    if 300 <= status < 400:
        message = f"the endpoint redirects to {headers.get('Location', '?')!r}; put that address into the connection"
    details = ", ".join(sorted(words - {kind})) if tries == 1 else ""
    if details and details not in message:
        message = f"{message} [{details}]"
    return Trouble(
        kind,
        message or "the endpoint gave no reason",
        status=status,
        tries=tries,
        retry_after=retry_after,
        overload=status in {429, 503, 529} and tries != 1,
    )


def told_in_body(data: Any) -> Trouble | None:
    """The trouble that an answer or event with status 200 carries in its body, as gateways and streams do; or None."""
    error = data.get("error") if isinstance(data, dict) else None
    if not error:
        return None
    message, words = _told(json.dumps(data))
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else None
    if status is not None:
        return refused(status, json.dumps(data), {})
    busy = words & {"overloaded_error", "rate_limit_error", "rate_limit_exceeded", "overloaded"}
    again = bool(busy or words & {"server_error", "api_error", "internal_error", "timeout_error"})
    kind = "RateLimitError" if busy else "InternalServerError" if again else "APIError"
    return Trouble(kind, message, tries=None if again else 1, overload=bool(busy))


def _told(payload: bytes | str) -> tuple[str, set[str]]:
    text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else payload
    try:
        data = json.loads(text)
    except ValueError:
        return _short(" ".join(text.split())), set()
    error = data.get("error", data) if isinstance(data, dict) else data
    if isinstance(error, str):
        return _short(error), set()
    if not isinstance(error, dict):
        return _short(text), set()
    message = error.get("message") or error.get("detail") or error.get("type") or json.dumps(error)
    words = {error[key] for key in ("type", "code") if isinstance(error.get(key), str)}
    inner = error.get("innererror")
    if isinstance(inner, dict) and isinstance(inner.get("code"), str):
        words.add(inner["code"])
    return _short(message if isinstance(message, str) else json.dumps(message)), words


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
