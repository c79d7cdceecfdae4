"""What a prompty returns: the text, JSON by keys, the message with its tool calls, or the whole answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from penstock.errors import ToolError
from penstock.models.model import Completion, DeltaStream
from penstock.prompts.prompty import Prompty
from penstock.tools.builtin.requests import chat_result

_CALLS = ("tool_calls", "function_calls", "function_call")


class Answer(Mapping[str, Any]):
    """The whole answer of a model, OpenAI-shaped: a map whose keys are attributes, too.

    Example:
        >>> Answer({"choices": [{"message": {"content": "Hi"}}]}).choices[0].message.content
        'Hi'
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = dict(raw)

    def __getitem__(self, key: str) -> Any:
        return _shown(self._raw[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        # A field that the endpoint left out is None, as in the vendor's own library.
        return _shown(self._raw.get(name))

    def __repr__(self) -> str:
        return f"Answer({self._raw!r})"

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """The answer as plain JSON values."""
        del options  # of the vendor's library; there is nothing to leave out
        plain: dict[str, Any] = json.loads(json.dumps(self._raw, default=str))
        return plain

    def to_dict(self, **options: Any) -> dict[str, Any]:
        """The same as ``model_dump``."""
        return self.model_dump(**options)

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """The answer as JSON text."""
        del options
        return json.dumps(self._raw, indent=indent, default=str)


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Answer(value)
    return [_shown(item) for item in value] if isinstance(value, list) else value


def wants_json(prompty: Prompty) -> bool:
    """Whether the answer is JSON that has to be whole before it can be read."""
    told = prompty.model.parameters.get("response_format")
    if prompty.dialect == "promptflow":
        return isinstance(told, Mapping) and told.get("type") == "json_object"
    return bool(prompty.outputs)


def answer_of(prompty: Prompty, completion: Completion) -> Any:
    """What a call returns for the whole answer ``completion``.

    Raises:
        ToolError: The answer should be JSON and is not, or a declared output is not in it.
    """
    model = prompty.model
    if model.api == "embedding":
        vectors = [item["embedding"] for item in completion.raw.get("data", [])]
        return vectors[0] if len(vectors) == 1 else vectors
    if model.response == "all":
        return Answer(completion.raw)
    if model.api != "completion" and completion.finish_reason in _CALLS:
        return _called(prompty, completion)
    text = completion.text
    if not wants_json(prompty):
        return text
    if prompty.dialect != "promptflow":
        return _json_or_text(text)
    return _by_keys(prompty, text)


def _called(prompty: Prompty, completion: Completion) -> Any:
    message = chat_result(completion, True)
    calls = message.get("tool_calls") if isinstance(message, Mapping) else None
    if prompty.dialect == "promptflow" or not calls:
        return message
    return [
        {"id": call.get("id"), "name": call["function"]["name"], "arguments": call["function"]["arguments"]}
        for call in calls
    ]


def _json_or_text(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        return text


def _by_keys(prompty: Prompty, text: str | None) -> Any:
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError) as error:
        raise ToolError(
            f"{prompty.file}: response_format is json_object, and the answer is no JSON ({error}): {(text or '')[:200]!r}."
            " Does the prompt ask for JSON, and is max_tokens large enough?",
            code="JSONDecodeError",
        ) from error
    if not prompty.outputs:
        return found
    have = list(found) if isinstance(found, Mapping) else []
    for key in prompty.outputs:
        if key not in have:
            raise ToolError(f"Cannot find {key} in response {have}", code="InvalidOutputKeyError")
    return {key: found[key] for key in prompty.outputs}


class FirstChoice:
    """The deltas of a stream that carry text of the choice that speaks first."""

    def __init__(self, stream: DeltaStream) -> None:
        self._stream = stream
        self._index: int | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while True:
            delta = await self._stream.__anext__()
            if not delta.text:
                continue
            index = _index(delta.raw)
            if self._index is None:
                self._index = index
            if index == self._index:
                return delta


def _index(raw: Mapping[str, Any]) -> int:
    choices = raw.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return int(first.get("index") or 0) if isinstance(first, Mapping) else 0
