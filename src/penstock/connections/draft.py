"""A connection while its user still writes it: settings put over it, secrets yet to be asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from penstock.connections.azure import TOKEN
from penstock.connections.connection import MASK, Connection
from penstock.connections.kinds import CustomConnection, kind_of, to_dict
from penstock.connections.store import USER_INPUT, stands_for_kept
from penstock.errors import UsageError

_MAPS = ("configs", "secrets", "headers")


def with_settings(form: Mapping[str, Any], settings: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """``form`` with each setting put in: ``api_base``, ``configs.url``, ``secrets.key``, ``headers.X-Name``.

    Raises:
        UsageError: A setting below one that is no map.
    """
    result = dict(form)
    for path, value in settings:
        top, dot, below = path.partition(".")
        if not (dot and top in _MAPS):
            result[path] = value
            continue
        old = result.get(top) or {}
        if not isinstance(old, Mapping):
            raise UsageError(f"{path}: {top} cannot be changed in part; give the whole: {top}='{{\"{below}\": …}}'.")
        result[top] = {**old, below: value}
    return result


def over(form: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``form`` with the settings of ``changes``, another file form, over its own; custom ones are joined key by key."""
    result = {**form, **changes}
    for key in ("configs", "secrets"):
        if isinstance(form.get(key), Mapping) and isinstance(changes.get(key), Mapping):
            result[key] = {**form[key], **changes[key]}
    return result


def secrets_to_ask(form: Mapping[str, Any], *, updating: bool = False) -> list[str]:
    """Paths, as ``with_settings`` takes them, of the secrets that must be asked for.

    A new connection lacks those left empty, starred or at ``<user-input>``; one that is updated only the last.
    """

    def lacking(value: object) -> bool:
        return value == USER_INPUT or (not updating and stands_for_kept(value))

    kind = kind_of(form.get("type"))
    if kind is None:
        return []
    if kind is CustomConnection:
        secrets = form.get("secrets")
        given = secrets if isinstance(secrets, Mapping) else {}
        return [f"secrets.{key}" for key, value in given.items() if lacking(value)]
    needed: Collection[str] = kind.REQUIRED
    if "auth_mode" in kind.FIELDS and form.get("auth_mode") != TOKEN:
        needed = (*needed, "api_key")
    return [key for key in kind.SECRETS if (form.get(key) or key in needed) and lacking(form.get(key))]


def shown(conn: Connection, source: str | None = None) -> dict[str, Any]:
    """``conn`` as it may be printed: prompt flow's keys in prompt flow's order, stars for secrets.

    ``source`` says where a connection comes from that is not stored.
    """
    form = to_dict(conn)
    kind = form.pop("type")
    head = {
        "auth_mode": form.pop("auth_mode", None),
        "name": conn.name,
        "module": conn.module,
        "created_date": conn.created_date,
        "last_modified_date": conn.last_modified_date,
        "source": source,
    }
    if kind == CustomConnection.TYPE:
        form["secrets"] = {key: _starred(value) for key, value in form["secrets"].items()}
    else:
        form = {key: _starred(value) if key in conn.SECRETS else value for key, value in form.items()}
    return {**{key: value for key, value in head.items() if value is not None}, "type": kind, **form}


def _starred(value: Any) -> str:
    """Stars, or the reference itself where the value only names an environment variable."""
    reference = isinstance(value, str) and value.startswith("${env:") and value.find("}") == len(value) - 1
    return str(value) if reference else MASK
