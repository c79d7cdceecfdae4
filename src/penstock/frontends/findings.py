"""What is wrong with a file, collected while it is read so that all of it can be told at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from penstock.errors import LoadError
from penstock.graph.check import nearest
from penstock.graph.diagnostic import Diagnostic
from penstock.yaml import Document


class Findings:
    """Findings about ``document``; ``others`` are those that leave something that runs."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.errors: list[Diagnostic] = []
        self.others: list[Diagnostic] = []

    def error(self, code: str, message: str, *path: str | int, hint: str = "") -> None:
        """Note what keeps the file from running; ``path`` leads to the key or item."""
        self.errors.append(self._finding("error", code, message, path, hint))

    def warn(self, code: str, message: str, *path: str | int, hint: str = "") -> None:
        """Note what somebody should look at."""
        self.others.append(self._finding("warning", code, message, path, hint))

    def _finding(
        self, severity: Literal["error", "warning"], code: str, message: str, path: tuple[str | int, ...], hint: str
    ) -> Diagnostic:
        return Diagnostic(severity, code, message, self.document.file, self.document.line(*path), hint)

    def mapping(self, value: Any, what: str, *path: str | int) -> Mapping[Any, Any]:
        """``value``, which must be a map; nothing counts as an empty one."""
        if value is None:
            return {}
        if isinstance(value, Mapping):
            return value
        self.error("InvalidFlow", f"{what} must be a map, not {value!r}.", *path)
        return {}

    def unknown(self, value: Mapping[Any, Any], known: Collection[str], what: str, *path: str | int) -> None:
        """Refuse keys that are not ``known``."""
        for key in value:
            if key not in known:
                hint = nearest(str(key), known)
                self.error("InvalidFlow", f"{what} has the unknown key {key!r}.", *path, key, hint=hint)

    def refuse(self) -> None:
        """Raise what was found, if it keeps the file from running.

        Raises:
            LoadError: All errors, one a line; ``code`` is the first one's.
        """
        if self.errors:
            text = "\n".join(f"{item.file}:{item.line}: {item.message} {item.hint}".rstrip() for item in self.errors)
            raise LoadError(text, code=self.errors[0].code, diagnostics=self.errors)
