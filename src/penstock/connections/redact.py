"""Known secrets out of what is written down or shown: what tools print, why they fail, what a record keeps of a call."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from penstock.connections.connection import MASK, Connection

# In words for people (logs, errors) a short secret is masked too; in values it would damage data that only looks like it.
SHORTEST_IN_TEXT = 4
SHORTEST_IN_VALUES = 6
_SHORTEST_IN_FILES = 12
# What people write where a local server wants any key: no secret, and words of everyday text.
_STAND_INS = re.compile(
    r"(?i)none|null|true|false|test|fake|dummy|local|empty|unused|ollama|offline|no-key|not-needed|placeholder|\*+|"
    r"<user-input>|\$\{env:[^{}]*\}"
)
_SECRET_VARIABLE = re.compile(r"(?i)(^|_)(API_?KEY|SECRET|TOKEN|PASSWORD|PASSWD|CONNECTION_?STRING)$|_(KEY|PWD|PAT)$")
_SECRET_HEADER = re.compile(r"(?i)auth|key|token|secret|cookie|password|credential|signature|session")
_SCHEME = re.compile(r"(?i)(bearer|basic|digest)( .{0,7})?")
# Shorter values of variables with such names are switches and paths, not keys.
_SHORTEST_VARIABLE = 8


class Redactor:
    """Replaces known secret values by ``******``, in the forms in which they get into text.

    Args:
        secrets: The values. Those that nobody would keep secret (``test``, ``none``, …) and shorter ones than
            ``SHORTEST_IN_TEXT`` are left alone.
    """

    __slots__ = ("_in_files", "_in_text", "_in_values")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {str(value) for value in secrets}
        known = {value for value in known if len(value) >= SHORTEST_IN_TEXT and not _STAND_INS.fullmatch(value)}
        forms = {form for value in known for form in _forms(value)}
        # The longest first: one secret may be part of another.
        self._in_text = tuple(sorted(forms, key=len, reverse=True))
        self._in_values = tuple(form for form in self._in_text if len(form) >= SHORTEST_IN_VALUES)
        longer = [form for form in self._in_values if len(form) >= _SHORTEST_IN_FILES]
        self._in_files = tuple(form.encode("utf-8", "surrogatepass") for form in longer)

    def __repr__(self) -> str:
        """Never the secrets."""
        return f"Redactor({MASK})"

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._in_text)

    def text(self, text: str) -> str:
        """``text`` for people, without secrets."""
        for form in self._in_text:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def value(self, value: Any) -> Any:
        """A JSON value whose strings (keys of objects too) hold no secret."""
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def hits(self, text: str) -> bool:
        """Whether ``value`` would change what ``text`` (JSON) says; costs next to nothing."""
        return any(form in text for form in self._in_values)

    def stands_in(self, content: bytes) -> bool:
        """Whether a file's content holds a secret that is too long to stand there by chance."""
        return any(form in content for form in self._in_files)

    def _string(self, text: str) -> str:
        for form in self._in_values:
            if form in text:
                text = text.replace(form, MASK)
        return text


def secrets_of(connection: Connection) -> set[str]:
    """The secret values of a connection, those of its headers that let somebody in among them."""
    found: set[str] = set()
    for value in connection.secrets.values():
        if isinstance(value, Mapping):
            for name, item in value.items():
                found |= _header(str(name), str(item))
        elif value is not None:
            found.add(str(value))
    return found


def secret_headers(headers: Iterable[tuple[str, str]]) -> set[str]:
    """What in the headers of a request lets somebody in, where it is long enough to be a key."""
    found = {one for name, value in headers for one in _header(name, value)}
    return {one for one in found if len(one) >= _SHORTEST_VARIABLE and not _SCHEME.fullmatch(one)}


def secret_variables(variables: Mapping[str, str]) -> set[str]:
    """Values of variables whose names say that they are secret: ``OPENAI_API_KEY``, ``DB_PASSWORD``."""
    return {
        value
        for name, value in variables.items()
        if len(value) >= _SHORTEST_VARIABLE and _SECRET_VARIABLE.search(name) and not value.startswith(("/", "{"))
    }


def _header(name: str, value: str) -> set[str]:
    """A header's value, and the key alone where a scheme stands before it."""
    random = len(value) >= 16 and " " not in value and any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    if not _SECRET_HEADER.search(name) and not (random and "/" not in value):
        return set()
    return {value, *(part for part in value.split() if len(part) >= _SHORTEST_VARIABLE)}


def _forms(value: str) -> set[str]:
    """``value`` as it stands, and as JSON, Python's ``repr`` and URLs write it; also JSON inside of JSON or of a ``repr``."""
    once = {value, *_quoted(value), quote(value, safe="", errors="replace")}
    return once.union(*map(_quoted, once))


def _quoted(text: str) -> set[str]:
    # A repr that stands in single quotes escapes those, one in double quotes does not.
    inside = repr(text + '"')[1:-2]
    return {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1], inside}
