"""What one message says: a string, or a list of parts where images are in it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.prompts.image import Image
from penstock.prompts.skeleton import Skeleton
from penstock.prompts.text import ImageData


@dataclass(frozen=True, slots=True)
class Content:
    """Reads contents out of a skeleton.

    Args:
        skeleton: The rendering.
        images: Images by the ``Image(<hash>)`` under which the author's own text may name them.
        detail: ``auto``, ``low`` or ``high``: how closely the model shall look.
    """

    skeleton: Skeleton
    images: Mapping[str, Image]
    detail: str

    def read(self, start: int, end: int) -> str | list[dict[str, Any]]:
        """The content between two places of the skeleton, stripped."""
        if not self.images and not any(type(data) is ImageData for data in self.skeleton.holes(start, end)):
            return self.skeleton.restored(start, end).strip()
        return self._with_images(start, end)

    def _with_images(self, start: int, end: int) -> str | list[dict[str, Any]]:
        # A fresh random name for every image: no text that was there before can be taken for one.
        nonce = secrets.token_hex(12)
        found: dict[str, Image] = {}

        def named(image: Image) -> str:
            key = f"<image {nonce} {len(found)}>"
            found[key] = image
            return key

        def shown(data: str) -> str:
            return named(data.image) if isinstance(data, ImageData) else data

        lines: list[str] = []
        at = start
        for line in self.skeleton.text[start:end].split("\n"):
            image = self.images.get(line.strip())
            if image is not None:
                lines.append(named(image))
            else:
                lines.append(self.skeleton.restored(at, at + len(line), shown))
            at += len(line) + 1
        text = "\n".join(lines)
        if found:
            text = re.sub(rf"!\[\s*image\s*\]\(\s*(<image {nonce} \d+>)\s*\)", r"\n\1\n", text)
        parts = [self._part(line, found) for line in text.strip().split("\n") if line.strip()]
        if any(part["type"] == "image_url" for part in parts):
            return parts
        return _plain(text, found).strip()

    def _part(self, line: str, found: Mapping[str, Image]) -> dict[str, Any]:
        image = found.get(line.strip())
        if image is None:
            return {"type": "text", "text": _plain(line, found)}
        return {
            "type": "image_url",
            "image_url": {"url": image.source_url or image.to_base64(with_type=True), "detail": self.detail},
        }


def _plain(text: str, found: Mapping[str, Image]) -> str:
    for key, image in found.items():
        text = text.replace(key, str(image))
    return text
