"""What a conversion says: where the result differs, node by node, and what else is worth knowing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to say. ``differs``: the converted flow would not do the same; ``note``: it does, in another way."""

    kind: Literal["differs", "note"]
    node: str
    text: str

    def __str__(self) -> str:
        return f"{self.node}: {self.text}" if self.node else self.text


@dataclass(slots=True)
class Remarks:
    """All of them, in the order they were found."""

    found: list[Remark] = field(default_factory=list[Remark])

    def differs(self, node: str, text: str) -> None:
        """What the result cannot say."""
        self.found.append(Remark("differs", node, text))

    def note(self, node: str, text: str) -> None:
        """What the result says in another way."""
        self.found.append(Remark("note", node, text))

    @property
    def differences(self) -> list[Remark]:
        """Those for which a conversion is refused."""
        return [remark for remark in self.found if remark.kind == "differs"]

    @property
    def notes(self) -> list[Remark]:
        """The others."""
        return [remark for remark in self.found if remark.kind == "note"]
