"""Images among the outputs of a test: saved beside the flow, shown by their place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.prompts.image import Image, stored_name


def saved_images(value: Any, folder: Path) -> tuple[list[dict[str, str]], Any]:
    """Save every image in ``value`` under ``<folder>/.promptflow/output``.

    Returns:
        For each image where it stands, its type and its path; and ``value`` with ``<Image>`` in the place of each.
    """
    found: list[dict[str, str]] = []

    def walk(item: Any, place: str) -> Any:
        if isinstance(item, Image):
            found.append({"at": place, "type": item.mime_type, "path": _save(item, folder)})
            return "<Image>"
        if isinstance(item, Mapping):
            return {key: walk(inner, f"{place}.{key}" if place else str(key)) for key, inner in item.items()}
        if isinstance(item, (list, tuple)):
            return [walk(inner, f"{place}[{index}]") for index, inner in enumerate(item)]
        return item

    shown = walk(value, "")
    return found, shown


def _save(image: Image, folder: Path) -> str:
    target = folder / ".promptflow" / "output"
    target.mkdir(parents=True, exist_ok=True)
    path = target / stored_name(image)
    path.write_bytes(bytes(image))
    return str(path)
