"""``${env:NAME}`` and ``${file:path}`` in the header of a prompty, by the rules of its dialect."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.errors import LoadError, PenstockError
from penstock.prompts.prompty import Dialect, Unset
from penstock.yaml import parse

_REFERENCE = re.compile(r"\$\{(\w+):([^{}]*)\}")
_Path = tuple["str | int", ...]
_MAX_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class References:
    """Fills references in.

    Args:
        folder: What the paths of files start from.
        env: The variables.
        dialect: Where references count: ``promptflow``: in texts that begin with one, and anywhere in
            ``model.configuration``; a variable that is not set stays as it is written. ``v1``: likewise, and what a file
            holds may refer to more. ``v2``: anywhere, and files only from below the folder.
        file: The prompty, for messages.
    """

    folder: Path
    env: Mapping[str, str]
    dialect: Dialect
    file: str

    def resolve(self, value: Any, path: _Path = ()) -> tuple[Any, list[Unset]]:
        """``value`` with its references filled in, and those that name a variable that is not set.

        Raises:
            LoadError: A file that is not there, or that does not hold what its name says.
        """
        unset: list[Unset] = []
        return self._resolved(value, path, unset, 0), unset

    def _resolved(self, value: Any, path: _Path, unset: list[Unset], depth: int) -> Any:
        if isinstance(value, str):
            return self._text(value, path, unset, depth)
        if isinstance(value, list):
            return [self._resolved(item, (*path, index), unset, depth) for index, item in enumerate(value)]
        if isinstance(value, Mapping):
            return {key: self._resolved(item, (*path, str(key)), unset, depth) for key, item in value.items()}
        return value

    def _text(self, text: str, path: _Path, unset: list[Unset], depth: int) -> Any:
        if self.dialect == "v1":
            text = text.strip()
        if "${" not in text:
            return text
        if not text.startswith("${") and not self._anywhere(path):
            return text
        whole = _REFERENCE.match(text)
        if whole is not None and whole[1] == "file":
            # What stands behind a file's reference is dropped where the file holds more than text, as prompt flow does.
            value = self._file(whole[2], path, unset, depth)
            rest = text[whole.end() :]
            return value + self._filled(rest, path, unset) if rest and isinstance(value, str) else value
        return self._filled(text, path, unset)

    def _anywhere(self, path: _Path) -> bool:
        return self.dialect == "v2" or path[:2] in (("model", "configuration"), ("model", "connection"))

    def _filled(self, text: str, path: _Path, unset: list[Unset]) -> str:
        def fill(found: re.Match[str]) -> str:
            return found[0] if found[1].lower() != "env" else self._variable(found, path, unset)

        return _REFERENCE.sub(fill, text)

    def _variable(self, found: re.Match[str], path: _Path, unset: list[Unset]) -> str:
        name, colon, default = found[2].partition(":")
        value = self.env.get(found[2], self.env.get(name))
        if value is not None:
            return value
        if colon:
            return default
        unset.append(Unset(path, name))
        return found[0]

    def _file(self, name: str, path: _Path, unset: list[Unset], depth: int) -> Any:
        file = self.folder / name
        place = ".".join(map(str, path)) or "the header"
        self._check(file, name, place)
        try:
            if file.stat().st_size > _MAX_BYTES:
                raise self._error(f"{place} refers to the file {name}, which has more than {_MAX_BYTES:,} bytes.")
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no UTF-8"
            raise self._error(f"{place} refers to the file {name}, which cannot be read: {why}.") from error
        value = self._value(file, text, name, place)
        if self.dialect == "v1" and depth < 5:
            return self._resolved(value, path, unset, depth + 1)
        return value

    def _check(self, file: Path, name: str, place: str) -> None:
        try:
            there = "\0" not in name and file.is_file()
            inside = not there or file.resolve().is_relative_to(self.folder.resolve())
        except (OSError, RuntimeError):
            there, inside = False, True
        if not there:
            raise self._error(
                f"Cannot find the reference file {name}. {place} refers to it; paths start at the prompty."
            )
        if self.dialect == "v2" and not inside:
            raise self._error(f"{place} refers to the file {name}, which is outside the prompty's folder.")

    def _value(self, file: Path, text: str, name: str, place: str) -> Any:
        suffix = file.suffix.lower()
        try:
            if suffix == ".json":
                return json.loads(text)
            return parse(text, str(file)).value if suffix in (".yml", ".yaml") else text
        except (ValueError, RecursionError) as error:
            raise self._error(f"{place} refers to the file {name}, which is no JSON: {error}.") from error
        except PenstockError as error:
            raise self._error(f"{place} refers to the file {name}: {error.message}") from error

    def _error(self, sentence: str) -> LoadError:
        return LoadError(f"{self.file}: {sentence}", code="UserErrorException")


def merged(origin: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """``origin`` with ``changes`` over it, maps inside maps likewise."""
    result: dict[str, Any] = dict(origin) if isinstance(origin, Mapping) else {}
    for key, value in changes.items():
        result[key] = merged(result.get(key), value) if isinstance(value, Mapping) else value
    return result
