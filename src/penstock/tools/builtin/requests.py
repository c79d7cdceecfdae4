"""Node inputs in, model requests out: which parameter is sent when, as prompt flow sends it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from penstock.connections.kinds import (
    AnthropicConnection,
    AzureOpenAIConnection,
    Connection,
    OpenAICompatibleConnection,
    OpenAIConnection,
    ServerlessConnection,
)
from penstock.errors import ToolError
from penstock.models.model import Completion, Request
from penstock.tools.builtin.functions import check_functions, check_tools, checked_function_call, checked_tool_choice
from penstock.tools.builtin.parameters import EXTRA, Api

_FUNCTION = ("arguments", "name")
_CALL = ("id", "function", "type")
_MESSAGE = dict.fromkeys(
    ("content", "refusal", "role", "annotations", "audio", "function_call", "tool_calls")
)  # what client libraries fill in, so that flow code may look without asking whether it is there


def chat_request(
    connection: Connection,
    messages: Sequence[Mapping[str, Any]],
    values: Mapping[str, Any],
    *,
    variables: Collection[str] = (),
) -> Request:
    """A chat request.

    Args:
        connection: Whom it goes to; decides between deployment and model, and what is checked.
        messages: OpenAI-shaped messages.
        values: The node's inputs by name; what is no parameter is ignored here.
        variables: The template's variables: they are never taken for one of the parameters beyond prompt flow's.

    Raises:
        ToolError: No model or deployment, functions or tools of a wrong shape, a number that is none.
    """
    params = {"messages": list(messages), **chat_params(connection, values, variables=variables)}
    return Request("chat", model_name(connection, values), params)


def completion_request(
    connection: Connection, prompt: str, values: Mapping[str, Any], *, variables: Collection[str] = ()
) -> Request:
    """A request of the older completion API; arguments and errors as with ``chat_request``."""
    params = {"prompt": prompt, **completion_params(values, variables=variables)}
    if isinstance(connection, OpenAIConnection):
        # OpenAI's own endpoint is sent a null for what is not set, as prompt flow sends it.
        params = {"presence_penalty": None, "frequency_penalty": None, **params}
    model = model_name(connection, values, default="text-davinci-003")
    return Request("completion", model, params)


def embedding_request(connection: Connection, text: str | list[str], values: Mapping[str, Any]) -> Request:
    """An embedding request for one text, or for several.

    Raises:
        ToolError: An Azure OpenAI connection without a deployment.
    """
    serverless = isinstance(connection, ServerlessConnection)
    params: dict[str, Any] = {"input": [text] if serverless and isinstance(text, str) else text}
    if serverless:
        params["encoding_format"] = "float"
    elif isinstance(connection, (AzureOpenAIConnection, OpenAIConnection)):
        # As the vendor's client asks: a quarter of the bytes. Other endpoints may not know it.
        params["encoding_format"] = "base64"
    return Request("embedding", model_name(connection, values, default="text-embedding-ada-002"), params)


def chat_params(
    connection: Connection, values: Mapping[str, Any], *, variables: Collection[str] = ()
) -> dict[str, Any]:
    """The parameters of a chat request without its messages and its model; see ``chat_request``."""
    params: dict[str, Any] = {"temperature": values.get("temperature", 1.0), "top_p": values.get("top_p", 1.0)}
    if isinstance(connection, AzureOpenAIConnection):
        params["n"] = values.get("n", 1)
    for name in ("stop", "logit_bias", "response_format", "user"):
        if values.get(name):
            params[name] = values[name]
    for name in ("seed", "presence_penalty", "frequency_penalty"):
        params[name] = values.get(name)
    params |= _extra("chat", values, variables)
    if "max_completion_tokens" not in params:  # an endpoint refuses both at once, and this is the newer word for it
        params |= _max_tokens(values.get("max_tokens"))
    return {**_without_none(params), **_functions(connection, values)}


def completion_params(values: Mapping[str, Any], *, variables: Collection[str] = ()) -> dict[str, Any]:
    """The parameters of a completion request without its prompt and its model; see ``completion_request``."""
    params: dict[str, Any] = {
        **_max_tokens(values.get("max_tokens", 16)),
        "temperature": _number(float, "temperature", values.get("temperature", 1.0)),
        "top_p": _number(float, "top_p", values.get("top_p", 1.0)),
        "n": _number(int, "n", values.get("n", 1)),
        "echo": as_bool(values.get("echo", False)),
        "best_of": _number(int, "best_of", values.get("best_of", 1)),
        "logprobs": _number(int, "logprobs", values.get("logprobs") or None),
        "presence_penalty": _number(float, "presence_penalty", values.get("presence_penalty")),
        "frequency_penalty": _number(float, "frequency_penalty", values.get("frequency_penalty")),
    }
    for name in ("suffix", "stop", "logit_bias", "user"):
        if values.get(name):
            params[name] = values[name]
    return _without_none({**params, **_extra("completion", values, variables)})


def vision_request(connection: Connection, messages: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> Request:
    """A chat request of the vision tools: like ``chat_request``, but these tools have fewer parameters."""
    known = ("temperature", "top_p", "stop", "max_tokens", "presence_penalty", "frequency_penalty", "seed")
    given = {name: values[name] for name in known if name in values}
    params = chat_params(connection, {"presence_penalty": 0, "frequency_penalty": 0, **given})
    return Request("chat", model_name(connection, values), {"messages": list(messages), **params, "n": 1})


def model_name(connection: Connection, values: Mapping[str, Any], *, default: str = "") -> str:
    """The deployment (Azure OpenAI) or the model (all others) that the inputs name; ``default`` where they name none.

    Raises:
        ToolError: An Azure OpenAI connection without a deployment.
    """
    azure = isinstance(connection, AzureOpenAIConnection)
    name = "deployment_name" if azure else "model"
    value = values.get(name)
    if value:
        return str(getattr(value, "value", value))
    if azure:
        raise ToolError(
            f"No {name!r} is set, and {type(connection).__name__} {connection.name!r} needs one:"
            " add it to the node's inputs.",
            code="MissingRequiredInputs",
        )
    return default


def has_functions(values: Mapping[str, Any]) -> bool:
    """Whether the request offers functions or tools, so that the result is the whole message."""
    return bool(values.get("functions") or values.get("tools"))


def wants_stream(values: Mapping[str, Any]) -> bool:
    """Whether the inputs ask for a stream.

    Raises:
        ToolError: Together with ``functions``, which the predecessor's tools refuse; code
            ``FunctionCallNotSupportedInStreamMode``.
    """
    stream = as_bool(values.get("stream", False))
    if stream and values.get("functions") is not None:
        raise ToolError(
            "'functions' and 'stream' do not go together: leave one of them out, or use 'tools'.",
            code="FunctionCallNotSupportedInStreamMode",
        )
    return stream


def chat_result(completion: Completion, has_tools: bool) -> Any:
    """What a chat node's output is: the text (or None), or the whole message where functions or tools were offered."""
    if not has_tools:
        return completion.text
    message = completion.message or {"role": "assistant", "content": completion.text}
    calls = message.get("tool_calls")
    return {
        **_MESSAGE,
        **message,
        "function_call": _sorted(message.get("function_call"), _FUNCTION),
        "tool_calls": [_call(call) for call in calls] if isinstance(calls, list) else calls,
    }


