"""From a whole answer to the events that a stream of it would have had: the inverse of ``merge``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from penstock.models.model import Api

_WORDS = re.compile(r"\S*\s*")


def chunks_of(api: Api, raw: dict[str, Any], *, include_usage: bool = True) -> Iterator[dict[str, Any]]:
    """The events of ``raw`` as a stream, texts cut word by word.

    Args:
        api: ``chat``, ``completion`` or ``responses``; embeddings do not stream.
        raw: A whole answer.
        include_usage: Whether a chat or completion stream ends with a chunk of usage alone.
    """
    if api == "responses":
        yield from _responses(raw)
        return
    kind = "chat.completion.chunk" if api == "chat" else "text_completion"
    head = {key: value for key, value in raw.items() if key not in {"choices", "usage", "object"}} | {"object": kind}
    for choice in raw["choices"]:
        index = choice.get("index", 0)
        pieces = (
            _message(choice["message"]) if api == "chat" else ({"text": w} for w in _words(choice.get("text") or ""))
        )
        for piece in pieces:
            body = {"delta": piece} if api == "chat" else piece
            yield {**head, "choices": [{"index": index, **body, "finish_reason": None}]}
        last: dict[str, Any] = {"delta": {}} if api == "chat" else {"text": ""}
        yield {**head, "choices": [{"index": index, **last, "finish_reason": choice.get("finish_reason") or "stop"}]}
    if include_usage and raw.get("usage"):
        yield {**head, "choices": [], "usage": raw["usage"]}


def _message(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"role": message.get("role", "assistant"), "content": None if message.get("content") is None else ""}
    for word in _words(message.get("content") or ""):
        yield {"content": word}
    if message.get("function_call"):
        call = message["function_call"]
        yield {"function_call": {"name": call["name"], "arguments": ""}}
        for word in _words(call.get("arguments") or ""):
            yield {"function_call": {"arguments": word}}
    for index, call in enumerate(message.get("tool_calls") or ()):
        function = call["function"]
        head = {"index": index, "id": call.get("id"), "type": call.get("type", "function")}
        yield {"tool_calls": [{**head, "function": {"name": function["name"], "arguments": ""}}]}
        for word in _words(function.get("arguments") or ""):
            yield {"tool_calls": [{"index": index, "function": {"arguments": word}}]}


def _responses(raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
    begun = {**raw, "status": "in_progress", "output": []}
    number = 0

    def event(kind: str, **more: Any) -> dict[str, Any]:
        nonlocal number
        number += 1
        return {"type": kind, "sequence_number": number - 1, **more}

    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    for at, item in enumerate(raw["output"]):
        where = {"output_index": at, "item_id": item.get("id", "")}
        empty: dict[str, Any] = {"content": []} if item["type"] == "message" else {"arguments": ""}
        yield event("response.output_item.added", output_index=at, item={**item, **empty, "status": "in_progress"})
        for index, part in enumerate(item.get("content") or ()):
            place = {**where, "content_index": index}
            yield event("response.content_part.added", **place, part={**part, "text": ""})
            for word in _words(part.get("text") or ""):
                yield event("response.output_text.delta", **place, delta=word, logprobs=[])
            yield event("response.output_text.done", **place, text=part.get("text") or "", logprobs=[])
            yield event("response.content_part.done", **place, part=part)
        if item["type"] == "function_call":
            for word in _words(item["arguments"]):
                yield event("response.function_call_arguments.delta", **where, delta=word)
            yield event(
                "response.function_call_arguments.done", **where, name=item["name"], arguments=item["arguments"]
            )
        yield event("response.output_item.done", output_index=at, item=item)
    yield event("response.completed" if raw.get("status") == "completed" else "response.incomplete", response=raw)


def _words(text: str) -> list[str]:
    return [word for word in _WORDS.findall(text) if word]
