"""Which node inputs are parameters of a model's API, and of what type; every other input is a template variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Api = Literal["chat", "completion"]

CHAT: Mapping[str, str] = {
    "temperature": "double",
    "top_p": "double",
    "stream": "bool",
    "stop": "list",
    "max_tokens": "int",
    "presence_penalty": "double",
    "frequency_penalty": "double",
    "logit_bias": "object",
    "user": "string",
    "function_call": "object",
    "functions": "list",
    "tool_choice": "object",
    "tools": "list",
    "response_format": "object",
    "seed": "int",
}
COMPLETION: Mapping[str, str] = {
    "suffix": "string",
    "max_tokens": "int",
    "temperature": "double",
    "top_p": "double",
    "n": "int",
    "stream": "bool",
    "logprobs": "int",
    "echo": "bool",
    "stop": "list",
    "presence_penalty": "double",
    "frequency_penalty": "double",
    "best_of": "int",
    "logit_bias": "object",
    "user": "string",
}
EXTRA: Mapping[Api, Mapping[str, str]] = {
    "chat": {
        "max_completion_tokens": "int",
        "reasoning_effort": "string",
        "verbosity": "string",
        "parallel_tool_calls": "bool",
        "service_tier": "string",
        "prompt_cache_key": "string",
        "safety_identifier": "string",
        "top_k": "int",
        "min_p": "double",
        "repetition_penalty": "double",
    },
    "completion": {"seed": "int", "top_k": "int", "min_p": "double", "repetition_penalty": "double"},
}
"""Parameters beyond prompt flow's, sent as they are where a node sets them and its template has no variable of that
name (a flow that already used such a name keeps its meaning)."""


def parameters(api: Api, *, azure: bool) -> dict[str, str]:
    """Prompt flow's own parameters of an API: name to value type. A template may not use these names as variables.

    Args:
        api: ``chat`` or ``completion``.
        azure: Whether the node's connection is an Azure OpenAI one; these name a deployment where others name a model.
    """
    own = {"deployment_name": "string", "n": "int"} if azure else {"model": "string"}
    return {**own, **(CHAT if api == "chat" else COMPLETION)}
