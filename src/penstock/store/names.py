"""Names of runs, and the folders they may become."""

from __future__ import annotations

import re
from pathlib import Path

from penstock.errors import UsageError

_NAME = re.compile(r"\w[\w.\-]*", re.ASCII)
_LONGEST = 200
# Devices that Windows opens whatever folder and extension they are named with.
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}
)


def check_name(name: str) -> str:
    """``name``, if a run may be called so.

    Raises:
        UsageError: Empty, too long, or with characters that could lead out of the runs folder.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"A run cannot be called {name!r}: use letters, digits, '_', '-' and '.', but not '-' or '.' first."
        )
    if len(name) > _LONGEST:
        raise UsageError(f"A run's name may have {_LONGEST} characters; {name[:40]!r}… has {len(name)}.")
    if name.split(".")[0].lower() in _RESERVED:
        raise UsageError(f"A run cannot be called {name!r}: Windows keeps that name for a device.")
    return name


def safe_name(text: str) -> str:
    """A file name that looks like ``text``: everything that is no letter, digit, '_', '-' or '.' becomes '_'."""
    name = re.sub(r"[^\w.\-]", "_", text, flags=re.ASCII)[:_LONGEST]
    return name if name[:1].isalnum() or name[:1] == "_" else f"_{name}"


def folder_in(root: Path, name: str) -> Path:
    """The folder of run ``name`` below ``root``; a link that leads out of ``root`` is refused.

    Raises:
        UsageError: A name that no run may have, or a folder that is a link to elsewhere.
    """
    folder = root / check_name(name)
    if folder.is_symlink() or not folder.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{folder} leads out of {root}; remove that link.")
    return folder
