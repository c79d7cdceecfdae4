"""Where a connection's calls go, with which headers, and which values of it must never be shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from penstock.models.merge import Merger
from penstock.models.model import Request


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One connection, seen from the wire.

    Attributes:
        name: The connection's name, for messages.
        label: What messages call the service (``OpenAI API``).
        base: Address without path of the call; endpoints with the same base and secrets share their adaptive limit.
        address: The URL of a request.
        headers: Sent with every request; they hold the key.
        secrets: Values that never appear in a message or record.
        token: Gets a bearer token, where the connection signs in that way instead of by key; may block.
    """

    name: str
    label: str
    base: str
    address: Callable[[Request], str]
    headers: Mapping[str, str] = field(repr=False, default_factory=dict[str, str])
    secrets: tuple[str, ...] = field(repr=False, default=())
    token: Callable[[], str] | None = field(repr=False, default=None)


class Dialect(Protocol):
    """How a vendor words requests and answers; everything else of a call is the same for all."""

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body of a request; raises ModelError where the vendor has no word for a parameter."""

    def whole(self, request: Request, data: dict[str, Any]) -> dict[str, Any]:
        """The OpenAI-shaped form of an answer."""

    def merger(self, request: Request) -> Merger:
        """What merges the events of a stream."""


def text_of(connection: Any, key: str) -> str:
    """A connection's field as stripped text, '' where it has none: keys often come with a line break from a file."""
    value = getattr(connection, key, None)
    return str(value).strip() if value is not None else ""


def name_of(connection: Any) -> str:
    """What messages and limits call a connection: its name, or its type where nobody named it."""
    return str(connection.name or getattr(connection, "type", None) or type(connection).__name__)
