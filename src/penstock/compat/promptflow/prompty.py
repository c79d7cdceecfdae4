"""``promptflow.core.Prompty``: the same prompty, with prompt flow's error classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.api.prompty import Prompty as Native
from penstock.compat.promptflow.translate import translated

_ERRORS = ("promptflow.core._errors", "promptflow._sdk._errors", "promptflow._core._errors")


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


class AsyncPrompty(Prompty):
    """A prompty file whose calls are awaited."""

    async def __call__(self, *args: Any, **inputs: Any) -> Any:
        """See ``Prompty``."""
        with translated(*_ERRORS):
            return await self.awaited(*args, **inputs)
