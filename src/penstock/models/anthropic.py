"""Anthropic's messages API, spoken from and to OpenAI's shape."""

from __future__ import annotations

import json
from typing import Any

from penstock.errors import ModelError
from penstock.models.anthropic_request import body_of
from penstock.models.endpoint import Endpoint, name_of, text_of
from penstock.models.merge import ChoicesMerger, Merger
from penstock.models.model import Delta, Request
from penstock.models.trouble import told_in_body

VERSION = "2023-06-01"
_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def anthropic(connection: Any) -> Endpoint:
    """The endpoint of an AnthropicConnection."""
    base = (text_of(connection, "base_url") or "https://api.anthropic.com").rstrip("/")
    root = base if base.endswith("/v1") else base + "/v1"
    key = text_of(connection, "api_key")
    return Endpoint(
        name=name_of(connection),
        label="Anthropic API",
        base=base,
        address=lambda request: root + "/messages",  # ruff: ignore[unused-lambda-argument]  one address for every request
        headers={"x-api-key": key, "anthropic-version": text_of(connection, "api_version") or VERSION},
        secrets=(key,) if key else (),
    )


class AnthropicDialect:
    """Chat requests to messages and back; there is nothing else to translate."""

    def body(self, request: Request) -> dict[str, Any]:
        """The body of ``POST /v1/messages``.

        Raises:
            ModelError: The request is no chat, or holds a parameter that the messages API has no word for.
        """
        if request.api != "chat":
            raise ModelError(f"Anthropic has no {request.api} API, only chat; node and connection do not fit together.")
        return body_of(request)

    def whole(self, request: Request, data: dict[str, Any]) -> dict[str, Any]:
        """The chat completion that a message amounts to."""
        if not isinstance(data.get("content"), list):
            return data  # no message: the reader of the answer says so
        text, thinking, calls = "", "", []
        for block in data["content"]:
            kind = block.get("type")
            if kind == "text":
                text += block.get("text") or ""
            elif kind == "thinking":
                thinking += block.get("thinking") or ""
            elif kind == "tool_use":
                arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
                function = {"name": block.get("name", ""), "arguments": arguments}
                calls.append({"id": block.get("id", ""), "type": "function", "function": function})
        message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else "")}
        if thinking:
            message["reasoning_content"] = thinking
        finish = _FINISH.get(data.get("stop_reason") or "", data.get("stop_reason") or "stop")
        if calls and _wants_function_call(request):
            message["function_call"], finish = calls[0]["function"], "function_call"
        elif calls:
            message["tool_calls"] = calls
        raw: dict[str, Any] = {
            "id": data.get("id", ""),
            "object": "chat.completion",
            "created": 0,
            "model": data.get("model", request.model),
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        }
        if isinstance(data.get("usage"), dict):
            raw["usage"] = _usage(data["usage"])
        return raw

    def merger(self, request: Request) -> Merger:
        """Events of a message stream to chat chunks."""
        return MessageMerger(request)


class MessageMerger:
    """Translates each event into OpenAI's chunk and merges that."""

    def __init__(self, request: Request) -> None:
        self._chat = ChoicesMerger(chat=True)
        self._functions = _wants_function_call(request)
        self._calls: dict[int, int] = {}
        self._head: dict[str, Any] = {"object": "chat.completion.chunk", "created": 0, "model": request.model}
        self._usage: dict[str, Any] = {}
        self.closed = False

    @property
    def ended(self) -> bool:
        """Whether the message has told why it stopped."""
        return self._chat.ended

    def add(self, event: dict[str, Any]) -> Delta | None:
        """Merge one event; None for those without content (ping, block ends)."""
        kind = event.get("type")
        trouble = told_in_body(event)
        if trouble is not None:
            raise trouble
        if kind == "message_start":
            message = event.get("message") or {}
            self._head |= {"id": message.get("id", ""), "model": message.get("model", self._head["model"])}
            self._usage |= message.get("usage") or {}
            return self._chunk({"role": "assistant", "content": ""})
        if kind == "content_block_start":
            return self._begin(event.get("index", 0), event.get("content_block") or {})
        if kind == "content_block_delta":
            return self._piece(event.get("index", 0), event.get("delta") or {})
        if kind == "message_delta":
            self._usage |= {k: v for k, v in (event.get("usage") or {}).items() if v is not None}
            reason = (event.get("delta") or {}).get("stop_reason")
            if reason is None:
                return None
            finish = _FINISH.get(reason, reason)
            if finish == "tool_calls" and self._functions:
                finish = "function_call"
            return self._chunk({}, finish, _usage(self._usage))
        if kind == "message_stop":
            self.closed = True
        return None

    def raw(self) -> dict[str, Any]:
        """The chat completion so far."""
        raw = self._chat.raw()
        for choice in raw["choices"]:
            message = choice["message"]
            if message.get("tool_calls") and not message.get("content"):
                message["content"] = None
            for call in message.get("tool_calls") or ():
                call["function"]["arguments"] = call["function"]["arguments"] or "{}"
        return raw

    def _begin(self, index: int, block: dict[str, Any]) -> Delta | None:
        if block.get("type") == "text" and block.get("text"):
            return self._chunk({"content": block["text"]})
        if block.get("type") != "tool_use":
            return None
        at = self._calls.setdefault(index, len(self._calls))
        function = {"name": block.get("name", ""), "arguments": ""}
        if block.get("input"):
            function["arguments"] = json.dumps(block["input"], ensure_ascii=False)
        if self._functions:
            return self._chunk({"function_call": function}) if at == 0 else None
        return self._chunk(
            {"tool_calls": [{"index": at, "id": block.get("id"), "type": "function", "function": function}]}
        )

    def _piece(self, index: int, delta: dict[str, Any]) -> Delta | None:
        kind = delta.get("type")
        if kind == "text_delta":
            return self._chunk({"content": delta.get("text") or ""})
        if kind == "thinking_delta":
            return self._chunk({"reasoning_content": delta.get("thinking") or ""})
        if kind != "input_json_delta" or index not in self._calls:
            return None
        at, arguments = self._calls[index], delta.get("partial_json") or ""
        if self._functions:
            return self._chunk({"function_call": {"arguments": arguments}}) if at == 0 else None
        return self._chunk({"tool_calls": [{"index": at, "function": {"arguments": arguments}}]})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None, usage: Any = None) -> Delta:
        chunk = {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        if usage is not None:
            chunk["usage"] = usage
        return self._chat.add(chunk)


def _wants_function_call(request: Request) -> bool:
    return bool(request.params.get("functions")) and not request.params.get("tools")


def _usage(told: dict[str, Any]) -> dict[str, Any]:
    def count(key: str) -> int:
        return int(told.get(key) or 0)

    cached = count("cache_read_input_tokens")
    prompt = count("input_tokens") + cached + count("cache_creation_input_tokens")
    answer = count("output_tokens")
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
