"""``greet@prod``: what a version of something in the registry is called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from penstock.errors import UsageError

NEWEST = "latest"
USUAL = "prod"

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_VERSION = re.compile(r"v?(\d{1,9})")
_HASH = re.compile(r"sha256:([0-9a-f]{8,64})")
_LONGEST_NAME, _LONGEST_LABEL = 200, 100


@dataclass(frozen=True, slots=True)
class VersionReference:
    """A name and at most one of label, version and beginning of the content hash.

    With none of them it means the label ``prod`` where the name has it, else the newest version.
    """

    name: str
    label: str | None = None
    version: int | None = None
    hash: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``name``, ``name@label``, ``name@3`` (or ``@v3``), ``name@latest``, ``name@sha256:0123abcd``.

        Raises:
            UsageError: It reads otherwise.
        """
        name, at, rest = text.partition("@")
        check_name(name)
        if not at:
            return cls(name)
        if found := _VERSION.fullmatch(rest):
            return cls(name, version=int(found[1]))
        if found := _HASH.fullmatch(rest):
            return cls(name, hash=found[1])
        if not _LABEL.fullmatch(rest) or len(rest) > _LONGEST_LABEL:
            raise UsageError(
                f"{text!r} is no reference: after '@' stands a label (prod), a version (3), {NEWEST} or sha256:HASH."
            )
        return cls(name, label=rest)

    @property
    def fixed(self) -> bool:
        """Whether it means the same for ever."""
        return self.version is not None or self.hash is not None

    def __str__(self) -> str:
        """As it is written."""
        if self.hash is not None:
            return f"{self.name}@sha256:{self.hash}"
        chosen = self.label if self.version is None else self.version
        return self.name if chosen is None else f"{self.name}@{chosen}"


def is_reference(text: str) -> bool:
    """Whether ``text`` can be read as a reference: one word of a name's characters, perhaps with ``@`` and a choice."""
    try:
        VersionReference.parse(text)
    except UsageError:
        return False
    return True


def check_name(name: str) -> str:
    """``name``, if something may be called so.

    Raises:
        UsageError: It is empty, too long, or has other characters.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise UsageError(
            f"{name[:60]!r} is no name: use letters, digits, '_', '-' and '.', with '/' between parts, up to"
            f" {_LONGEST_NAME} characters."
        )
    return name


def check_label(label: str) -> str:
    """``label``, if it may be moved.

    Raises:
        UsageError: It could be mistaken for a version, or is ``latest``, which points at the newest by itself.
    """
    if label == NEWEST:
        raise UsageError(f"{NEWEST!r} always is the newest version; it cannot be moved.")
    if not _LABEL.fullmatch(label) or _VERSION.fullmatch(label) or len(label) > _LONGEST_LABEL:
        raise UsageError(
            f"{label[:60]!r} is no label: use letters, digits, '_', '-' and '.', a letter or '_' first, and nothing that"
            " reads as a version."
        )
    return label
