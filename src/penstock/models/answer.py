"""From a raw answer to what the rest of Penstock reads of it: text, message, finish reason, usage."""

from __future__ import annotations

import array
import base64
import sys
from typing import Any, NamedTuple

from penstock.models.model import Api, Completion, Request
from penstock.models.prices import Prices
from penstock.models.trouble import Trouble
from penstock.records import Usage

_NO_PRICES = Prices()
_FINISH = {"completed": "stop", "max_output_tokens": "length", "content_filter": "content_filter"}


class Reading(NamedTuple):
    """What a raw answer says."""

    text: str | None
    message: dict[str, Any] | None
    finish_reason: str | None


def read(api: Api, raw: Any) -> Reading:
    """Text, message and finish reason of an OpenAI-shaped answer.

    Raises:
        Trouble: It has not the shape that such an answer has.
    """
    try:
        if api == "chat":
            return _chat(raw)
        if api == "completion":
            choice = raw["choices"][0]
            return Reading(choice["text"], None, choice.get("finish_reason"))
        if api == "embedding":
            if not isinstance(raw["data"], list):
                raise TypeError
            return Reading(None, None, None)
        return _responses(raw)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        head = repr(raw)
        raise Trouble(
            "APIResponseValidationError",
            f"the answer is no {api} answer: {head[:200] + '…' if len(head) > 200 else head}",
            status=200,
            tries=3,
        ) from error


def usage_of(raw: dict[str, Any], request: Request, prices: Prices = _NO_PRICES) -> Usage:
    """Tokens and cost of one call; the cost is None where the answer tells no usage."""
    told = raw.get("usage")
    if not isinstance(told, dict):
        return Usage(calls=1, cost=None)
    prompt = _count(told, "prompt_tokens", "input_tokens")
    completion = _count(told, "completion_tokens", "output_tokens")
    details = told.get("prompt_tokens_details") or told.get("input_tokens_details") or {}
    cached = _count(details, "cached_tokens") if isinstance(details, dict) else 0
    names = tuple(str(name) for name in (raw.get("model"), request.model) if name)
    total = _count(told, "total_tokens") or prompt + completion
    return Usage(prompt, completion, total, 1, prices.cost(names, prompt, completion, cached))


def completion_of(
    request: Request,
    raw: dict[str, Any],
    *,
    usage: Usage,
    attempts: int = 1,
    duration: float = 0.0,
    offline: bool = False,
) -> Completion:
    """A ``Completion`` from its parts; raises Trouble where ``raw`` has not the shape of an answer."""
    reading = read(request.api, raw)
    if request.api == "embedding":
        raw = {**raw, "data": [_unpacked(item) for item in raw["data"]]}
    return Completion(
        text=reading.text,
        message=reading.message,
        raw=raw,
        usage=usage,
        model=str(raw.get("model") or request.model),
        finish_reason=reading.finish_reason,
        attempts=attempts,
        duration=duration,
        offline=offline,
    )


def _unpacked(item: Any) -> Any:
    """A vector as a list of floats; it comes as base64 of 32-bit floats where that was asked for."""
    if not isinstance(item, dict) or not isinstance(item.get("embedding"), str):
        return item
    try:
        numbers = array.array("f", base64.b64decode(item["embedding"], validate=True))
    except ValueError as error:
        raise Trouble(
            "APIResponseValidationError",
            f"the answer holds a vector that is no base64 of floats: {error}",
            status=200,
            tries=3,
        ) from error
    if sys.byteorder == "big":
        numbers.byteswap()
    return {**item, "embedding": numbers.tolist()}


def _chat(raw: Any) -> Reading:
    choice = raw["choices"][0]
    message = choice["message"]
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    return Reading(content, message, choice.get("finish_reason"))


def _responses(raw: Any) -> Reading:
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    for item in raw["output"]:
        if item.get("type") == "message":
            texts += [part["text"] for part in item["content"] if part.get("type") == "output_text"]
        elif item.get("type") == "function_call":
            function = {"name": item["name"], "arguments": item["arguments"]}
            calls.append({"id": item.get("call_id"), "type": "function", "function": function})
    text = "".join(texts) if texts else None
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = calls
    reason = (raw.get("incomplete_details") or {}).get("reason") or raw.get("status")
    finish = "tool_calls" if calls and reason == "completed" else _FINISH.get(str(reason), reason)
    return Reading(text, message, finish)


def _count(told: dict[str, Any], *names: str) -> int:
    value = next((told[name] for name in names if isinstance(told.get(name), int | float)), 0)
    return int(value)
