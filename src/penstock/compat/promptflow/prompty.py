"""``promptflow.core.Prompty``: the same prompty, with prompt flow's error classes."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.api.prompty import Prompty as Native
from penstock.compat.promptflow.translate import translated
from penstock.connections.resolve import Connections
from penstock.settings import read_settings
from penstock.tools.prompty_connection import connection_of

_ERRORS = ("promptflow.core._errors", "promptflow._sdk._errors", "promptflow._core._errors")


# What the file's own configuration may say, which the caller's takes the place of.
_ENDPOINT = (
    "azure_deployment", "azure_endpoint", "api_base", "api_key", "api_version", "base_url", "endpoint", "key", "organization",
)  # fmt: skip


class Prompty(Native):
    """A prompty file, loaded; call it with its inputs as keywords.

    Args:
        path: The file.
        model: Changes to the header's ``model``.
        header: Changes to its other keys.

    Raises:
        UserErrorException: The file is not there, or no prompty.
    """

    def __init__(self, path: str | Path, model: Mapping[str, Any] | None = None, **header: Any) -> None:
        with translated(*_ERRORS):
            # What the native class takes besides are no keys of a header, and no options here.
            super().__init__(path, model=model, **header)

    @property
    def code(self) -> Path:
        """The file's folder."""
        return self.path.parent

    @property
    def source(self) -> Path:
        """The file, as other flows call it."""
        return self.path

    def for_run(self, connections: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What a run over data is told so that its workers read the file with the same changes: config and connections.

        An endpoint among the changes becomes a connection: runs keep what they were told, and keys are not kept.

        Raises:
            BadConnection: The endpoint is not known.
        """
        if not self.overrides:
            return {}
        config = copy.copy(self.overrides)
        model = dict(config.get("model") or {})
        configuration = model.get("configuration")
        if configuration is None or (isinstance(configuration, Mapping) and not _tells_endpoint(configuration)):
            return {"config": config}
        name = f"{self.path.name} of the caller"
        given = connection_of(self.prompty, Connections.open(read_settings()), os.environ)
        named = {"type": "openai", "model": self.prompty.model.name, "connection": name}
        config["model"] = {**model, "configuration": {**dict.fromkeys(_ENDPOINT), **named}}
        return {"config": config, "connections": {**(connections or {}), name: given}}

    def __call__(self, *args: Any, **inputs: Any) -> Any:
        """The model's answer; see ``penstock.Prompty``."""
        with translated(*_ERRORS):
            return super().__call__(*args, **inputs)

    def render(self, *args: Any, **inputs: Any) -> str:
        """What would be sent."""
        with translated(*_ERRORS):
            return super().render(*args, **inputs)

    def estimate_token_count(self, *args: Any, **inputs: Any) -> int:
        """Tokens that a call may take."""
        with translated(*_ERRORS):
            return super().estimate_token_count(*args, **inputs)


def _tells_endpoint(configuration: Mapping[str, Any]) -> bool:
    return any(
        value for key, value in configuration.items() if key not in ("type", "model", "azure_deployment")
    ) and not (isinstance(configuration.get("connection"), str))


class AsyncPrompty(Prompty):
    """A prompty file whose calls are awaited."""

    async def __call__(self, *args: Any, **inputs: Any) -> Any:
        """See ``Prompty``."""
        with translated(*_ERRORS):
            return await self.awaited(*args, **inputs)
