"""Images that a run keeps as files beside its outputs, put into the page: it must show them without its run's folder."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.prompts.image import kept_copy
from penstock.records import LineResult

_KEY = re.compile(r"data:(image/[\w.+*-]{1,40});(path|url)")
_IMAGES = "images"
# Beyond this an image makes the page heavier than it is worth; its path stays.
_LARGEST = 2_000_000


def with_pictures(line: LineResult, folder: Path) -> LineResult:
    """``line`` with the images that ``folder`` holds in the place of what stands for them, in both message formats."""
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


def _picture(value: Mapping[Any, Any], root: Path) -> str | None:
    kind, path = "image/*", None
    if len(value) == 1:
        key, item = next(iter(value.items()))
        found = _KEY.fullmatch(key) if isinstance(key, str) else None
        if found is not None:
            kind, path = found[1], item if found[2] == "path" else _fetched(item, root)
    elif len(value) == 2 and value.get("type") in ("image_file", "image_url"):
        inner = value.get(value["type"])
        if isinstance(inner, Mapping):
            path = inner.get("path") if "path" in inner else _fetched(inner.get("url"), root)
    return _inline(kind, path, root) if path is not None else None


def _fetched(url: Any, root: Path) -> str | None:
    """The file in which the run keeps what it fetched from ``url``."""
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return None
    found = kept_copy(url, root / _IMAGES)
    return None if found is None else f"{_IMAGES}/{found.name}"


def _inline(kind: str, path: Any, root: Path) -> str | None:
    if not isinstance(path, str) or "\0" in path:
        return None
    try:
        file = (root / path).resolve()
        if not file.is_relative_to(root) or file.stat().st_size > _LARGEST:
            return None
        return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
    except OSError:
        return None
