"""What penstock.toml says about model calls: ``[models]`` for all of them, ``[limits.NAME]`` for one connection.

::

    [models]
    timeout = 600            # seconds for one request, from sending it to its whole answer
    connect_timeout = 10     # seconds to reach the endpoint
    stream_timeout = 120     # seconds without a byte before a stream counts as dead
    attempts = 10            # requests sent for one call at most
    first_wait = 0.5         # bound of the first wait before a retry; doubles
    max_wait = 30            # where it stops doubling
    max_retry_after = 120    # an endpoint that asks for a longer wait gets no retry
    concurrency = 1000       # calls in flight at once, for each model of each endpoint

    [limits.my_connection]   # any key of [models], and:
    requests_per_minute = 600
    tokens_per_minute = 150000
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from penstock.errors import UsageError
from penstock.models.retry import RetryPolicy
from penstock.settings import Settings

_RETRY = {f.name for f in fields(RetryPolicy)}


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """Limits, patience and time limits of the calls through one connection; times in seconds."""

    timeout: float = 600.0
    connect_timeout: float = 10.0
    stream_timeout: float = 120.0
    concurrency: int = 1000
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)


_OWN = {f.name for f in fields(CallPolicy)} - {"retry"}
_WHOLE = {"concurrency", "attempts"}


def call_policy(settings: Settings, connection: str | None) -> CallPolicy:
    """The policy for a connection: ``[limits.<connection>]`` over ``[models]`` over the defaults.

    Raises:
        UsageError: An unknown key, or a value that is no number above 0.
    """
    own: dict[str, Any] = {}
    limits = settings.section("limits").get(connection, {}) if connection else {}
    for table, values in (("models", settings.section("models")), (f"limits.{connection}", limits)):
        own.update(_checked(table, values))
    retry = RetryPolicy(**{key: own.pop(key) for key in list(own) if key in _RETRY})
    return CallPolicy(**own, retry=retry)


def _checked(table: str, values: Any) -> Mapping[str, Any]:
    if not isinstance(values, dict):
        raise UsageError(f"penstock.toml: [{table}] must be a table, not {values!r}.")
    for key, value in values.items():
        if key not in _OWN | _RETRY:
            known = ", ".join(sorted(_OWN | _RETRY))
            raise UsageError(f"penstock.toml: [{table}] has no setting {key!r}; there are: {known}.")
        whole = key in _WHOLE
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not value > 0:
            what = "a whole number" if whole else "a number"
            raise UsageError(f"penstock.toml: [{table}] {key} must be {what} above 0, not {value!r}.")
    return values
