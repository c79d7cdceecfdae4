"""The JSON Schema of a connection file, made from the kinds themselves."""

from __future__ import annotations

from penstock.connections.azure import KEY, TOKEN
from penstock.connections.connection import Connection
from penstock.connections.kinds import BOOKKEEPING, KINDS, STRONG
from penstock.schemas.shape import Schema, document, keys, loose, named, one_of, text

_SECRET = "Secret; write ${env:NAME}, or <user-input> to be asked."


def schema() -> Schema:
    """Every kind of connection; ``type`` tells which."""
    return document(
        "connection", "A connection.", {"type": "object", "oneOf": [_kind(kind) for kind in KINDS.values()]}
    )


def _kind(kind: type[Connection]) -> Schema:
    properties = {key: _setting(kind, key) for key in kind.FIELDS}
    return keys(
        {
            **{key: loose("Kept with the connection; has no effect.") for key in sorted(BOOKKEEPING)},
            **({key: loose("Of a custom type.") for key in sorted(STRONG)} if kind.TYPE == "custom" else {}),
            **properties,
            "type": {"enum": _spellings(kind), "description": "Kind of connection."},
        },
        kind.TYPE,
        required=("type", *kind.REQUIRED),
    )


def _setting(kind: type[Connection], key: str) -> Schema:
    if key == "auth_mode":
        return one_of((KEY, TOKEN), "How to sign in.")
    if key in ("configs", "secrets", "headers"):
        return named(loose(_SECRET if key != "configs" else "A setting."), key)
    return text(_SECRET) if key in kind.SECRETS else loose(key)


def _spellings(kind: type[Connection]) -> list[str]:
    """The type as files write it: ``open_ai``, and the class's name as prompt flow has it."""
    return list(
        dict.fromkeys((kind.TYPE, kind.TYPE.replace("_", ""), kind.__name__, kind.__name__.removesuffix("Connection")))
    )
