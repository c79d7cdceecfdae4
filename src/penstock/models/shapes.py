"""Whole answers in OpenAI's shape, made from their parts; for the models that answer without an endpoint."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import Any

from penstock.models.model import Request

_CREATED = 1700000000  # a fixed moment, so that equal requests get equal answers


def answer_id(prefix: str, request: Request) -> str:
    """An id that depends on the request alone."""
    text = json.dumps([request.api, request.model, dict(request.params)], sort_keys=True, default=str)
    return prefix + hashlib.sha256(text.encode()).hexdigest()[:24]


def chat_raw(request: Request, message: dict[str, Any], finish: str, usage: dict[str, int]) -> dict[str, Any]:
    """A chat completion; with ``n`` above 1 every choice holds the same message."""
    many = request.params.get("n") or 1
    choices = [{"index": i, "message": message, "logprobs": None, "finish_reason": finish} for i in range(many)]
    return {
        "id": answer_id("chatcmpl-", request),
        "object": "chat.completion",
        "created": _CREATED,
        "model": request.model,
        "choices": choices,
        "usage": usage,
    }


def completion_raw(request: Request, text: str, usage: dict[str, int]) -> dict[str, Any]:
    """A text completion, one choice for each prompt."""
    prompts = request.params.get("prompt")
    many = (len(prompts) if isinstance(prompts, list) else 1) * (request.params.get("n") or 1)
    choices = [{"index": i, "text": text, "logprobs": None, "finish_reason": "stop"} for i in range(many)]
    return {
        "id": answer_id("cmpl-", request),
        "object": "text_completion",
        "created": _CREATED,
        "model": request.model,
        "choices": choices,
        "usage": usage,
    }


def embedding_raw(request: Request, vectors: list[list[float]], usage: dict[str, int]) -> dict[str, Any]:
    """Embeddings, base64-packed where the request asks for that."""
    data: list[dict[str, Any]] = []
    for index, vector in enumerate(vectors):
        value: Any = _packed(vector) if request.params.get("encoding_format") == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": value})
    told = {"prompt_tokens": usage["prompt_tokens"], "total_tokens": usage["prompt_tokens"]}
    return {"object": "list", "data": data, "model": request.model, "usage": told}


def responses_raw(request: Request, message: dict[str, Any], usage: dict[str, int]) -> dict[str, Any]:
    """A response of the responses API."""
    output: list[dict[str, Any]] = []
    if message.get("content") is not None:
        part = {"type": "output_text", "text": message["content"], "annotations": []}
        output.append(
            {
                "id": answer_id("msg_", request),
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        )
    for index, call in enumerate(message.get("tool_calls") or ()):
        output.append(
            {
                "id": f"{answer_id('fc_', request)}{index}",
                "type": "function_call",
                "call_id": call["id"],
                "status": "completed",
                **call["function"],
            }
        )
    return {
        "id": answer_id("resp_", request),
        "object": "response",
        "created_at": _CREATED,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": request.params.get("instructions"),
        "metadata": {},
        "model": request.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": request.params.get("temperature"),
        "tool_choice": request.params.get("tool_choice", "auto"),
        "tools": request.params.get("tools", []),
        "top_p": request.params.get("top_p"),
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage["total_tokens"],
        },
    }


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
