"""Sample values of a flow file: written there, or in a file that it names as ``${file:…}``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.errors import LoadError
from penstock.yaml import read

_REFERENCE = re.compile(r"\$\{(file|env):([^{}]+)\}")


def resolved(value: Any, folder: Path, env: Mapping[str, str]) -> Any:
    """``value`` with every text that is one ``${file:path}`` or ``${env:NAME}`` replaced by what it names.

    A JSON or YAML file is parsed, another one is a text; paths start at ``folder``. A variable that is not set leaves the text
    as it is, as in prompt flow.

    Raises:
        LoadError: There is no such file, or it is damaged.
    """
    if isinstance(value, Mapping):
        return {key: resolved(item, folder, env) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item, folder, env) for item in value]
    found = _REFERENCE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return value
    if found[1] == "env":
        return env.get(found[2], value)
    return _content(folder / found[2])


def _content(file: Path) -> Any:
    if file.suffix.lower() in (".yaml", ".yml"):
        return read(file).value
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(f"Cannot read the reference file {file}: {error}.", code="FileNotFound") from error
    if file.suffix.lower() not in (".json", ".jsonl"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{file}: this is no valid JSON: {error}.", code="InvalidSampleError") from error
