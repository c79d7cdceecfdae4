"""What every connection is: a name, plain settings, and secrets that never show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

MASK = "******"


class Secret(str):
    """Marks a field of a custom strong type connection as secret; its ``repr`` is masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)


class Secrets(dict[str, Any]):
    """The secret values of a connection, a dict in every way but its ``repr``."""

    def __repr__(self) -> str:
        return repr(dict.fromkeys(self, MASK))


class Connection:
    """Settings of one endpoint; the ancestor of every kind.

    Each setting can be read as an attribute (``conn.api_base``) and as an item (``conn["api_base"]``); ``dict(conn)``
    is all of them, secrets included. ``repr`` and ``str`` mask the secrets.

    Attributes:
        name: Name the connection is looked up by, or None.
        type: Kind, as in a connection file: ``azure_open_ai``.
        configs: Plain settings.
        secrets: Secret settings.
        module: prompt flow's bookkeeping, without effect.
    """

    TYPE: ClassVar[str] = ""
    FIELDS: ClassVar[tuple[str, ...]] = ()  # in the order they are shown
    REQUIRED: ClassVar[tuple[str, ...]] = ()
    SECRETS: ClassVar[tuple[str, ...]] = ()

    name: str | None
    type: str
    configs: dict[str, Any]
    secrets: dict[str, Any]
    module: str
    created_date: str | None
    last_modified_date: str | None
    expiry_time: str | None

    def __init__(
        self,
        name: str | None = None,
        module: str = "promptflow.connections",
        configs: Mapping[str, Any] | None = None,
        secrets: Mapping[str, Any] | None = None,
        **bookkeeping: Any,
    ) -> None:
        # Past __setattr__, which routes settings into these very dicts. Unknown keywords are dropped: prompt flow does.
        self.__dict__.update(
            name=name,
            type=self.TYPE,
            configs=dict(configs or {}),
            secrets=Secrets(secrets or {}),
            module=module,
            created_date=bookkeeping.get("created_date"),
            last_modified_date=bookkeeping.get("last_modified_date"),
            expiry_time=bookkeeping.get("expiry_time"),
        )

    @property
    def class_name(self) -> str:
        """The name of the connection's class."""
        return type(self).__name__

    def keys(self) -> list[str]:
        """Names of all settings, secrets last."""
        return [*self.configs, *self.secrets]

    def is_secret(self, key: str) -> bool:
        """Whether ``key`` is one of this connection's secrets."""
        return key in self.secrets

    def __getitem__(self, key: str) -> Any:
        for values in (self.secrets, self.configs):
            if key in values:
                return values[key]
        raise KeyError(f"Key {key!r} not found in connection {self.name!r}.")

    def __contains__(self, key: object) -> bool:
        return key in self.configs or key in self.secrets

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.configs) + len(self.secrets)

    def __bool__(self) -> bool:
        return True  # a connection without settings is still a connection

    def __getattr__(self, key: str) -> Any:
        # "configs" and "secrets" get here only on a half-made object, as copy.copy makes one.
        if not key.startswith("__") and key not in {"configs", "secrets"}:
            if key in self:
                return self[key]
            if key in self.FIELDS:
                return None
        has = f"; it has: {', '.join(self.keys())}" if "secrets" in self.__dict__ and self.keys() else ""
        raise AttributeError(f"{type(self).__name__} has no {key!r}{has}.")

    def __setattr__(self, key: str, value: Any) -> None:
        if key in self.__dict__:
            self.__dict__[key] = Secrets(value) if key == "secrets" else value
        elif key in self.secrets or key in self.SECRETS:
            self.secrets[key] = value
        elif key in self.configs or key in self.FIELDS:
            self.configs[key] = value
        else:
            self.__dict__[key] = value

    def __repr__(self) -> str:
        shown = {"name": self.name, **self.configs, **dict.fromkeys(self.secrets, MASK)}
        inside = ", ".join(f"{key}={value!r}" for key, value in shown.items() if value is not None)
        return f"{type(self).__name__}({inside})"
