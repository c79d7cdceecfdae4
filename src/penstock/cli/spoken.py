"""What a person types in a conversation, and what the flow answers, as the values and texts that stand for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.cli.images import saved_images
from penstock.engine.jsonable import Encoder
from penstock.graph.flow import Flow
from penstock.prompts.image import Image, ImageRules, Text, to_image

# ``![](photo.png)``, as Markdown has it; what stands between the brackets is for people.
_PICTURE = re.compile(r"!\[[^\]\n]*\]\(([^()\s]+)\)")
# Whoever types at the terminal may read what the terminal may read.
_RULES = ImageRules(any_path=True)


def spoken(text: str, kind: str, flow: Flow) -> Any:
    """What the person typed as the value of the chat input.

    An input of type ``list`` takes texts and pictures in their order, an ``image`` a picture; their paths start from the
    working directory. Anything else takes the text as it is.

    Raises:
        InputError: A picture that cannot be read.
    """
    if kind == "image":
        found = _PICTURE.fullmatch(text.strip())
        return _picture(found[1] if found else text.strip())
    if kind != "list":
        return text
    parts: list[Any] = []
    end = 0
    for found in _PICTURE.finditer(text):
        parts += [_text(text[end : found.start()], flow), _picture(found[1])]
        end = found.end()
    return [part for part in (*parts, _text(text[end:], flow)) if part]


def _text(text: str, flow: Flow) -> str:
    return Text(text.strip()) if flow.message_format == "openai-vision" else text.strip()


def _picture(place: str) -> Image:
    image: Image = to_image(place, Path.cwd(), rules=_RULES)
    return image


def shown(value: Any, folder: Path) -> str:
    """An answer as text: its texts one below the other, its pictures as the files they are saved in below ``folder``."""
    if isinstance(value, str):
        return value
    if isinstance(value, Image):
        return f"![image]({saved_images(value, folder)[0][0]['path']})"
    if isinstance(value, list) and value and all(isinstance(item, (str, Image)) for item in value):
        return "\n".join(shown(item, folder) for item in value)
    return Encoder(lambda image: {f"data:{image.mime_type};path": _saved(image, folder)}).encode(value)


def written(value: Any, folder: Path) -> Any:
    """``value`` for a JSON document: pictures as dicts of the files they are saved in."""
    if isinstance(value, Image):
        if value.source_url:
            return {f"data:{value.mime_type};url": value.source_url}
        return {f"data:{value.mime_type};path": _saved(value, folder)}
    if isinstance(value, Mapping):
        return {key: written(item, folder) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [written(item, folder) for item in value]
    return value


def _saved(image: Image, folder: Path) -> str:
    return saved_images(image, folder)[0][0]["path"]
