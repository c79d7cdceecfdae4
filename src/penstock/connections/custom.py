"""Custom connections: free settings, and classes of a user's own that give them names."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from penstock.connections.connection import Connection, Secret
from penstock.errors import BadConnection

# Where prompt flow keeps the class of a strong type connection: among its configs.
_TYPE, _MODULE = "promptflow.connection.custom_type", "promptflow.connection.module"
_PACKAGE, _VERSION = "promptflow.connection.package", "promptflow.connection.package_version"


class CustomConnection(Connection):
    """Free settings: ``configs`` are plain, ``secrets`` are secret; both map a name to a text.

    Example:
        >>> CustomConnection(configs={"url": "http://localhost"}, secrets={"key": "k"})
        CustomConnection(url='http://localhost', key='******')
    """

    TYPE = "custom"
    FIELDS = ("configs", "secrets")

    def __init__(self, secrets: Mapping[str, Any], configs: Mapping[str, Any] | None = None, **rest: Any) -> None:
        super().__init__(configs=configs, secrets=secrets, **rest)

    @property
    def custom_type(self) -> str | None:
        """Name of the class this connection was made for, if any."""
        return self.configs.get(_TYPE)

    @property
    def custom_module(self) -> str | None:
        """Module of ``custom_type``."""
        return self.configs.get(_MODULE)


class _Field:
    """One annotated field of a strong type: the default on the class, the setting on an instance."""

    def __init__(self, name: str, *, secret: bool, default: Any, required: bool) -> None:
        self.name, self.secret, self.default, self.required = name, secret, default, required

    def __get__(self, instance: CustomStrongTypeConnection | None, owner: type) -> Any:
        if instance is None:
            if self.required:
                raise AttributeError(f"{owner.__name__} gives {self.name!r} no default.")
            return self.default
        if self.name in instance:
            return instance[self.name]
        if self.required:
            raise AttributeError(
                f"Connection {instance.__dict__.get('name')!r} ({owner.__name__}) has no {self.name!r}."
            )
        return self.default

    def __set__(self, instance: CustomStrongTypeConnection, value: Any) -> None:
        (instance.secrets if self.secret else instance.configs)[self.name] = value


class CustomStrongTypeConnection(Connection):
    """Base of a user's own connection class; every annotated field is a setting, ``Secret`` ones are secret.

    Example::

        class MyConnection(CustomStrongTypeConnection):
            api_key: Secret
            api_base: str = "http://localhost"
    """

    TYPE = "custom"
    FIELDS = ("configs", "secrets")
    fields_by_name: ClassVar[dict[str, _Field]] = {}

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        own = {}
        for key, annotation in inspect.get_annotations(cls).items():
            # With `from __future__ import annotations` the annotation is its source text.
            text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
            if text.startswith(("ClassVar", "typing.ClassVar")):
                continue
            secret = annotation is Secret or text.rpartition(".")[2] == "Secret"
            own[key] = _Field(key, secret=secret, default=cls.__dict__.get(key), required=key not in cls.__dict__)
            setattr(cls, key, own[key])
        cls.fields_by_name = {**cls.fields_by_name, **own}

    def __init__(
        self,
        secrets: Mapping[str, Any] | None = None,
        configs: Mapping[str, Any] | None = None,
        *,
        package: str | None = None,
        package_version: str | None = None,
        **rest: Any,
    ) -> None:
        origin = {_PACKAGE: package, _VERSION: package_version} if package and package_version else {}
        super().__init__(configs={**(configs or {}), **origin}, secrets=secrets, **rest)

    def __setattr__(self, key: str, value: Any) -> None:
        field = self.fields_by_name.get(key)
        if field is None:
            super().__setattr__(key, value)
        else:
            field.__set__(self, value)

    def to_custom(self) -> CustomConnection:
        """The same settings as a custom connection that remembers this class; the form that is stored."""
        cls = type(self)
        configs = {**self.configs, _TYPE: cls.__name__, _MODULE: cls.__module__}
        return CustomConnection(configs=configs, secrets=self.secrets, name=self.name)


Strong = TypeVar("Strong", bound=CustomStrongTypeConnection)


def to_strong_type(conn: Connection, cls: type[Strong]) -> Strong:
    """``conn``, a custom connection, as the user's class ``cls``.

    Raises:
        BadConnection: ``conn`` is of another kind. A field that ``conn`` lacks is an error only where it is read, as in
            prompt flow.
    """
    if isinstance(conn, cls):
        return conn
    if not isinstance(conn, CustomConnection):
        raise BadConnection(
            f"Connection {conn.name!r} is of type {conn.type!r}; only a custom connection can become a {cls.__name__}.",
            code="InvalidConnectionType",
        )
    return cls(configs=conn.configs, secrets=conn.secrets, name=conn.name)


def strong_type_configs(data: Mapping[str, Any]) -> dict[str, str]:
    """What a connection file says about its class (``custom_type``, ``module``, …), in the form kept among configs."""
    if not data.get("custom_type"):
        return {}
    keys = {_TYPE: "custom_type", _MODULE: "module", _PACKAGE: "package", _VERSION: "package_version"}
    return {config: str(data[key]) for config, key in keys.items() if data.get(key)}
