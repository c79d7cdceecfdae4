"""Rough token counts, where nobody tells the true ones: four characters a token, deterministic."""

from __future__ import annotations

import json
from typing import Any

from penstock.models.model import Request
from penstock.models.prompt import texts_of

_IMAGE = 800  # what vendors count for an ordinary picture
_ANSWER = 256  # what an answer without max_tokens is assumed to take


def estimate(text: str) -> int:
    """Tokens of a text, at least 1 where there is any."""
    return -(-len(text) // 4)


def estimate_prompt(request: Request) -> int:
    """Tokens that the prompt of a request takes."""
    texts, images = texts_of(request)
    tools = request.params.get("tools") or request.params.get("functions")
    extra = estimate(json.dumps(tools, default=str)) if tools else 0
    return sum(map(estimate, texts)) + images * _IMAGE + extra


def estimate_request(request: Request) -> int:
    """Tokens that a call may take, prompt and answer, as endpoints count them against an allowance beforehand."""
    if request.api == "embedding":
        return estimate_prompt(request)
    keys = ("max_tokens", "max_completion_tokens", "max_output_tokens")
    most: Any = next((request.params[key] for key in keys if request.params.get(key)), _ANSWER)
    return estimate_prompt(request) + (most if isinstance(most, int) else _ANSWER)
