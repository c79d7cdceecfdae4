"""Values kept by content: a JSON file an entry, named by the hash of what it depends on; never pickled."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def content_key(*parts: Any) -> str | None:
    """The name of what depends on ``parts``, or None where they are no plain JSON (then nothing can be kept)."""
    try:
        text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError):
        return None
    return hashlib.sha256(text.encode()).hexdigest()


class ContentCache:
    """Entries under ``folder``; safe for many processes at once, because a file appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> tuple[Any] | None:
        """The kept value in a tuple, or None; a damaged entry counts as none."""
        try:
            entry = json.loads((self._folder / key[:2] / f"{key}.json").read_bytes())
            return (entry["value"],)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: str, value: Any) -> None:
        """Keep ``value`` if it is plain JSON that comes back the same; a full disk only means that nothing is kept."""
        try:
            text = json.dumps({"value": value})
            if not _same(json.loads(text)["value"], value):
                return
        except (TypeError, ValueError, RecursionError):
            return
        folder = self._folder / key[:2]
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=folder, suffix=".tmp")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).replace(folder / f"{key}.json")
        except OSError:
            return


def _same(read: Any, value: Any) -> bool:
    """Whether both are equal and of the same types: a text that knows where it comes from is more than its letters."""
    if type(read) is not type(value):
        return False
    if isinstance(read, list):
        return len(read) == len(value) and all(map(_same, read, value))
    if isinstance(read, dict):
        return read.keys() == value.keys() and all(_same(item, value[key]) for key, item in read.items())
    return bool(read == value)
