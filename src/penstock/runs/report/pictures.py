"""Images that a run keeps as files beside its outputs, put into the page: it must show them without its run's folder."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.records import LineResult

_PATH_KEY = re.compile(r"data:(image/[\w.+*-]{1,40});path")
# Beyond this an image makes the page heavier than it is worth; its path stays.
_LARGEST = 2_000_000


def with_pictures(line: LineResult, folder: Path) -> LineResult:
    """``line`` with every image path dict under ``folder`` replaced by the image itself, in both message formats."""
    root = folder.resolve()

    def walk(value: Any) -> Any:
        if isinstance(value, Mapping):
            return _picture(value, root) or {key: walk(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [walk(item) for item in value]
        return value

    return dataclasses.replace(
        line,
        inputs=walk(line.inputs),
        output=walk(line.output),
        nodes=tuple(
            dataclasses.replace(node, inputs=walk(node.inputs), output=walk(node.output)) for node in line.nodes
        ),
    )


def _picture(value: Mapping[Any, Any], root: Path) -> dict[str, str] | None:
    if len(value) == 1:
        key, path = next(iter(value.items()))
        found = _PATH_KEY.fullmatch(key) if isinstance(key, str) else None
        return _inline(found[1], path, root) if found else None
    inner = value.get("image_file")
    if value.get("type") == "image_file" and len(value) == 2 and isinstance(inner, Mapping):
        return _inline("image/*", inner.get("path"), root)
    return None


def _inline(kind: str, path: Any, root: Path) -> dict[str, str] | None:
    if not isinstance(path, str) or "\0" in path:
        return None
    try:
        file = (root / path).resolve()
        if not file.is_relative_to(root) or file.stat().st_size > _LARGEST:
            return None
        return {f"data:{kind};base64": base64.b64encode(file.read_bytes()).decode()}
    except OSError:
        return None
