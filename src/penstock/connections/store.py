"""Connections kept on this machine: ``connections.json`` in the home folder, each secret encrypted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from penstock.connections.key import Key
from penstock.connections.kinds import MASK, Connection, CustomConnection, from_dict, kind_of, to_dict
from penstock.connections.locked_file import locked, replace_file
from penstock.errors import BadConnection, StoreError

NO_CHANGE, USER_INPUT = "<no-change>", "<user-input>"

Entry = dict[str, Any]  # type, configs, secrets (encrypted), created_date, last_modified_date


def stands_for_kept(value: object) -> bool:
    """Whether a secret's value only says "as it was": nothing, stars, or ``<no-change>``."""
    return value is None or (isinstance(value, str) and (not value.strip("*") or value == NO_CHANGE))


class ConnectionStore:
    """The connections stored in the folder ``home``; every call reads what is on the disk now.

    Names and plain settings are read without the key; only ``read`` and the writers need it.
    """

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        self.file = home / "connections.json"
        self._lock = home / "connections.lock"
        self._key = Key(home, env)

    def names(self) -> list[str]:
        """All stored names, sorted."""
        return sorted(self._entries())

    def masked(self, name: str) -> Connection:
        """The connection with each secret replaced by stars.

        Raises:
            BadConnection: There is none of that name.
            StoreError: The store is damaged or unreadable.
        """
        return _masked(name, self._entry(self._entries(), name))

    def read(self, name: str) -> dict[str, Any]:
        """The connection in file form, with its secrets; raises as ``masked`` does, and where the key does not fit."""
        entry = self._entry(self._entries(), name)
        secrets = {key: self._decrypt(name, key, token) for key, token in entry["secrets"].items()}
        return _file_form(entry, secrets)

    def save(self, conn: Connection) -> Connection:
        """Store ``conn`` under its name, over what was there; returns it masked.

        Raises:
            BadConnection: It has no name, or a secret is not filled in.
            StoreError: The store is damaged or cannot be written.
        """
        name = conn.name
        if not name:
            raise BadConnection("A connection needs a name to be stored.", code="InvalidConnection")
        form = to_dict(conn)
        with locked(self._lock):
            entries = self._entries()
            entries[name] = self._encrypted(name, form, entries, kept={})
            self._write(entries)
        return _masked(name, entries[name])

    def edit(self, name: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Connection:
        """Replace a connection by ``change`` of its file form, in which secrets are stars; returns it masked.

        A secret that ``change`` leaves as stars, empty or ``<no-change>`` stays what it was. ``change`` runs under the
        lock: no other process's edit comes between.

        Raises:
            BadConnection: There is none of that name, or ``change`` makes it invalid.
            StoreError: The store is damaged or cannot be written.
        """
        with locked(self._lock):
            entries = self._entries()
            old = self._entry(entries, name)
            form = dict(change(_file_form(old, dict.fromkeys(old["secrets"], MASK))))
            entries[name] = self._encrypted(name, form, entries, kept=old["secrets"])
            self._write(entries)
        return _masked(name, entries[name])

    def delete(self, name: str) -> None:
        """Forget a connection; raises as ``masked`` does, and where the store cannot be written."""
        with locked(self._lock):
            entries = self._entries()
            self._entry(entries, name)
            del entries[name]
            self._write(entries)

    def _entries(self) -> dict[str, Entry]:
        try:
            data = json.loads(self.file.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StoreError(f"{self.file}: cannot be read: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:
            raise self._damaged("it is no JSON") from error
        entries = data.get("connections") if isinstance(data, dict) else None
        if not isinstance(entries, dict):
            raise self._damaged("it has no table of connections")
        for name, entry in entries.items():
            if not _whole(entry):
                raise self._damaged(f"the entry of {name!r} is no connection")
        return entries

    def _damaged(self, why: str) -> StoreError:
        return StoreError(
            f"{self.file}: this file is damaged ({why}); nothing was changed. Restore it from a copy, or move it away"
            " and create the connections again.",
            code="ConnectionStoreDamaged",
        )

    def _entry(self, entries: Mapping[str, Entry], name: str) -> Entry:
        if name not in entries:
            have = ", ".join(sorted(entries)) or "none"
            raise BadConnection(
                f"Connection {name!r} is not found; stored are: {have}.", code="ConnectionNotFoundError"
            )
        return entries[name]

    def _encrypted(
        self, name: str, form: Mapping[str, Any], entries: Mapping[str, Entry], kept: Mapping[str, str]
    ) -> Entry:
        self._check_key(entries)
        secrets = _secrets(name, form, kept)
        fresh = {key: value for key, value in secrets.items() if not (stands_for_kept(value) and key in kept)}
        unfilled = [key for key, value in fresh.items() if stands_for_kept(value) or value == USER_INPUT]
        if unfilled:
            raise BadConnection(
                f"Connection {name!r}: the secret {', '.join(map(repr, unfilled))} is not filled in.",
                code="InvalidConnection",
            )
        # Validates the whole; a kept secret is known only in its encrypted form, and stars stand in for it.
        conn = from_dict(name, _with_secrets(form, {key: fresh.get(key, _stand_in(key)) for key in secrets}))
        if fresh:
            self._key.make()
        now = datetime.now(UTC).replace(tzinfo=None).isoformat()
        return {
            "type": conn.type,
            "configs": {key: value for key, value in conn.configs.items() if value is not None},
            "secrets": {
                key: self._key.encrypt(json.dumps(value)) if key in fresh else kept[key]
                for key, value in conn.secrets.items()
            },
            "created_date": entries[name]["created_date"] if name in entries else now,
            "last_modified_date": now,
        }

    def _check_key(self, entries: Mapping[str, Entry]) -> None:
        """Refuse to add to a store whose secrets another key encrypts: half of it would be lost with either."""
        for name, entry in entries.items():
            for key, token in entry["secrets"].items():
                self._decrypt(name, key, token)
                return

    def _decrypt(self, name: str, key: str, token: str) -> Any:
        text = self._key.decrypt(token)
        if text is None:
            raise StoreError(
                f"{self.file}: the secret {key!r} of connection {name!r} does not open with the key in"
                f" {self._key.place}. Restore the key it was stored with, or delete the connection and create it anew.",
                code="DecryptConnectionError",
            )
        return json.loads(text)

    def _write(self, entries: Mapping[str, Entry]) -> None:
        text = json.dumps({"version": 1, "connections": entries}, indent=2, ensure_ascii=False)
        replace_file(self.file, text.encode() + b"\n")


def _whole(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and kind_of(entry.get("type")) is not None
        and isinstance(entry.get("configs"), dict)
        and isinstance(entry.get("secrets"), dict)
        and all(isinstance(token, str) for token in entry["secrets"].values())
        and isinstance(entry.get("created_date"), str)
        and isinstance(entry.get("last_modified_date"), str)
    )


def _file_form(entry: Entry, secrets: dict[str, Any]) -> dict[str, Any]:
    if kind_of(entry["type"]) is CustomConnection:
        return {"type": "custom", "configs": dict(entry["configs"]), "secrets": secrets}
    return {"type": entry["type"], **entry["configs"], **secrets}


def _secrets(name: str, form: Mapping[str, Any], kept: Mapping[str, str]) -> dict[str, Any]:
    """The secrets that ``form`` gives; one that is empty and was never there is not given."""
    kind = kind_of(form.get("type"))
    if kind is None:
        from_dict(name, form)  # says which types there are
        raise AssertionError("from_dict accepts no unknown type")
    if kind is CustomConnection:
        secrets = form.get("secrets") or {}
        return dict(secrets) if isinstance(secrets, Mapping) else {}
    return {key: form[key] for key in kind.SECRETS if form.get(key) or (key in form and key in kept)}


def _with_secrets(form: Mapping[str, Any], secrets: dict[str, Any]) -> dict[str, Any]:
    kind = kind_of(form["type"])
    if kind is CustomConnection:
        return {**form, "secrets": secrets}
    plain = {key: value for key, value in form.items() if kind is None or key not in kind.SECRETS}
    return {**plain, **secrets}


def _stand_in(key: str) -> Any:
    return {MASK: MASK} if key == "headers" else MASK


def _masked(name: str, entry: Entry) -> Connection:
    conn = from_dict(name, _file_form(entry, {key: _stand_in(key) for key in entry["secrets"]}))
    conn.secrets = dict.fromkeys(conn.secrets, MASK)
    conn.created_date, conn.last_modified_date = entry["created_date"], entry["last_modified_date"]
    return conn
