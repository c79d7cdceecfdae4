"""A prompt as one run uses it: its text, fixed before the first line, and where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from penstock.records import PromptUse


@dataclass(frozen=True, slots=True)
class PinnedPrompt:
    """A prompt that no longer changes, whatever its label or file does meanwhile.

    Attributes:
        name: Of the prompt in the store, of its file, or what it stands in for.
        text: The template, or the plain text.
        source: ``store``, ``file``, ``code`` (a function returned it) or ``inline`` (given as text).
        reference: How it was asked for, such as ``greet@prod``.
        version: Of the store.
        settings: Model settings that belong to it, by the names that an llm node's inputs have.
        variables: Declared variables; None where nobody declared any, and the template alone says them.
        output: JSON Schema of the answer that it asks for.
        closure: SHA-256 of the code that made it, for one in code.
        read: When the store said which version the label has, in seconds since the epoch.
        stale: Whether the store did not answer and this is the last that was known of it.
    """

    name: str
    text: str
    source: Literal["store", "file", "code", "inline"] = "inline"
    reference: str | None = None
    version: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    variables: tuple[str, ...] | None = None
    output: Mapping[str, Any] | None = None
    closure: str | None = None
    read: float | None = None
    stale: bool = False

    @property
    def title(self) -> str:
        """What messages call it: ``greet@prod (version 3)``."""
        shown = self.reference or self.name
        return shown if self.version is None else f"{shown} (version {self.version})"

    def use(self) -> PromptUse:
        """What is recorded where it is used, as far as it is known before a line runs."""
        return PromptUse(
            self.name,
            self.source,
            text_hash(self.text),
            reference=self.reference,
            version=self.version,
            closure=self.closure,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, without the empty fields."""
        full = {name: getattr(self, name) for name in self.__dataclass_fields__}
        full["settings"] = dict(self.settings)
        full["variables"] = None if self.variables is None else list(self.variables)
        return {
            name: value for name, value in full.items() if name in ("name", "text") or value not in (None, False, {})
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``."""
        known = {name: value for name, value in data.items() if name in cls.__dataclass_fields__}
        if known.get("variables") is not None:
            known["variables"] = tuple(known["variables"])
        return cls(**known)


Given = str | Path | PinnedPrompt
"""A prompt as a run is told it: a reference, ``@FILE``, ``text:…`` or any other text; a file; one looked up already."""


@dataclass(frozen=True, slots=True)
class Pins:
    """All prompts of one run, resolved once.

    Attributes:
        names: What stands in for a node, an input or a node's input (``node.input``), by that name.
        references: What the flow's file and code ask for, by the reference as it is written there.
    """

    names: Mapping[str, PinnedPrompt] = field(default_factory=dict[str, PinnedPrompt])
    references: Mapping[str, PinnedPrompt] = field(default_factory=dict[str, PinnedPrompt])

    def __bool__(self) -> bool:
        return bool(self.names or self.references)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "names": {name: pinned.to_json() for name, pinned in self.names.items()},
            "references": {name: pinned.to_json() for name, pinned in self.references.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``; nothing at all counts as no prompts."""
        return cls(
            *(
                {name: PinnedPrompt.from_json(item) for name, item in (data.get(part) or {}).items()}
                for part in ("names", "references")
            )
        )


NO_PINS = Pins()


def text_hash(text: str) -> str:
    """SHA-256 of ``text``, which may hold halves of surrogate pairs."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
