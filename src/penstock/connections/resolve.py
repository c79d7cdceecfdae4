"""From a connection's name to the connection: flags, the environment, penstock.toml, the store, in this order."""

from __future__ import annotations

import contextlib
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.connections.env_file import read_env_file
from penstock.connections.kinds import Connection, from_dict, kind_of, to_dict
from penstock.connections.redact import Redactor, secret_variables, secrets_of
from penstock.connections.store import ConnectionStore
from penstock.errors import BadConnection
from penstock.settings import Settings

_ENV = re.compile(r"\$\{env:([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Source:
    """One place that gives connections: plain forms by name. ``label`` names it to the user."""

    label: str
    forms: Mapping[str, Any] = field(repr=False)


class Connections:
    """Looks connections up by name; each is read once, and the same object is given from then on."""

    def __init__(
        self,
        sources: Iterable[Source],
        store: ConnectionStore | None = None,
        env: Mapping[str, str] | None = None,
        env_values: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        self._sources = tuple(sources)
        self._store = store
        # None where nothing is left to fill in: what came through a pipe is final, even if a secret reads ${env:X}.
        self._env = env
        self._found: dict[str, Connection] = {}
        self._secrets = frozenset(secrets)
        self._redactor: tuple[int, Redactor] | None = None
        self.env_values: dict[str, str] = dict(env_values or {})

    @classmethod
    def open(
        cls, settings: Settings, env_files: Iterable[str | Path] = (), flags: Mapping[str, Any] | None = None
    ) -> Connections:
        """The connections of this machine and command.

        Args:
            settings: Gives the process environment, penstock.toml and the home folder of the store.
            env_files: ``.env`` files; a later one wins. Lines ``NAME={"type": …}`` are connections, others variables.
            flags: Connections of this command, by name: a ``Connection``, its plain form or that as JSON text.

        Raises:
            InputError: An env file that is missing or malformed.
            UsageError: A ``[connections]`` that is no table.
        """
        lines: dict[str, str] = {}
        for path in env_files:
            lines |= read_env_file(path, {**lines, **settings.env})
        in_files = _given(lines)
        sources = (
            Source("command line", {name: _flag(value) for name, value in (flags or {}).items()}),
            Source("environment", _given(settings.env)),
            Source("env file", in_files),
            Source("penstock.toml", settings.section("connections")),
        )
        plain = {name: value for name, value in lines.items() if name not in in_files}
        return cls(sources, ConnectionStore(settings.home, settings.env), {**plain, **settings.env}, plain)

    @classmethod
    def from_export(cls, data: Mapping[str, Mapping[str, Any]], secrets: Iterable[str] = ()) -> Connections:
        """Those that ``export`` gave, and no others; ``secrets`` are the values that the parent knows besides."""
        return cls([Source("parent process", data)], secrets=secrets)

    def names(self) -> list[str]:
        """Every name that ``get`` would find, sorted."""
        stored = self._store.names() if self._store else []
        return sorted({*stored, *(name for source in self._sources for name in source.forms)})

    def knows(self, name: str) -> bool:
        """Whether ``get`` would find ``name``."""
        return self.source(name) is not None

    def source(self, name: str) -> str | None:
        """Where ``name`` comes from: ``environment``, ``store``, …; None where nobody gives it."""
        for source in self._sources:
            if name in source.forms:
                return source.label
        return "store" if self._store and name in self._store.names() else None

    def get(self, name: str) -> Connection:
        """The connection called ``name``, ``${env:X}`` filled in.

        Raises:
            BadConnection: There is none of that name (the message lists those there are), it is malformed, or it needs
                a variable that is not set.
            StoreError: The store is damaged, or its key does not fit.
        """
        if name not in self._found:
            conn = self._fill(from_dict(name, self._form(name)))
            return self._found.setdefault(name, conn)
        return self._found[name]

    def unfilled(self, name: str) -> Connection:
        """As ``get``, but ``${env:X}`` as it stands and stored secrets masked: to be shown, without any key."""
        if self._store and self.source(name) == "store":
            return self._store.masked(name)
        return from_dict(name, self._form(name))

    def export(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Plain JSON of the connections ``names``, secrets included: for a worker's pipe, never for a file or a log."""
        return {name: to_dict(self.get(name)) for name in names}

    def secrets(self) -> frozenset[str]:
        """Every secret value that this process knows: of all connections but those in the store that nobody asked for."""
        for name in {name for source in self._sources for name in source.forms}:
            with contextlib.suppress(BadConnection):  # whoever asks for that one is told
                self.get(name)
        found = (secrets_of(conn) for conn in self._found.values())
        return self._secrets.union(secret_variables(self._env or {}), *found)

    def also_secret(self, values: Iterable[str]) -> None:
        """Count ``values`` among the secrets: they were given to a flow by other ways than a connection."""
        self._secrets |= frozenset(values)
        self._redactor = None

    def redactor(self) -> Redactor:
        """Takes these secrets out of text; ask anew each time, since connections are read when they are asked for."""
        if self._redactor is None or self._redactor[0] != len(self._found):
            redactor = Redactor(self.secrets())
            self._redactor = (len(self._found), redactor)
        return self._redactor[1]

    def _form(self, name: str) -> Any:
        for source in self._sources:
            if name in source.forms:
                form = source.forms[name]
                return to_dict(form) if isinstance(form, Connection) else form
        if self._store and name in self._store.names():
            return self._store.read(name)
        raise BadConnection(self._missing(name))

    def _missing(self, name: str) -> str:
        if (text := (self._env or {}).get(name, "")).startswith("{"):
            return f"The variable {name!r} is no connection: {_why_not(text)}."
        have = self.names()
        near = difflib.get_close_matches(str(name), have, 1, cutoff=0.6)
        maybe = f" Did you mean {near[0]!r}?" if near else ""
        listed = f" There are: {', '.join(have[:20])}{', …' if len(have) > 20 else ''}." if have else " There are none."
        return (
            f'Connection {name!r} is not found.{maybe}{listed} Give it as a line {_quoted(name)}={{"type": …}} of an'
            " env file, or create it with `penstock connection create`."
        )

    def _fill(self, conn: Connection) -> Connection:
        if self._env is not None:
            for values in (conn.configs, conn.secrets):
                for key, value in values.items():
                    values[key] = self._filled(conn, key, value)
        return conn

    def _filled(self, conn: Connection, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {inner: self._filled(conn, f"{key}.{inner}", item) for inner, item in value.items()}
        return _ENV.sub(lambda found: self._variable(conn, key, found[1]), value) if isinstance(value, str) else value

    def _variable(self, conn: Connection, key: str, variable: str) -> str:
        try:
            return (self._env or {})[variable.strip()]
        except KeyError as error:
            name = variable.strip()
            raise BadConnection(
                f"Connection {conn.name!r}: {key!r} needs the environment variable {name!r}, which is not set.",
                code="EnvironmentVariableNotFound",
            ) from error


def _given(variables: Mapping[str, str]) -> dict[str, Any]:
    """Those variables whose value is a connection."""
    found = {}
    for name, text in variables.items():
        if text.startswith("{") and '"type"' in text:
            try:
                data = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if kind_of(data.get("type")) is not None:
                found[name] = data
    return found


def _flag(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise BadConnection(
            'A connection given as text must be JSON, as in {"type": "open_ai", …}.', code="InvalidConnection"
        ) from error


def _why_not(text: str) -> str:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f" ({error.msg} at character {error.pos + 1})" if isinstance(error, json.JSONDecodeError) else ""
        return f"it begins like JSON but is none{place}"
    try:
        from_dict(None, data)
    except BadConnection as error:
        return error.message.rstrip(".?")
    return "its type is unknown"


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]+", name) else f"'{name}'"
