"""A copy of the registry as files in the home folder, because a SQLite index may be lost and is then made again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.errors import StoreError

_PROTECTIONS = "protections.json"


class Mirror:
    """The files of one kind under ``home/registry``: one a name, written whole or not at all."""

    def __init__(self, home: Path, kind: str) -> None:
        self._folder = home / "registry" / kind

    def any(self) -> bool:
        """Whether there is anything in it."""
        return self._folder.is_dir() and any(self._folder.iterdir())

    def put(self, name: str, record: Mapping[str, Any]) -> None:
        """Replace the copy of ``name``.

        Raises:
            StoreError: It cannot be written.
        """
        # Named by hash: a name with slashes stays one file, whatever the file system thinks of its letters.
        self._write(f"{hashlib.sha256(name.encode()).hexdigest()[:40]}.json", record)

    def put_protections(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Replace the list of protected labels. Raises like ``put``."""
        self._write(_PROTECTIONS, items)

    def records(self) -> Iterator[dict[str, Any]]:
        """What ``put`` kept.

        Raises:
            StoreError: A file cannot be read.
        """
        for file in sorted(self._folder.glob("*.json")):
            if file.name != _PROTECTIONS:
                yield _read(file)

    def protections(self) -> list[dict[str, Any]]:
        """What ``put_protections`` kept. Raises like ``records``."""
        file = self._folder / _PROTECTIONS
        return _read(file) if file.is_file() else []

    def _write(self, name: str, value: Any) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._folder / name, json.dumps(value, ensure_ascii=True, indent=1))
        except OSError as error:
            raise StoreError(f"{self._folder / name} cannot be written: {error.strerror}.") from error


def write_whole(target: Path, text: str) -> None:
    """Write ``target`` so that it is there whole or as it was before; nobody else may read it.

    Raises:
        OSError: It cannot be written.
    """
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{file} cannot be read, which is a copy of the registry: {error}.") from error
