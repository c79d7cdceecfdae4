"""``OfflineSpec``: which offline model stands in for every endpoint; plain JSON, for worker processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from penstock.errors import UsageError

Kind = Literal["scripted", "replay", "record"]
KINDS: tuple[Kind, ...] = ("scripted", "replay", "record")


@dataclass(frozen=True, slots=True)
class OfflineSpec:
    """How model calls are answered.

    Attributes:
        kind: ``scripted`` (from a rules file), ``replay`` (from a cassette, nothing else), or ``record`` (by the real
            endpoint, and written to the cassette).
        path: The rules file or cassette.
    """

    kind: Kind
    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``scripted:PATH``, ``replay:PATH``, ``record:PATH`` or a path: ``.jsonl`` replays, others are rules.

        Raises:
            UsageError: No path.
        """
        kind, colon, path = text.partition(":")
        if not (colon and kind in KINDS):
            kind, path = ("replay" if Path(text).suffix == ".jsonl" else "scripted"), text
        return cls.from_json({"kind": kind, "path": path})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``.

        Raises:
            UsageError: An unknown kind, or no path.
        """
        kind = next((known for known in KINDS if known == data.get("kind")), None)
        if kind is None or not data.get("path"):
            raise UsageError(
                f"An offline model is one of {', '.join(f'{k}:PATH' for k in KINDS)}, "
                f"not {data.get('kind')}:{data.get('path')}."
            )
        return cls(kind, str(data["path"]))

    def to_json(self) -> dict[str, str]:
        """Plain JSON."""
        return {"kind": self.kind, "path": self.path}
