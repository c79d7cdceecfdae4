"""Files in a flow's folder that hold keys: connections written down beside the flow. They stay out of a run's snapshot."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from penstock.connections.kinds import KINDS
from penstock.connections.redact import Redactor

_SUFFIXES = frozenset({".yaml", ".yml", ".json", ".toml"})
_TYPE = re.compile(r"""\btype\b["']?\s*[:=]\s*["']?(\w+)""")
_SCHEMA = re.compile(r"Connection\.schema\.json|^\s*\[connections\.", re.MULTILINE)
_FIELDS = "|".join(sorted({"secrets", *(field for kind in KINDS.values() for field in kind.SECRETS)}))
# What follows the name of a secret setting, unless it is a placeholder or names a variable.
_GIVEN = re.compile(
    rf"""(?m)["']?\b(?:{_FIELDS})\b["']?\s*[:=]\s*(?!["']?(?:\$\{{|<|\*|to_replace|["',}}\s]*$))["'{{\[]?\s*[^\s"'#,}}]"""
)
_LARGEST = 1 << 20


def key_check(redactor: Redactor) -> Callable[[str, bytes], str | None]:
    """What tells of a file (its path in the flow and its content) why it must not be copied; None where it may be."""

    def why_not(path: str, content: bytes) -> str | None:
        if redactor.stands_in(content):
            return "it holds a key that this run uses"
        if PurePosixPath(path).suffix.lower() in _SUFFIXES and len(content) <= _LARGEST and _is_connection(content):
            return "it is a connection with its key in it"
        return None

    return why_not


def _is_connection(content: bytes) -> bool:
    text = content.decode("utf-8", "replace")
    kinds = {found[1].lower().replace("_", "").removesuffix("connection") for found in _TYPE.finditer(text)}
    known = {name.replace("_", "") for name in KINDS}
    return bool((_SCHEMA.search(text) or kinds & known) and _GIVEN.search(text))
