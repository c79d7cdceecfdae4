"""Every kind of connection, and the plain form in which files, variables and other processes give one.

Two plain forms are read. The file form has the settings beside the type: ``{"type": "open_ai", "api_key": "…"}``. The
execution form, which prompt flow's executors pass about, has them below it:
``{"type": "OpenAIConnection", "module": "…", "value": {"api_key": "…"}, "secret_keys": ["api_key"]}``.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any

from penstock.connections.azure import (
    KEY,
    TOKEN,
    AzureAIServicesConnection,
    AzureContentSafetyConnection,
    AzureOpenAIConnection,
    CognitiveSearchConnection,
    FormRecognizerConnection,
)
from penstock.connections.connection import MASK, Connection, Secret
from penstock.connections.custom import (
    CustomConnection,
    CustomStrongTypeConnection,
    strong_type_configs,
    to_strong_type,
)
from penstock.connections.hosted import (
    AnthropicConnection,
    OpenAICompatibleConnection,
    OpenAIConnection,
    QdrantConnection,
    SerpConnection,
    ServerlessConnection,
    WeaviateConnection,
)
from penstock.errors import BadConnection

__all__ = [
    "KINDS",
    "MASK",
    "AnthropicConnection",
    "AzureAIServicesConnection",
    "AzureContentSafetyConnection",
    "AzureOpenAIConnection",
    "CognitiveSearchConnection",
    "Connection",
    "CustomConnection",
    "CustomStrongTypeConnection",
    "FormRecognizerConnection",
    "OpenAICompatibleConnection",
    "OpenAIConnection",
    "QdrantConnection",
    "Secret",
    "SerpConnection",
    "ServerlessConnection",
    "WeaviateConnection",
    "from_dict",
    "ignored_keys",
    "kind_of",
    "to_dict",
    "to_strong_type",
]

KINDS: dict[str, type[Connection]] = {
    kind.TYPE: kind
    for kind in (
        AzureOpenAIConnection,
        OpenAIConnection,
        OpenAICompatibleConnection,
        AnthropicConnection,
        ServerlessConnection,
        CognitiveSearchConnection,
        AzureAIServicesConnection,
        AzureContentSafetyConnection,
        FormRecognizerConnection,
        SerpConnection,
        QdrantConnection,
        WeaviateConnection,
        CustomConnection,
    )
}

BOOKKEEPING = {"$schema", "name", "type", "module", "created_date", "last_modified_date", "expiry_time"}
STRONG = {"custom_type", "package", "package_version"}


def kind_of(type_name: object) -> type[Connection] | None:
    """The class of a type however it is written (``open_ai``, ``OpenAI``, ``OpenAIConnection``), or None."""
    return _LOOSE.get(_loose(type_name)) if isinstance(type_name, str) else None


def from_dict(name: str | None, data: Any) -> Connection:
    """The connection that ``data``, in file or execution form, describes.

    Keys that the kind does not have are ignored, as prompt flow does; ``ignored_keys`` names them.

    Raises:
        BadConnection: The type is missing or unknown, a setting is missing or no text.
    """
    kind, settings = _parts(name, data)
    if kind is CustomConnection:
        return CustomConnection(
            secrets=_texts(name, "secrets", settings.get("secrets")),
            configs={**_texts(name, "configs", settings.get("configs")), **strong_type_configs(settings)},
            name=name,
        )
    values = {key: _setting(name, key, settings[key]) for key in kind.FIELDS if settings.get(key) is not None}
    if "auth_mode" in kind.FIELDS:
        values["auth_mode"] = _auth_mode(name, values)
    for key in kind.REQUIRED:
        if not values.get(key):
            raise BadConnection(
                f"Connection {name!r} has no {key!r}, which a connection of type {kind.TYPE!r} needs.",
                code="InvalidConnection",
            )
    return kind(**values, name=name)


def to_dict(conn: Connection) -> dict[str, Any]:
    """``conn`` in file form, with its secrets, without its name; ``from_dict`` reads it back."""
    if isinstance(conn, CustomStrongTypeConnection):
        conn = conn.to_custom()
    if isinstance(conn, CustomConnection):
        return {"type": conn.TYPE, "configs": dict(conn.configs), "secrets": dict(conn.secrets)}
    settings = {key: getattr(conn, key) for key in conn.FIELDS}
    return {"type": conn.TYPE, **{key: value for key, value in settings.items() if value is not None}}


def ignored_keys(data: Mapping[str, Any]) -> list[str]:
    """The keys of ``data`` (file form) that its kind does not have: most likely misspelt."""
    kind, settings = _parts(None, data)
    known = {*kind.FIELDS, *BOOKKEEPING, *(STRONG if kind is CustomConnection else ())}
    return sorted(str(key) for key in settings if key not in known)


def _parts(name: str | None, data: Any) -> tuple[type[Connection], dict[str, Any]]:
    if not isinstance(data, Mapping):
        raise BadConnection(
            f"Connection {name!r} must be a map with a 'type', not a {type(data).__name__}.", code="InvalidConnection"
        )
    kind = kind_of(data.get("type"))
    if kind is None:
        raise BadConnection(_unknown_type(name, data.get("type")), code="UnknownConnectionType")
    value = data.get("value")
    if not isinstance(value, Mapping):
        return kind, dict(data)
    if kind is not CustomConnection:
        return kind, dict(value)
    secret = set(data.get("secret_keys") or ())
    return kind, {
        "configs": {key: item for key, item in value.items() if key not in secret},
        "secrets": {key: item for key, item in value.items() if key in secret},
    }


def _unknown_type(name: str | None, given: Any) -> str:
    known = f"there are: {', '.join(KINDS)}"
    if given is None:
        return f"Connection {name!r} has no 'type'; {known}."
    near = difflib.get_close_matches(_loose(str(given)), _LOOSE, 1)
    maybe = f" Did you mean {_LOOSE[near[0]].TYPE!r}?" if near else ""
    return f"Connection {name!r} is of an unknown type {given!r}; {known}.{maybe}"


def _auth_mode(name: str | None, values: Mapping[str, Any]) -> str:
    given = values.get("auth_mode", KEY)
    mode = {_loose(KEY): KEY, _loose(TOKEN): TOKEN}.get(_loose(given))
    if mode is None:
        raise BadConnection(
            f"Connection {name!r}: auth_mode must be {KEY!r} or {TOKEN!r}, not {given!r}.", code="InvalidConnection"
        )
    if mode == KEY and not values.get("api_key"):
        raise BadConnection(
            f"Connection {name!r}: 'api_key' is required for key auth mode connection. Give it, or set auth_mode to"
            f" {TOKEN}.",
            code="InvalidConnection",
        )
    return mode


def _setting(name: str | None, key: str, value: Any) -> Any:
    if key != "headers":
        return _text(name, key, value)
    if isinstance(value, str):  # a variable or a flag can only hold a text
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, Mapping):
        raise BadConnection(
            f"Connection {name!r}: 'headers' must be a map of names to texts.", code="InvalidConnection"
        )
    return _texts(name, key, value)


def _texts(name: str | None, key: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadConnection(
            f"Connection {name!r}: {key!r} must be a map of names to texts, not a {type(value).__name__}.",
            code="InvalidConnection",
        )
    return {str(inner): _text(name, f"{key}.{inner}", item) for inner, item in value.items() if item is not None}


def _text(name: str | None, key: str, value: Any) -> str:
    """A setting as text; numbers and switches are what YAML makes of unquoted texts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise BadConnection(
        f"Connection {name!r}: {key!r} must be a text, not a {type(value).__name__}.", code="InvalidConnection"
    )


def _loose(type_name: str) -> str:
    return re.sub(r"[\W_]", "", type_name).lower().removesuffix("connection")


_LOOSE = {_loose(kind): cls for kind, cls in KINDS.items()} | {"customstrongtype": CustomConnection}
