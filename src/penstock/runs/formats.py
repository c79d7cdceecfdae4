"""Data files as rows: one generator a format, values verbatim, nothing read ahead of what is asked for.

Every reader takes a path and yields dictionaries. What is wrong with a file is an ``InputError`` with file and line.
"""

from __future__ import annotations

import base64
import csv
import datetime
import decimal
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TextIO

from penstock.errors import InputError, MissingDependency
from penstock.runs.json_array import array_items

Format = Literal["jsonl", "json", "csv", "tsv", "parquet"]
Rows = Iterator[dict[str, Any]]

SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
CODE = "InvalidUserData"

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_WIDEST_CELL = 2**31 - 1  # the csv module's own limit is 128 KiB a cell; a document may well be longer
# A row that no file has: if the parser does not give it back as the last one, a quote was left open before it.
_LAST = "\x00penstock-last-row\x00"


def read_jsonl(path: Path) -> Rows:
    """One JSON object a line; blank lines are skipped."""
    with _open_bytes(path) as file:
        for number, raw in enumerate(file, 1):
            if number == 1:
                if raw[:2] in _UTF16:
                    raise _not_utf8(path)
                raw = raw.removeprefix(_BOM)
            try:
                text = raw.decode("utf-8")
                value = json.loads(text)
            except UnicodeDecodeError as error:
                raise _not_utf8(path) from error
            except (ValueError, RecursionError) as error:
                if raw.isspace() or not raw:
                    continue
                why = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else error
                raise InputError(f"{path}:{number}: this line is no JSON: {why}.", code=CODE) from error
            if type(value) is not dict:
                raise InputError(f"{path}:{number}: a row must be a JSON object, not {_kind(value)}.", code=CODE)
            yield value


def read_json(path: Path) -> Rows:
    """A JSON array of objects, read bit by bit; an object of columns (lists, or index to value); or one single row."""
    with _open_text(path) as file:
        try:
            first = _first_character(file)
            if first == "[":
                for number, value in enumerate(array_items(file), 1):
                    if type(value) is not dict:
                        raise InputError(f"{path}: item {number} must be an object, not {_kind(value)}.", code=CODE)
                    yield value
                return
            text = file.read()
        except UnicodeDecodeError as error:
            raise _not_utf8(path) from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: this is no JSON: {error}.", code=CODE) from error
    if not text.strip():
        return
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise InputError(f"{path}:{error.lineno}: this is no JSON: {error}.", code=CODE) from error
        value = None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: this is no JSON: {error}.", code=CODE) from error
    if value is None:
        yield from read_jsonl(path)  # JSON Lines under the wrong name; a bare null is told of as such there
    elif isinstance(value, dict):
        yield from _columns(path, value)
    else:
        raise InputError(f"{path}: this must be an array of objects, not {_kind(value)}.", code=CODE)


def read_csv(path: Path) -> Rows:
    """Comma-separated cells under a header; every cell is a string."""
    return _delimited(path, ",")


def read_tsv(path: Path) -> Rows:
    """Tab-separated cells under a header; every cell is a string."""
    return _delimited(path, "\t")


def read_parquet(path: Path) -> Rows:
    """Rows of a Parquet file, a batch at a time. What JSON has no form for becomes text (dates in ISO 8601).

    Raises:
        MissingDependency: pyarrow is not installed.
    """
    file = open_parquet(path)
    try:
        for batch in file.iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                yield {key: value if type(value) in _PLAIN else _plain(value) for key, value in row.items()}
    except OSError as error:
        raise InputError(f"{path}: this Parquet file is damaged: {error}.", code=CODE) from error
    finally:
        file.close()


def open_parquet(path: Path) -> Any:
    """The file as ``pyarrow.parquet.ParquetFile``."""
    try:
        import pyarrow  # type: ignore[import-untyped]  # it ships no types
        import pyarrow.parquet  # type: ignore[import-untyped]  # likewise
    except ImportError as error:
        raise MissingDependency("Reading Parquet files", "parquet") from error
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{path}: this is no Parquet file: {error}.", code=CODE) from error


READERS: dict[Format, Callable[[Path], Rows]] = {
    "jsonl": read_jsonl,
    "json": read_json,
    "csv": read_csv,
    "tsv": read_tsv,
    "parquet": read_parquet,
}


def count_rows(path: Path, file_format: Format, *, largest: int) -> int | None:
    """Rows of a file without making them; None where that would mean reading more than ``largest`` bytes twice."""
    if file_format == "parquet":
        with open_parquet(path) as file:
            return int(file.metadata.num_rows)
    if file_format == "jsonl":
        with _open_bytes(path) as lines:
            return sum(1 for raw in lines if not raw.isspace() and raw != _BOM)
    if path.stat().st_size > largest:
        return None
    return sum(1 for _ in READERS[file_format](path))


