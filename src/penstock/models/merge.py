"""From the pieces of a stream to the whole answer, as it would have come in one piece."""

from __future__ import annotations

from typing import Any, Protocol

from penstock.models.model import Api, Delta
from penstock.models.trouble import Trouble, told_in_body


class Merger(Protocol):
    """Takes the JSON values of a stream's events one by one."""

    @property
    def ended(self) -> bool:
        """Whether the answer is whole."""

    @property
    def closed(self) -> bool:
        """Whether nothing more can follow."""

    def add(self, event: dict[str, Any]) -> Delta | None:
        """Merge one event; its Delta, or None where it carries nothing. Raises Trouble on an error event."""

    def raw(self) -> dict[str, Any]:
        """The answer as merged so far, in the shape of a whole one."""


def merger(api: Api) -> Merger:
    """The one for OpenAI's streams of ``api``."""
    return ResponsesMerger() if api == "responses" else ChoicesMerger(chat=api == "chat")


class ChoicesMerger:
    """Chat and completion chunks: choices by index, strings joined, tool calls by their index."""

    closed = False  # after the last choice comes the usage, then [DONE]

    def __init__(self, *, chat: bool) -> None:
        self._chat = chat
        self._head: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._usage: Any = None

    @property
    def ended(self) -> bool:
        """Whether every choice that began has told why it ended."""
        return bool(self._choices) and all(c.get("finish_reason") for c in self._choices.values())

    def add(self, event: dict[str, Any]) -> Delta:
        """Merge one chunk; its Delta holds the text of the first choice in it."""
        trouble = told_in_body(event)
        if trouble is not None:
            raise trouble
        for key, value in event.items():
            if key not in {"choices", "usage"} and value is not None:
                self._head[key] = value
        if event.get("usage"):
            self._usage = event["usage"]
        text = ""
        for choice in event.get("choices") or ():
            piece = self._add_choice(choice)
            text = text or piece
        return Delta(text, event)

    def raw(self) -> dict[str, Any]:
        """A chat completion or a text completion."""
        kind = "chat.completion" if self._chat else "text_completion"
        choices = [_settled(self._choices[index]) for index in sorted(self._choices)]
        raw: dict[str, Any] = {**self._head, "object": kind, "choices": choices}
        if self._usage is not None:
            raw["usage"] = self._usage
        return raw

    def _add_choice(self, piece: dict[str, Any]) -> str:
        index = piece.get("index") or 0
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = {"index": index, "finish_reason": None}
            choice |= {"message": {"role": "assistant", "content": None}} if self._chat else {"text": ""}
        if piece.get("finish_reason"):
            choice["finish_reason"] = piece["finish_reason"]
        if piece.get("logprobs"):
            _merge_logprobs(choice, piece["logprobs"])
        for key, value in piece.items():
            if key not in {"index", "delta", "text", "finish_reason", "logprobs"} and value is not None:
                choice[key] = value
        if not self._chat:
            text = piece.get("text") or ""
            choice["text"] += text
            return text
        delta = piece.get("delta") or {}
        _merge_message(choice["message"], delta)
        return delta.get("content") or ""


class ResponsesMerger:
    """Events of the responses API; its last one carries the whole answer."""

    def __init__(self) -> None:
        self._response: dict[str, Any] = {}
        self._text: list[str] = []
        self.ended = False

    @property
    def closed(self) -> bool:
        """The event that ends the answer is the last one."""
        return self.ended

    def add(self, event: dict[str, Any]) -> Delta:
        """Merge one event; only text deltas have text."""
        kind = event.get("type")
        if kind in {"response.failed", "error"}:
            response = event.get("response") or {}
            told = response.get("error") or event.get("error") or event
            raise told_in_body({"error": told}) or Trouble("APIError", "the endpoint reports a failed response")
        if kind is None and event.get("error"):
            raise told_in_body(event) or Trouble("APIError", "the endpoint reports an error")
        if kind == "response.output_text.delta":
            self._text.append(event.get("delta") or "")
            return Delta(self._text[-1], event)
        if isinstance(event.get("response"), dict):
            self._response = event["response"]
            self.ended = kind in {"response.completed", "response.incomplete"}
        return Delta("", event)

    def raw(self) -> dict[str, Any]:
        """The response of the last event, or what the deltas amount to where that event never came."""
        if self.ended:
            return self._response
        part = {"type": "output_text", "text": "".join(self._text), "annotations": []}
        item = {"type": "message", "role": "assistant", "status": "incomplete", "content": [part]}
        return {"object": "response", **self._response, "status": "incomplete", "output": [item]}


def _settled(choice: dict[str, Any]) -> dict[str, Any]:
    calls = choice.get("message", {}).get("tool_calls")
    if not calls:
        return choice
    calls = [{k: v for k, v in call.items() if k != "index"} for call in sorted(calls, key=lambda call: call["index"])]
    return {**choice, "message": {**choice["message"], "tool_calls": calls}}


def _merge_message(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if value is None:
            continue
        if key == "tool_calls":
            calls = message.setdefault("tool_calls", [])
            for piece in value:
                _merge_call(calls, piece)
        elif key == "function_call":
            _merge_function(message.setdefault("function_call", {"name": "", "arguments": ""}), value)
        elif key == "role":
            message["role"] = value or message["role"]
        elif isinstance(value, str):
            # content, refusal, and the reasoning texts that compatible servers add.
            message[key] = (message.get(key) or "") + value
        else:
            message[key] = value


def _merge_call(calls: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    index = piece.get("index")
    if index is None:
        # Some servers number nothing: a new id begins a new call, no id goes on with the last one.
        known = [call["index"] for call in calls if piece.get("id") and call["id"] == piece["id"]]
        index = known[0] if known else len(calls) if piece.get("id") or not calls else calls[-1]["index"]
    call = next((call for call in calls if call["index"] == index), None)
    if call is None:
        call = {"index": index, "id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        calls.append(call)
    call["id"] = piece.get("id") or call["id"]
    call["type"] = piece.get("type") or call["type"]
    _merge_function(call["function"], piece.get("function") or {})


def _merge_function(function: dict[str, Any], piece: dict[str, Any]) -> None:
    # A name comes whole, some servers repeat it; arguments come in pieces.
    function["name"] = piece.get("name") or function["name"]
    function["arguments"] += piece.get("arguments") or ""


def _merge_logprobs(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    logprobs = choice.setdefault("logprobs", {})
    for key, value in piece.items():
        if isinstance(value, list):
            logprobs[key] = [*(logprobs.get(key) or []), *value]
        else:
            logprobs.setdefault(key, value)