def _call(call: Any) -> Any:
    call = _sorted(call, _CALL)
    if isinstance(call, dict) and "function" in call:
        return {**call, "function": _sorted(call["function"], _FUNCTION)}
    return call


def _sorted(value: Any, keys: tuple[str, ...]) -> Any:
    """``value`` with ``keys`` first: flow code and templates show such a map as text."""
    if not isinstance(value, dict):
        return value
    return {**{key: value[key] for key in keys if key in value}, **value}


def as_bool(value: Any) -> bool:
    """``True`` and any spelling of ``"true"``."""
    return str(value).lower() == "true"


def _functions(connection: Connection, values: Mapping[str, Any]) -> dict[str, Any]:
    tools, functions, choice = values.get("tools"), values.get("functions"), values.get("tool_choice")
    if tools:
        if isinstance(connection, AzureOpenAIConnection):
            check_tools(tools)
            choice = checked_tool_choice(choice)
        if choice is None and isinstance(connection, (OpenAICompatibleConnection, AnthropicConnection)):
            return {"tools": tools}
        # OpenAI's own endpoint is sent a null, as the predecessor sends it; others have been seen to refuse one.
        return {"tools": tools, "tool_choice": choice}
    if functions:
        check_functions(functions)
        return {"functions": functions, "function_call": checked_function_call(values.get("function_call"))}
    return {}


def _max_tokens(value: Any) -> dict[str, Any]:
    if value is None or str(value).lower() == "inf":
        return {}
    return {"max_tokens": _number(int, "max_tokens", value)}


def _number(kind: type[int | float], name: str, value: Any) -> Any:
    if value is None:
        return None
    try:
        return kind(value)
    except (TypeError, ValueError) as error:
        word = "a whole number" if kind is int else "a number"
        raise ToolError(f"{name} must be {word}, not {value!r}.", code="ToolValidationError") from error


def _extra(api: Api, values: Mapping[str, Any], variables: Collection[str]) -> dict[str, Any]:
    return {name: values[name] for name in EXTRA[api] if name in values and name not in variables}


def _without_none(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
