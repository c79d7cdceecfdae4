"""JSON text as the store writes it: compact, UTF-8, with NaN and Infinity as bare tokens."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from penstock.errors import StoreError

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_escaped = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


def json_bytes(value: Any) -> bytes:
    """``value`` as one line of JSON in UTF-8.

    Raises:
        TypeError: A value that JSON has no form for.
    """
    try:
        return _compact.encode(value).encode("utf-8")
    except UnicodeEncodeError:  # half a surrogate pair, which some models answer: only its escape is valid UTF-8
        return _escaped.encode(value).encode("ascii")


@contextmanager
def replacing(path: Path) -> Generator[IO[bytes]]:
    """A file to write that takes the place of ``path`` at the end, whole or not at all.

    Raises:
        StoreError: The folder cannot be written or the disk is full; ``path`` is as it was.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise StoreError(f"{path}: cannot be written: {error.strerror or error}.") from error
        raise


def write_json(path: Path, value: Any, *, indent: int | None = None) -> None:
    """Replace ``path`` by ``value`` as JSON; raises ``StoreError`` like ``replacing``."""
    data = json_bytes(value) if indent is None else json.dumps(value, indent=indent).encode("ascii")
    with replacing(path) as file:
        file.write(data + b"\n")
