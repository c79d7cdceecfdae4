"""Whether a flow's own code can write role markers at all; where it cannot, all that its Python nodes return is data."""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path

_ROLES = ("system", "user", "assistant", "function", "tool")
_WORD = "|".join(_ROLES)
# At a line's start, or at the end of a piece of text to which code adds the colon.
_MARKER = re.compile(rf"(?im)^\s*#?\s*(?:{_WORD})\s*:|^\s*#\s*(?:{_WORD})\s*\Z")
_TEXTS = frozenset(
    {".txt", ".md", ".jinja2", ".jinja", ".j2", ".prompt", ".prompty", ".tmpl", ".json", ".yaml", ".yml"}
)
_SKIPPED = frozenset({"__pycache__", "node_modules", ".git", ".venv", "venv", ".promptflow"})
_LARGEST = 1 << 20  # a larger file is no prompt
_MOST = 2000


def writes_roles(folder: Path, templates: Collection[Path]) -> bool:
    """Whether a Python file below ``folder`` holds a role marker or a role's name, or a text file that it may read does.

    Args:
        folder: The flow's folder.
        templates: Files that nodes use as their templates: markers in them are no code's.
    """
    known = {path.resolve() for path in templates}
    for number, file in enumerate(_files(folder)):
        if number >= _MOST:
            return True  # nobody reads on; better to trust the author than to break the flow
        if file.suffix == ".py":
            if _code_writes(file):
                return True
        elif file.resolve() not in known and _MARKER.search(_text(file)):
            return True
    return False


def _files(folder: Path) -> Iterator[Path]:
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in sorted(names):
            suffix = os.path.splitext(name)[1].lower()
            if suffix == ".py" or (suffix in _TEXTS and name not in ("flow.dag.yaml", "flow.dag.yml")):
                yield Path(base, name)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace") if file.stat().st_size <= _LARGEST else ""
    except OSError:
        return ""


def _code_writes(file: Path) -> bool:
    source = _text(file)
    if not re.search(rf"(?i){_WORD}", source):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the user's escapes; Python itself tells them when it runs the file
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    comments = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in comments
        and _role(node.value)
        for node in ast.walk(tree)
    )


def _role(text: str) -> bool:
    return text.strip(" #:\n").lower() in _ROLES or _MARKER.search(text) is not None
