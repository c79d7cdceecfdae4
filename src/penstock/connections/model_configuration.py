"""Which model to ask, as prompty files and flow code configure it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from penstock.connections.azure import AzureOpenAIConnection
from penstock.connections.connection import Connection
from penstock.connections.hosted import OpenAIConnection
from penstock.connections.redact import secret_variables
from penstock.errors import BadConnection

_KEY = "api_key"


class ModelConfiguration:
    """Base of both kinds: a model, and its endpoint's settings or the name of a connection that has them."""

    _type: ClassVar[str]
    _wants: ClassVar[type[Connection]]
    connection: str | None

    @classmethod
    def of(cls, value: Any) -> Self:
        """The configuration that ``value`` is, or that a map of its fields describes.

        Raises:
            BadConnection: It is neither, or the map has other keys.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, ModelConfiguration):
            value = value.fields()
        if not isinstance(value, Mapping):
            raise BadConnection(
                f"A {cls.__name__} is a map of its fields, not {type(value).__name__}.",
                code="InvalidModelConfigValueType",
            )
        known = [item.name for item in dataclasses.fields(cls)]  # type: ignore[arg-type]  # its subclasses are dataclasses
        unknown = [str(key) for key in value if key not in known and key != "type"]
        required = known[0]
        if unknown or required not in value:
            said = f"does not know {', '.join(map(repr, unknown))}" if unknown else f"needs {required!r}"
            raise BadConnection(
                f"A {cls.__name__} {said}; it has: {', '.join(known)}.", code="InvalidModelConfigValueType"
            )
        return cls(**{str(key): item for key, item in value.items() if key != "type"})

    def fields(self) -> dict[str, Any]:
        """What is set, as plain values by name; the key is among them."""
        every = dataclasses.asdict(self)  # type: ignore[call-overload]  # its subclasses are dataclasses
        return {name: value for name, value in every.items() if value is not None}

    def filled(self, find: Callable[[str], Connection]) -> Self:
        """The same with the settings of the connection that it names, and without that name; else as it is.

        Raises:
            BadConnection: There is no such connection, or it is of another kind.
        """
        if not self.connection:
            return self
        found = find(self.connection)
        if not isinstance(found, self._wants):
            raise BadConnection(
                f"A {type(self).__name__} takes {self._wants.__name__}, but connection {self.connection!r} is"
                f" {type(found).__name__}.",
                code="InvalidConnectionType",
            )
        return self._from(found)

    def _from(self, connection: Any) -> Self:
        raise NotImplementedError

    def _exclusive(self, *settings: str | None) -> None:
        if self.connection and any(settings):
            raise BadConnection(
                "A model configuration takes either a connection or an endpoint of its own, not both: "
                "leave one of them out.",
                code="InvalidConnectionError",
            )


@dataclass
class AzureOpenAIModelConfiguration(ModelConfiguration):
    """A deployment of Azure OpenAI, with the endpoint's settings or the name of a connection that has them."""

    _type: ClassVar[str] = "azure_open_ai"
    _wants: ClassVar[type[Connection]] = AzureOpenAIConnection

    azure_deployment: str
    azure_endpoint: str | None = None
    api_version: str | None = None
    api_key: str | None = field(default=None, repr=False)
    connection: str | None = None

    def __post_init__(self) -> None:
        self._exclusive(self.azure_endpoint, self.api_key, self.api_version)

    @classmethod
    def from_connection(cls, connection: AzureOpenAIConnection, azure_deployment: str) -> Self:
        """A deployment at the endpoint of ``connection``."""
        return cls(
            azure_deployment=azure_deployment,
            azure_endpoint=connection.api_base,
            api_version=connection.api_version,
            api_key=connection.api_key,
        )

    def _from(self, connection: Any) -> Self:
        return self.from_connection(connection, self.azure_deployment)


@dataclass
class OpenAIModelConfiguration(ModelConfiguration):
    """A model of OpenAI, or of an endpoint like it, with its settings or the name of a connection that has them."""

    _type: ClassVar[str] = "open_ai"
    _wants: ClassVar[type[Connection]] = OpenAIConnection

    model: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    organization: str | None = None
    connection: str | None = None

    def __post_init__(self) -> None:
        self._exclusive(self.base_url, self.api_key, self.organization)

    @classmethod
    def from_connection(cls, connection: OpenAIConnection, model: str) -> Self:
        """A model at the endpoint of ``connection``."""
        return cls(
            model=model,
            base_url=connection.base_url,
            api_key=connection.api_key,
            organization=connection.organization,
        )

    def _from(self, connection: Any) -> Self:
        return self.from_connection(connection, self.model)


MODEL_CONFIGURATIONS: Mapping[str, type[ModelConfiguration]] = {
    cls.__name__: cls for cls in (AzureOpenAIModelConfiguration, OpenAIModelConfiguration)
}
"""Both kinds by their class's name, which is how flow files write their type."""


def connections_in(value: Any) -> Iterator[str]:
    """Names that may be those of connections, in a constructor's values: texts, and what model configurations name."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, ModelConfiguration) and value.connection:
        yield value.connection
    elif isinstance(value, Mapping) and isinstance(value.get("connection"), str):
        yield value["connection"]


def plain(init: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Connection]]:
    """A constructor's values as other processes can be told them, and the connections among them by the names they now have."""
    values: dict[str, Any] = {}
    named: dict[str, Connection] = {}
    for name, value in init.items():
        if isinstance(value, Connection):
            label = value.name or f"init.{name}"
            named[label] = value
            values[name] = label
        else:
            values[name] = value.fields() if isinstance(value, ModelConfiguration) else value
    return values, named


def without_keys(init: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A constructor's values without the secrets in them, as they may be kept, and the names of those that had some."""
    return _bare(init), [name for name, value in init.items() if any(keys_in(value, name))]


def keys_in(value: Any, name: str = "") -> Iterator[str]:
    """Secrets in a constructor's value called ``name``: model configurations' keys, and texts whose names say so."""
    if isinstance(value, ModelConfiguration):
        value = value.fields()
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == _KEY and isinstance(item, str):
                yield from (item,) if item else ()
            else:
                yield from keys_in(item, str(key))
    elif isinstance(value, str):
        yield from secret_variables({name: value})


def _bare(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _bare(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if name != _KEY and (isinstance(value, Mapping) or not any(keys_in(value, str(name))))
    }
