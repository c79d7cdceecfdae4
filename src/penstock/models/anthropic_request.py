"""From an OpenAI-shaped chat request to the body of Anthropic's messages API."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from penstock.errors import ModelError
from penstock.models.model import Request

# The messages API demands a bound on the answer's length; OpenAI's does not.
MAX_TOKENS = 4096
_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+);base64,(?P<data>.+)", re.DOTALL)
# Parameters whose default means the same as leaving them out; with another value there is no word for them.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "n": (None, 1),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "logit_bias": (None, {}),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "seed": (None,),
    "stream_options": (None, {}, {"include_usage": True}, {"include_usage": False}),
}
_TRANSLATED = frozenset({
    "messages", "max_tokens", "max_completion_tokens", "stop", "tools", "functions", "tool_choice", "function_call",
    "parallel_tool_calls", "response_format", "user", "reasoning_effort", "temperature", "top_p", "stream",
})  # fmt: skip


def body_of(request: Request) -> dict[str, Any]:
    """The body for a chat request.

    Raises:
        ModelError: A parameter or message part that the messages API has no word for.
    """
    params = request.params
    system, messages = _messages(params.get("messages") or [])
    most = params.get("max_tokens") or params.get("max_completion_tokens") or MAX_TOKENS
    body: dict[str, Any] = {"model": request.model, "max_tokens": most, "messages": messages}
    if system:
        body["system"] = system
    for key, value in params.items():
        if key in _DEFAULTS:
            if value not in _DEFAULTS[key]:
                raise ModelError(f"Anthropic's messages API has no parameter for {key!r} ({value!r}); take it out.")
        elif key not in _TRANSLATED:
            body[key] = value  # the vendor's own: thinking, top_k, metadata, …
    _sampling(params, body)
    _tools(params, body)
    _output(params, body)
    return body


def _sampling(params: Mapping[str, Any], body: dict[str, Any]) -> None:
    if params.get("stream"):
        body["stream"] = True
    if params.get("temperature") is not None:
        body["temperature"] = params["temperature"]
    # 1 is the default of both APIs, and newer models refuse a request that sets both this and the temperature.
    if params.get("top_p") not in {None, 1}:
        body["top_p"] = params["top_p"]
    stop = params.get("stop")
    if stop:
        body["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    if params.get("user"):
        body["metadata"] = {"user_id": params["user"], **(body.get("metadata") or {})}


def _output(params: Mapping[str, Any], body: dict[str, Any]) -> None:
    config = dict(body.get("output_config") or {})
    form = params.get("response_format") or {"type": "text"}
    kind = form.get("type")
    if kind == "json_schema":
        config["format"] = {"type": "json_schema", "schema": form["json_schema"].get("schema", {})}
    elif kind != "text":
        raise ModelError(
            f"Anthropic's messages API has no response format {kind!r}; ask for JSON in the prompt, "
            "or give a schema with `response_format: {type: json_schema, …}`."
        )
    if params.get("reasoning_effort"):
        config["effort"] = params["reasoning_effort"]
    if config:
        body["output_config"] = config


def _tools(params: Mapping[str, Any], body: dict[str, Any]) -> None:
    tools = params.get("tools") or [{"function": function} for function in params.get("functions") or ()]
    if not tools:
        return
    body["tools"] = [_tool(tool) for tool in tools]
    choice = _choice(params.get("tool_choice") if params.get("tools") else params.get("function_call"))
    if params.get("parallel_tool_calls") is False:
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    if choice:
        body["tool_choice"] = choice


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    if not isinstance(function, Mapping):
        return dict(tool)  # one of the vendor's own tools
    made: dict[str, Any] = {"name": function["name"]}
    if function.get("description"):
        made["description"] = function["description"]
    made["input_schema"] = function.get("parameters") or {"type": "object", "properties": {}}
    if function.get("strict") is not None:
        made["strict"] = function["strict"]
    return made


def _choice(choice: Any) -> dict[str, Any] | None:
    if isinstance(choice, Mapping):
        name = (choice.get("function") or choice).get("name")
        return {"type": "tool", "name": name} if name else dict(choice)
    known = {"auto": {"type": "auto"}, "none": {"type": "none"}, "required": {"type": "any"}}
    return known.get(choice) if choice else None


def _messages(messages: list[dict[str, Any]]) -> tuple[str | list[dict[str, Any]], list[dict[str, Any]]]:
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    for message in messages:
        role = message.get("role")
        if role in {"system", "developer"}:
            system += _blocks(message.get("content"))
            continue
        speaker = "assistant" if role == "assistant" else "user"
        blocks = _turn(role, message)
        if turns and turns[-1]["role"] == speaker:
            # One turn a side: the results of parallel tool calls must come back together.
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": speaker, "content": blocks})
    return _plain(system, "\n"), [{**turn, "content": _plain(turn["content"])} for turn in turns if turn["content"]]


def _turn(role: Any, message: dict[str, Any]) -> list[dict[str, Any]]:
    if role in {"tool", "function"}:
        call = message.get("tool_call_id") or f"call_{message.get('name', '')}"
        result = _plain(_blocks(message.get("content")))
        return [{"type": "tool_result", "tool_use_id": call, "content": result or ""}]
    blocks = _blocks(message.get("content"))
    calls = list(message.get("tool_calls") or ())
    if message.get("function_call"):
        calls.append({"id": f"call_{message['function_call'].get('name', '')}", "function": message["function_call"]})
    for call in calls:
        function = call["function"]
        try:
            arguments = json.loads(function.get("arguments") or "{}")
        except ValueError as error:
            raise ModelError(
                f"The arguments of the call to {function.get('name')!r} in the chat history are no JSON: {error}."
            ) from error
        blocks.append({"type": "tool_use", "id": call.get("id"), "name": function.get("name"), "input": arguments})
    return blocks


def _blocks(content: Any) -> list[dict[str, Any]]:
    if content is None or content == "":
        return []
    if not isinstance(content, list):
        return [{"type": "text", "text": str(content)}]
    return [_block(part) for part in content if part != "" and part != {"type": "text", "text": ""}]


def _block(part: Any) -> dict[str, Any]:
    if not isinstance(part, Mapping):
        return {"type": "text", "text": str(part)}
    kind = part.get("type")
    if kind != "image_url":
        if kind in {"input_audio", "file"}:
            raise ModelError(
                f"Anthropic's messages API takes no {kind!r} part in OpenAI's form; send text or an image."
            )
        return dict(part)  # text, or one of the vendor's own blocks
    given = part.get("image_url")
    url = given.get("url", "") if isinstance(given, Mapping) else str(given)
    inline = _DATA_URL.fullmatch(url)
    if inline is None:
        return {"type": "image", "source": {"type": "url", "url": url}}
    return {"type": "image", "source": {"type": "base64", "media_type": inline["type"], "data": inline["data"]}}


def _plain(blocks: list[dict[str, Any]], joint: str = "\n") -> str | list[dict[str, Any]]:
    """Blocks as one text where they are nothing but text: what every compatible server takes."""
    if all(block.keys() == {"type", "text"} and block["type"] == "text" for block in blocks):
        return joint.join(block["text"] for block in blocks)
    return blocks
