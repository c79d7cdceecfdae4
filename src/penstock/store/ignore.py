"""Which files of a flow folder belong to it: an ignore file's patterns, and what never does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_FILES = (".amlignore", ".gitignore")
_NEVER = frozenset(
    {
        ".git",
        "__pycache__",
        ".venv",
        "venv",
        "node_modules",
        ".promptflow",
        ".runs",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".ipynb_checkpoints",
    }
)
# Secrets stay where they are; the templates of such files hold none.
_SECRET = re.compile(r"\.env(?!\.(example|sample|template|dist)$)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ignore:
    """The patterns of one ignore file: (pattern, whether it takes back, whether it means folders only)."""

    rules: tuple[tuple[re.Pattern[str], bool, bool], ...] = ()

    @classmethod
    def of(cls, folder: Path) -> Self:
        """The rules of ``folder``: its ``.amlignore``, else its ``.gitignore``, else none."""
        for name in _FILES:
            file = folder / name
            if file.is_file():
                return cls.parse(file.read_text(encoding="utf-8", errors="replace").splitlines())
        return cls()

    @classmethod
    def parse(cls, lines: Sequence[str]) -> Self:
        """Rules as git reads them: ``*``, ``**``, ``?``, ``[a-z]``, leading and trailing ``/``, ``!``."""
        rules = []
        for line in lines:
            text = re.sub(r"(?<!\\)\s+$", "", line)
            if not text or text.startswith("#"):
                continue
            back = text.startswith("!")
            text = text[1:] if back else text
            rules.append((re.compile(_regex(text.rstrip("/"))), back, text.endswith("/")))
        return cls(tuple(rules))

    def skips(self, relative: str, *, folder: bool) -> bool:
        """Whether the file (or folder) at ``relative``, with ``/`` between its parts, stays out."""
        name = relative.rpartition("/")[2]
        if name in _NEVER or _SECRET.fullmatch(name):
            return True
        skipped = False
        for pattern, back, folders_only in self.rules:
            if (folder or not folders_only) and pattern.fullmatch(relative):
                skipped = not back
        return skipped


def _regex(pattern: str) -> str:
    """A git pattern as a regular expression over a whole relative path."""
    anchored = "/" in pattern
    pattern = pattern.lstrip("/")
    result = "" if anchored else r"(?:.*/)?"
    place = 0
    while place < len(pattern):
        if pattern.startswith("**/", place):
            result += r"(?:.*/)?"
            place += 3
        elif pattern.startswith("**", place):
            result += r".*"
            place += 2
        elif pattern[place] in "*?":
            result += r"[^/]*" if pattern[place] == "*" else r"[^/]"
            place += 1
        elif pattern[place] == "[" and (end := pattern.find("]", place + 2)) > 0:
            inner = pattern[place + 1 : end].replace("\\", r"\\").replace("[", r"\[")
            inner = "^" + inner[1:] if inner[0] == "!" else inner
            result += f"[{inner}]"
            place = end + 1
        else:
            place += pattern[place] == "\\" and place + 1 < len(pattern)
            result += re.escape(pattern[place])
            place += 1
    try:
        re.compile(result)
    except re.error:
        return re.escape(pattern)
    return result
