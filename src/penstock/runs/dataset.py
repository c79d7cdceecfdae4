"""A data set: rows from files, read lazily, values as they stand in the file."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from penstock.errors import InputError
from penstock.runs.formats import READERS, SUFFIXES, Format, count_rows, looks_like_jsonl, open_parquet

# Counting rows of a format that must be parsed for it is worth a progress bar up to this size.
_COUNTABLE = 64 * 1024 * 1024
_SCHEMES = ("azureml:", "http://", "https://", "abfs://", "abfss://", "s3://", "wasbs://")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its position in the whole data set from 0, its values, and the folder that relative paths in it mean."""

    index: int
    values: dict[str, Any]
    folder: Path


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a data set and how it is read."""

    path: Path
    format: Format


class Dataset:
    """Rows of a file, of all files below a folder, or given as they are. ``rows`` can be asked for again and again.

    Attributes:
        path: What was opened; None for rows given as they are.
        files: The files, in the order of their rows.
    """

    def __init__(
        self,
        files: Sequence[DataFile] = (),
        *,
        path: Path | None = None,
        given: Sequence[Mapping[str, Any]] = (),
        folder: Path | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.files = tuple(files)
        self._given = given
        self._folder = folder or Path.cwd()
        self._notes = dict.fromkeys(notes)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """The data at ``path``: JSONL, JSON, CSV, TSV or Parquet by its ending (else tried as JSONL), or a folder.

        A folder gives the rows of all files below it, sorted by path; files of other kinds are left out with a note
        unless they hold JSONL, hidden folders are not looked into.

        Raises:
            InputError: There is nothing at ``path``, or it is not on this machine.
        """
        if str(path).startswith(_SCHEMES):
            raise InputError(
                f"{path}: data must be on this machine; download it and name the file.", code="DataNotFound"
            )
        place = Path(path).expanduser().absolute()
        if place.is_dir():
            return cls._of_folder(place)
        if not place.exists():
            raise InputError(f"Data path {place} does not exist.{_similar(place)}", code="DataNotFound")
        return cls([DataFile(place, SUFFIXES.get(place.suffix.lower(), "jsonl"))], path=place)

    @classmethod
    def of_rows(cls, rows: Sequence[Mapping[str, Any]], folder: Path | None = None) -> Self:
        """Rows given as they are; relative paths in them mean ``folder`` (default: the working directory)."""
        return cls(given=rows, folder=folder)

    @classmethod
    def _of_folder(cls, folder: Path) -> Self:
        files: list[DataFile] = []
        notes: list[str] = []
        for path in sorted(_files_below(folder)):
            kind = SUFFIXES.get(path.suffix.lower())
            if kind is None and looks_like_jsonl(path):
                kind = "jsonl"
            if kind is not None:
                files.append(DataFile(path, kind))
            else:
                notes.append(f"{path} is no data file (JSONL, JSON, CSV, TSV, Parquet): left out.")
        return cls(files, path=folder, notes=notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the run should know, as sentences; grows while rows are read."""
        return tuple(self._notes)

    def rows(self) -> Iterator[Row]:
        """All rows, one at a time.

        Raises:
            InputError: A file that cannot be read, with file and line; or (code ``EmptyInputsData``) no row at all.
        """
        index = -1
        for values, folder in self._values():
            index += 1
            yield Row(index, values, folder)
        if index < 0:
            raise InputError(
                f"There are no rows in {self.path or 'the given data'}; a run needs at least one.",
                code="EmptyInputsData",
            )

    def columns(self, sample: int = 100) -> list[str]:
        """Names of the columns in the first ``sample`` rows, in the order they are met; empty where there is no row."""
        if self.files and self.files[0].format == "parquet":
            with open_parquet(self.files[0].path) as file:
                return [str(name) for name in file.schema_arrow.names]
        rows = itertools.islice(self._values(), sample)
        return list(dict.fromkeys(name for values, _ in rows for name in values))

    def count(self) -> int | None:
        """Number of rows, None where only reading everything would tell; raises ``InputError`` like ``rows``."""
        if not self.files:
            return len(self._given)
        counts = [count_rows(file.path, file.format, largest=_COUNTABLE) for file in self.files]
        return None if None in counts else sum(count for count in counts if count is not None)

    def _values(self) -> Iterator[tuple[dict[str, Any], Path]]:
        for given in self._given:
            yield dict(given), self._folder
        for file in self.files:
            folder = file.path.parent
            if file.path.stat().st_size == 0:
                continue
            first: Any = None
            for number, values in enumerate(READERS[file.format](file.path), 1):
                keys = values.keys()
                if first is None:
                    first = keys
                elif first is not _NOTED and keys != first:
                    self._note_ragged(file.path, number, first, keys)
                    first = _NOTED
                yield values, folder

    def _note_ragged(self, path: Path, number: int, first: Any, keys: Any) -> None:
        more, less = sorted(keys - first), sorted(first - keys)
        told = " and ".join(
            f"{verb} {', '.join(map(repr, names))}" for verb, names in (("has no", less), ("adds", more)) if names
        )
        self._notes[
            f"{path}: row {number} {told}, unlike row 1: a missing cell counts as not given (prompt flow made it NaN)."
        ] = None


_NOTED: Any = object()


def _files_below(folder: Path) -> Iterator[Path]:
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for name in names:
            path = Path(base, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _similar(path: Path) -> str:
    """The files beside a path that is not there, if one of them may be meant."""
    import difflib

    try:
        near = difflib.get_close_matches(path.name, os.listdir(path.parent), n=3)
    except OSError:
        return ""
    return f" The nearest there: {', '.join(near)}." if near else ""
