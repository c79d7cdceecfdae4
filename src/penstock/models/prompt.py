"""The texts and pictures of a request, whichever of the four calls it is."""

from __future__ import annotations

from typing import Any

from penstock.models.model import Request

_IMAGES = frozenset({"image_url", "input_image", "image"})


def texts_of(request: Request) -> tuple[list[str], int]:
    """All texts of the prompt in order, and how many images it holds."""
    texts: list[str] = []
    images = 0
    for _, part in _parts(request):
        if isinstance(part, str):
            texts.append(part)
        else:
            images += 1
    return texts, images


def last_of(request: Request) -> str:
    """The last message's text: for a completion the prompt, for embeddings all inputs."""
    parts = _parts(request)
    if request.api in {"completion", "embedding"} or not parts:
        return "\n".join(part for _, part in parts if isinstance(part, str))
    last = parts[-1][0]
    return "\n".join(part for index, part in parts if index == last and isinstance(part, str))


def prompt_of(request: Request) -> str:
    """The whole prompt as one text, a line for each part; what rules and error messages look at."""
    return "\n".join(texts_of(request)[0])


def inputs_of(request: Request) -> list[str]:
    """The texts to embed, one for each vector; token lists count as the text of their numbers."""
    given = request.params.get("input")
    if isinstance(given, list) and not (given and all(isinstance(item, int) for item in given)):
        return [item if isinstance(item, str) else str(item) for item in given]
    return [given if isinstance(given, str) else str(given)]


def _parts(request: Request) -> list[tuple[int, str | None]]:
    """(message index, text or None for an image) of all parts."""
    params = request.params
    if request.api == "embedding":
        return [(index, text) for index, text in enumerate(inputs_of(request))]
    if request.api == "completion":
        prompts = params.get("prompt")
        return [(i, str(p)) for i, p in enumerate(prompts if isinstance(prompts, list) else [prompts or ""])]
    if request.api == "responses":
        given = params.get("input")
        items: Any = [{"content": given}] if isinstance(given, str) else given or []
        head = [{"content": params["instructions"]}] if params.get("instructions") else []
        items = [*head, *items]
    else:
        items = params.get("messages") or []
    return [(index, part) for index, item in enumerate(items) for part in _content(item)]


def _content(item: Any) -> list[str | None]:
    if not isinstance(item, dict):
        return [str(item)]
    content = item.get("content", item.get("output"))
    if isinstance(content, list):
        return [_part(part) for part in content]
    return [str(content)] if content is not None else []


def _part(part: Any) -> str | None:
    if not isinstance(part, dict):
        return str(part)
    if part.get("type") in _IMAGES:
        return None
    return str(part.get("text", part.get("refusal", "")))