def looks_like_jsonl(path: Path) -> bool:
    """Whether the first line that is not blank is a JSON object: how a file of an unknown kind is told to be data."""
    try:
        with path.open("rb") as file:
            head = file.readline(1 << 20).removeprefix(_BOM)
            while head.isspace():
                head = file.readline(1 << 20)
        return type(json.loads(head)) is dict
    except (OSError, ValueError, RecursionError):
        return False


def _delimited(path: Path, delimiter: str) -> Rows:
    csv.field_size_limit(_WIDEST_CELL)
    with _open_text(path) as file:
        rows = csv.reader(_with_last_row(file), delimiter=delimiter)
        header: list[str] | None = None
        begins = 1
        try:
            for row in rows:
                if row == [_LAST]:
                    return
                if row and row[-1].endswith(_LAST):
                    break
                if not row:
                    pass
                elif header is None:
                    header = _header(row)
                elif len(row) > len(header):
                    raise InputError(
                        f"{path}:{begins}: this row has {len(row)} cells, the header has {len(header)}; "
                        "put quotes around a cell with a separator in it.",
                        code=CODE,
                    )
                elif not (len(header) == 1 and row == [""]):
                    yield dict(zip(header, row + [""] * (len(header) - len(row)), strict=True))
                begins = rows.line_num + 1
        except UnicodeDecodeError as error:
            raise _not_utf8(path) from error
        except csv.Error as error:
            raise InputError(f"{path}:{rows.line_num}: this is no valid row: {error}.", code=CODE) from error
    raise InputError(f"{path}:{begins}: a quote that opens in this row is never closed.", code=CODE)


def _with_last_row(file: TextIO) -> Iterator[str]:
    line = "\n"
    for line in file:
        yield line
    if not line.endswith(("\n", "\r")):
        yield "\n"
    yield _LAST


def _header(row: list[str]) -> list[str]:
    """Column names as prompt flow's reader gives them: a second ``a`` is ``a.1``, an empty one tells its position."""
    names: list[str] = []
    for position, cell in enumerate(row):
        name = wanted = cell or f"Unnamed: {position}"
        number = 0
        while name in names:
            number += 1
            name = f"{wanted}.{number}"
        names.append(name)
    return names


def _columns(path: Path, data: dict[str, Any]) -> Rows:
    if all(isinstance(column, list) for column in data.values()):
        lengths = {len(column) for column in data.values()}
        if len(lengths) > 1:
            told = ", ".join(f"{name!r} has {len(column)}" for name, column in data.items())
            raise InputError(f"{path}: the columns are not equally long: {told}.", code=CODE)
        for cells in zip(*data.values(), strict=True):
            yield dict(zip(data, cells, strict=True))
    elif all(isinstance(column, dict) for column in data.values()):
        for index in dict.fromkeys(index for column in data.values() for index in column):
            yield {name: column[index] for name, column in data.items() if index in column}
    else:
        yield data


def _first_character(file: TextIO) -> str:
    """The first character that is no white space; the file stands at its beginning again."""
    while chunk := file.read(4096):
        if chunk := chunk.lstrip():
            break
    file.seek(0)
    return chunk[:1]


_PLAIN = frozenset({str, int, float, bool, type(None)})


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return value.total_seconds()
        case decimal.Decimal():
            whole = value == value.to_integral_value() if value.is_finite() else False
            return int(value) if whole else float(value)
        case bytes():
            try:
                return value.decode("utf-8")
            except UnicodeDecodeError:
                return base64.b64encode(value).decode("ascii")
        case _:
            return value if type(value) in _PLAIN else str(value)


def _open_bytes(path: Path) -> Any:
    try:
        return path.open("rb", buffering=1 << 18)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.", code=CODE) from error


def _open_text(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.", code=CODE) from error


def _not_utf8(path: Path) -> InputError:
    offset = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if number == 1 and raw[:2] in _UTF16:
                return InputError(f"{path}: this file is UTF-16; save it as UTF-8.", code=CODE)
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError as error:
                place = offset + error.start
                return InputError(
                    f"{path}:{number}: byte {place} (0x{raw[error.start]:02x}) is no UTF-8; save the file as UTF-8.",
                    code=CODE,
                )
            offset += len(raw)
    return InputError(f"{path}: this file is no UTF-8; save it as UTF-8.", code=CODE)


def _kind(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null", dict: "an object"}
    return names.get(type(value), "a number")
