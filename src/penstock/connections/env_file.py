r"""``.env`` files: one ``NAME=value`` a line, as python-dotenv and shells read them, and JSON values as they stand.

- ``export NAME=value``, blank lines, ``# comments``; a name with spaces stands in quotes: ``'my conn'=…``.
- A bare value ends at the end of the line or at `` #``; ``${OTHER}`` and ``${OTHER:-default}`` are filled in.
- ``"…"`` knows ``\n \t \r \" \\`` and fills in ``${OTHER}``; ``'…'`` is taken as it stands, but for ``\'`` and ``\\``.
  Both may span lines.
- A bare value that is a JSON object is taken to its closing brace, over several lines if need be, whatever ``#`` or
  ``=`` it holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from penstock.errors import InputError

_NAME = re.compile(r"'([^'\n]+)'|\"([^\"\n]+)\"|([^=#\s'\"][^=#\s]*)")
_EXPORT = re.compile(r"export[^\S\n]+(?=\S)(?!=)")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_REST = re.compile(r"[^\S\n]*(?:#[^\n]*)?(?:\n|$)")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def read_env_file(path: str | Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of the file at ``path``; ``env`` fills in ``${OTHER}`` that the file itself does not set.

    Raises:
        InputError: The file cannot be read, or a line is no ``NAME=value``; the message names the line, never a value.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.", code="EnvFileNotFound") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start} is no UTF-8; save the file as UTF-8.", code="BadEnvFile"
        ) from error
    return parse_env(text, str(path), env)


def parse_env(text: str, where: str = ".env", env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that ``text`` sets, a later line over an earlier; ``where`` is only for messages.

    Raises:
        InputError: A line that is no ``NAME=value``.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        if blank := _REST.match(text, at):
            at = blank.end() if blank.end() > at else at + 1
            continue
        name, at = _name(text, at, where)
        found[name], at = _value(text, at, where, {**(env or {}), **found})
    return found


def env_files(given: Iterable[str | Path], folder: Path) -> tuple[Path, ...]:
    """The files to read: those ``given``, else ``folder``/.env where there is one."""
    files = tuple(Path(path) for path in given)
    default = folder / ".env"
    return files or ((default,) if default.is_file() else ())


def _name(text: str, at: int, where: str) -> tuple[str, int]:
    start = at
    while at < len(text) and text[at] in " \t":
        at += 1
    if export := _EXPORT.match(text, at):
        at = export.end()
    found = _NAME.match(text, at)
    end = found.end() if found else at
    while end < len(text) and text[end] in " \t":
        end += 1
    if not found or text[end : end + 1] != "=":
        raise InputError(
            f"{where}:{_line(text, start)}: this is no NAME=value; put a name with spaces in single quotes.",
            code="BadEnvFile",
        )
    return next(group for group in found.groups() if group is not None), end + 1


def _value(text: str, at: int, where: str, known: Mapping[str, str]) -> tuple[str, int]:
    while at < len(text) and text[at] in " \t":
        at += 1
    first = text[at : at + 1]
    if first == "{" and (found := _json_end(text, at)):
        return text[at:found].rstrip(), _after(text, found, where)
    if first in {"'", '"'}:
        quoted = (_SINGLE if first == "'" else _DOUBLE).match(text, at)
        if quoted is None:
            raise InputError(f"{where}:{_line(text, at)}: the quote {first} is never closed.", code="BadEnvFile")
        end = _after(text, quoted.end(), where)
        if first == "'":
            return re.sub(r"\\([\\'])", r"\1", quoted[1]), end
        plain = re.sub(
            r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1] if m[1] in "\\\"'" else m[0]), quoted[1], flags=re.DOTALL
        )
        return _fill(plain, known), end
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    bare = re.sub(r"(?:^|\s)#.*", "", text[at:end])
    return _fill(bare.rstrip(), known), end + 1


def _json_end(text: str, at: int) -> int | None:
    """Where the JSON object at ``at`` ends, if one stands there with nothing but a comment behind it."""
    try:
        _, end = json.JSONDecoder().raw_decode(text, at)
    except (ValueError, RecursionError):
        return None
    return end if _REST.match(text, end) else None


def _after(text: str, at: int, where: str) -> int:
    rest = _REST.match(text, at)
    if rest is None:
        raise InputError(f"{where}:{_line(text, at)}: something stands behind the closing quote.", code="BadEnvFile")
    return rest.end()


def _fill(value: str, known: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda m: known.get(m[1]) or (m[2] or ""), value)


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
