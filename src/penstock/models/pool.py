"""``Models``: the model behind each connection, made once; or the offline one that stands in for them all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self

from penstock import plugins
from penstock.cache import ContentCache
from penstock.errors import BadConnection, PenstockError
from penstock.models.anthropic import AnthropicDialect, anthropic
from penstock.models.cached import CachedModel
from penstock.models.cassette import Cassette, CassetteWriter
from penstock.models.client import HttpModel
from penstock.models.endpoint import Dialect, Endpoint
from penstock.models.link import Link
from penstock.models.model import ChatModel, Request
from penstock.models.offline import OfflineSpec
from penstock.models.openai import OpenAIDialect, azure, compatible, openai, serverless
from penstock.models.policy import call_policy
from penstock.models.prices import Prices
from penstock.models.redact import Redactor
from penstock.models.replay import RecordingModel, ReplayModel
from penstock.models.rules import read_rules
from penstock.models.script import Script
from penstock.models.scripted import ScriptedModel
from penstock.models.transport import Transport
from penstock.settings import Settings

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# By connection type, written small and without underscores.
_KINDS: dict[str, tuple[Callable[[Any], Endpoint], type[Dialect]]] = {
    "openai": (openai, OpenAIDialect),
    "azureopenai": (azure, OpenAIDialect),
    "serverless": (serverless, OpenAIDialect),
    "openaicompatible": (compatible, OpenAIDialect),
    "anthropic": (anthropic, AnthropicDialect),
}
_SHOWN = "open_ai, azure_open_ai, serverless, openai_compatible, anthropic"


class Models:
    """Models by connection. Safe to share between event loops; give each worker process its own.

    Args:
        settings: For ``[models]``, ``[limits.NAME]`` and ``[prices.MODEL]`` of penstock.toml, and the proxy variables.
        offline: Answer every call by an offline model (or record every call).
        record: Cassette to write all calls to; the same as an ``offline`` of kind ``record``.
        secrets: Values that must not reach a cassette: those of all connections in use.
        cache: Where answers are kept, so that the same request is not sent twice.
        workers: How many processes share the allowances a minute; each uses its part.

    Raises:
        UsageError: penstock.toml has an unknown or malformed setting.
        LoadError: The rules file of a scripted model is not well formed.
        ModelError: The cassette to replay cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        offline: OfflineSpec | None = None,
        *,
        record: str | None = None,
        secrets: Iterable[str] = (),
        workers: int = 1,
        cache: ContentCache | None = None,
    ) -> None:
        self._settings = settings
        self._prices = Prices.of(settings)
        self._transport = Transport(settings.env, workers)
        self._secrets = tuple(secrets)
        self._cache = cache
        self._made: dict[int, tuple[Any, ChatModel]] = {}
        self._record = offline.path if offline is not None and offline.kind == "record" else record
        self._offline: ChatModel | None = None
        if offline is not None and offline.kind == "scripted":
            retry = call_policy(settings, None).retry
            self._offline = ScriptedModel(Script(read_rules(offline.path)), retry)
        elif offline is not None and offline.kind == "replay":
            self._offline = ReplayModel(Cassette(offline.path, Redactor(self._secrets)))

    @property
    def offline(self) -> bool:
        """Whether no endpoint is ever asked."""
        return self._offline is not None

    def get(self, connection: Any) -> ChatModel:
        """The model behind a connection; the same one each time. Offline, any connection will do, also None.

        Raises:
            BadConnection: A connection that has no model behind it, or lacks what it needs.
            UsageError: ``[limits.<its name>]`` is malformed.
        """
        if self._offline is not None:
            return self._offline
        made = self._made.get(id(connection))
        if made is None:
            # The connection is kept with its model, so that its id cannot come to mean another one.
            made = self._made[id(connection)] = (connection, self._make(connection))
        return made[1]

    @property
    def prices(self) -> Prices:
        """What calls cost."""
        return self._prices

    def write(self, request: Request, raw: Mapping[str, Any] | None) -> None:
        """Write an answer to the cassette, where one is recorded, that a library of the user's own got itself."""
        if self._record is not None and raw is not None:
            CassetteWriter(self._record, Redactor(self._secrets)).write(request, raw=raw)

    async def close(self) -> None:
        """Close the running event loop's connections. Models that were given out may be used again afterwards."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        """Itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    def _make(self, connection: Any) -> ChatModel:
        kind = str(getattr(connection, "type", "") or type(connection).__name__)
        known_kind = _CAMEL.sub("_", kind).lower().replace("_", "").removesuffix("connection")
        known = _KINDS.get(known_kind)
        if known is None:
            model: ChatModel = self._plugin(connection, kind)
        else:
            endpoint, dialect = known[0](connection), known[1]()
            policy = call_policy(self._settings, endpoint.name)
            model = HttpModel(Link(endpoint, dialect, policy, self._transport, self._prices))
        if self._cache is not None:
            scope = "|".join((known_kind, str(sorted(getattr(connection, "configs", {}).items()))))
            model = CachedModel(model, self._cache, scope, Redactor(self._secrets))
        if self._record is None:
            return model
        masked = (*self._secrets, *_texts(getattr(connection, "secrets", None)))
        return RecordingModel(model, CassetteWriter(self._record, Redactor(masked)))

    def _plugin(self, connection: Any, kind: str) -> ChatModel:
        name = getattr(connection, "name", None)
        try:
            factory = plugins.load("model", kind)
        except PenstockError as error:
            raise BadConnection(
                f"Connection {name!r} of type {kind!r} has no model behind it; these types have: {_SHOWN}. "
                "An installed package may add others (entry point group `penstock.model`).",
                code="InvalidConnectionType",
            ) from error
        model: ChatModel = factory(connection, self._settings)
        return model


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif value is not None:
        yield str(value)
