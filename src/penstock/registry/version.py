"""What the registry holds of a name: its versions, where its labels point, and every move of a label."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Version:
    """One version: made once, never changed.

    Attributes:
        name: Of the thing.
        version: 1, 2, 3, …
        hash: SHA-256 of its content; the same content is the same version for ever.
        content: Plain JSON, whose meaning the kind of thing decides.
        created: Seconds since the epoch.
        author: Who made it.
        message: Why.
        labels: That point at it now.
    """

    name: str
    version: int
    hash: str
    content: Mapping[str, Any]
    created: float
    author: str
    message: str = ""
    labels: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**{name: getattr(self, name) for name in self.__dataclass_fields__}, "labels": list(self.labels)}


@dataclass(frozen=True, slots=True)
class Entry:
    """A name: what it is, how far its versions go, where its labels point."""

    name: str
    description: str
    tags: Mapping[str, str]
    created: float
    author: str
    deleted: float | None
    newest: int
    labels: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Move:
    """A label moved: ``before`` and ``after`` are versions, None for none.

    ``action`` is ``move``, ``rollback`` or ``remove``; ``forced`` says that a protection or the check of variables was
    overruled.
    """

    name: str
    label: str
    before: int | None
    after: int | None
    at: float
    author: str
    reason: str = ""
    action: str = "move"
    forced: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``."""
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})


@dataclass(frozen=True, slots=True)
class Protection:
    """A label that is not moved by accident: of one name, or of every name where ``name`` is empty.

    ``movers`` may move it; where there are none, everybody must say so by force.
    """

    label: str
    name: str = ""
    movers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"label": self.label, "name": self.name or None, "movers": list(self.movers)}


@dataclass(frozen=True, slots=True)
class Record:
    """Everything about one name: what is exported and imported."""

    entry: Entry
    versions: tuple[Version, ...]
    moves: tuple[Move, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "entry": self.entry.to_json(),
            "versions": [version.to_json() for version in self.versions],
            "moves": [move.to_json() for move in self.moves],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``; the hashes are made anew from the contents.

        Raises:
            ValueError: It is no such record.
        """
        try:
            entry = Entry(**{name: data["entry"][name] for name in Entry.__dataclass_fields__})
            versions = tuple(_version(item) for item in data["versions"])
            moves = tuple(Move.from_json(item) for item in data["moves"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        if [version.version for version in versions] != list(range(1, len(versions) + 1)):
            raise ValueError("its versions are not numbered 1, 2, 3, …")
        known = {None, *range(1, len(versions) + 1)}
        if any(point not in known for move in moves for point in (move.before, move.after)):
            raise ValueError("a label was moved to a version that is not there")
        return cls(dataclasses.replace(entry, newest=len(versions)), versions, moves)


def _version(data: Mapping[str, Any]) -> Version:
    known = {name: data[name] for name in Version.__dataclass_fields__}
    if not isinstance(known["content"], dict):
        raise TypeError("a version's content must be a map")
    return Version(**{**known, "hash": content_hash(known["content"]), "labels": tuple(known["labels"])})


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 over the content as canonical JSON: sorted keys, no blanks."""
    return hashlib.sha256(content_text(content).encode("ascii")).hexdigest()


def content_text(content: Mapping[str, Any]) -> str:
    """Canonical JSON, in ASCII, so that every database holds every text."""
    return json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
