"""Cassettes: recorded model calls in a JSONL file, found again by what was asked.

One line a call: ``key`` (hash of the canonical request), ``api``, ``model``, ``params``, and ``raw`` (the answer) or
``error``. No header, address or key of an endpoint is in it, and known secret values are masked.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.errors import ModelError
from penstock.models.model import Request
from penstock.models.redact import Redactor

# How an answer is delivered is no part of what was asked: a recorded answer can be streamed, and a stream recorded.
_DELIVERY = frozenset({"stream", "stream_options"})
_SHOWN = 80


def canonical(request: Request, redact: Redactor) -> dict[str, Any]:
    """What identifies a request, wherever it is sent: api, model and parameters without secrets."""
    params = {key: _plain(value) for key, value in request.params.items() if key not in _DELIVERY}
    return {"api": request.api, "model": request.model, "params": redact.value(params)}


def key_of(asked: Mapping[str, Any]) -> str:
    """sha256 of a canonical request."""
    text = json.dumps(asked, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class CassetteWriter:
    """Appends calls to a cassette; several processes may write to one file at once."""

    def __init__(self, path: str | Path, redact: Redactor) -> None:
        self._path = Path(path)
        self._redact = redact

    def write(self, request: Request, *, raw: Any = None, error: Mapping[str, Any] | None = None) -> None:
        """Append one call.

        Raises:
            ModelError: The file cannot be written.
        """
        asked = canonical(request, self._redact)
        result = {"error": self._redact.value(dict(error))} if error is not None else {"raw": self._redact.value(raw)}
        line = json.dumps({"key": key_of(asked), **asked, **result}, ensure_ascii=True, default=str) + "\n"
        try:
            self._append(line.encode())
        except OSError as problem:
            raise ModelError(f"The cassette {self._path} cannot be written: {problem}.") from problem

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        try:
            size = os.fstat(handle).st_size
            if size:
                os.lseek(handle, size - 1, os.SEEK_SET)
                if os.read(handle, 1) != b"\n":
                    # A torn last line stays alone. Where it is another process's that is just being written, this
                    # makes an empty line after it, which says nothing.
                    line = b"\n" + line
            # One write: with O_APPEND the system puts it at the end as a whole, whoever else is writing.
            written = os.write(handle, line)
            if written != len(line):
                raise OSError(f"only {written} of {len(line)} bytes were written; is the disk full?")
        finally:
            os.close(handle)


class Cassette:
    """A cassette that is read: a request gets its recorded answers in order, then the last one again and again."""

    def __init__(self, path: str | Path, redact: Redactor | None = None) -> None:
        self._path = Path(path)
        self._redact = redact or Redactor()
        self._takes: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._given: dict[str, int] = defaultdict(int)
        self._read()

    def find(self, request: Request) -> dict[str, Any]:
        """The next record of a request, with ``raw`` or ``error``.

        Raises:
            ModelError: It was not recorded; the message says what differs from the nearest one that was.
        """
        asked = canonical(request, self._redact)
        key = key_of(asked)
        takes = self._takes.get(key)
        if not takes:
            raise self._missing(asked)
        at = self._given[key]
        self._given[key] = min(at + 1, len(takes) - 1)
        return takes[at]

    def _read(self) -> None:
        try:
            lines = self._path.read_bytes().split(b"\n")
        except OSError as error:
            raise ModelError(
                f"The cassette {self._path} cannot be read: {error}. Record it first, with `record:{self._path}`.",
                code="CassetteMissing",
            ) from error
        torn: list[int] = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                asked = {name: record[name] for name in ("api", "model", "params")}
                if not isinstance(record.get("raw", record.get("error")), dict):
                    raise TypeError
            except (ValueError, KeyError, TypeError):
                torn.append(number)
                continue
            # Hashed anew: a cassette that somebody edited by hand answers what it says now.
            self._takes[key_of(asked)].append(record)
        whole = [number for number in torn if not self._is_torn(lines, number)]
        if whole:
            raise ModelError(
                f"{self._path}:{whole[0]}: this is no record of a model call; repair or delete the line.",
                code="CassetteBroken",
            )

    @staticmethod
    def _is_torn(lines: list[bytes], number: int) -> bool:
        """A line that a killed process left unfinished: it has no closing brace."""
        return not lines[number - 1].rstrip().endswith(b"}")

    def _missing(self, asked: dict[str, Any]) -> ModelError:
        recorded = [take for takes in self._takes.values() for take in takes[:1]]
        head = f"The cassette {self._path} has no record of this {asked['api']} request to model {asked['model']!r}"
        if not recorded:
            return ModelError(f"{head}; it is empty.", code="NotRecorded")
        nearest = min(recorded, key=lambda take: len(differences(take, asked)))
        found = "; ".join(differences(nearest, asked)[:4])
        return ModelError(f"{head}. The nearest of {len(recorded)} recorded ones differs: {found}.", code="NotRecorded")


def differences(recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """What differs between two canonical requests, a phrase for each place."""
    parts = ("api", "model", "params")
    return list(_walk("", {k: recorded[k] for k in parts}, {k: asked[k] for k in parts}))


def _walk(at: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        found: list[str] = []
        for key in sorted({*old, *new}, key=str):
            place = f"{at}.{key}" if at else str(key)
            place = place.removeprefix("params.")
            if key not in old:
                found.append(f"{place} is new: {_short(new[key])}")
            elif key not in new:
                found.append(f"{place} is missing (it was {_short(old[key])})")
            else:
                found += _walk(place, old[key], new[key])
        return found
    if isinstance(old, list) and isinstance(new, list):
        found = [f"{at} has {len(new)} items instead of {len(old)}"] if len(old) != len(new) else []
        for index, (one, other) in enumerate(zip(old, new, strict=False)):
            found += _walk(f"{at}[{index}]", one, other)
        return found
    if isinstance(old, str) and isinstance(new, str) and old != new:
        begin = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        start = max(0, begin - 20)
        return [f"{at} is {_short(new[start:])} instead of {_short(old[start:])} from character {start}"]
    return [] if old == new else [f"{at} is {_short(new)} instead of {_short(old)}"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _plain(value: Any) -> Any:
    """A JSON value whose equal numbers are written the same: 1.0 as 1."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str) and type(value) is not str:
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
