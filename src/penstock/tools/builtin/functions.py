"""Are these functions, tools and choices of the shape that the chat API takes? Told before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.errors import ToolError

_FUNCTION = '{"name": "…", "parameters": {"type": "object", "properties": {…}}}'
_TOOL = '{"type": "function", "function": ' + _FUNCTION + "}"


def check_functions(functions: Any) -> None:
    """``functions`` must be a list of function descriptions with at least one member.

    Raises:
        ToolError: It is not; code ``ChatAPIInvalidFunctions``.
    """
    _check_list(functions, "functions", "ChatAPIInvalidFunctions", _FUNCTION)
    for index, function in enumerate(functions):
        _check_function(function, f"functions[{index}]", "ChatAPIInvalidFunctions")


def check_tools(tools: Any) -> None:
    """``tools`` must be a list of tool descriptions with at least one member.

    Raises:
        ToolError: It is not; code ``ChatAPIInvalidTools``.
    """
    code = "ChatAPIInvalidTools"
    _check_list(tools, "tools", code, _TOOL)
    for index, tool in enumerate(tools):
        _need(tool, f"tools[{index}]", ("type", "function"), code)
        _check_function(tool["function"], f"tools[{index}].function", code)


def checked_function_call(choice: Any) -> Any:
    """``function_call`` as it is sent: ``auto`` where nothing was said.

    Raises:
        ToolError: Neither ``auto``, ``none`` nor ``{"name": …}``; code ``ChatAPIInvalidFunctions``.
    """
    if choice is None or choice in ("auto", "none"):
        return choice or "auto"
    _need(choice, "function_call", ("name",), "ChatAPIInvalidFunctions")
    return choice


def checked_tool_choice(choice: Any) -> Any:
    """``tool_choice`` as it is sent: ``auto`` where nothing was said.

    Raises:
        ToolError: Neither ``auto``, ``none``, ``required`` nor ``{"type": …, "function": {"name": …}}``; code
            ``ChatAPIInvalidTools``.
    """
    if choice is None or choice in ("auto", "none", "required"):
        return choice or "auto"
    _need(choice, "tool_choice", ("type", "function"), "ChatAPIInvalidTools")
    _need(choice["function"], "tool_choice.function", ("name",), "ChatAPIInvalidTools")
    return choice


def _check_list(value: Any, where: str, code: str, example: str) -> None:
    if not isinstance(value, list) or not value:
        raise ToolError(f"{where} must be a list with at least one member, like [{example}], not {value!r}.", code=code)


def _check_function(function: Any, where: str, code: str) -> None:
    _need(function, where, ("name", "parameters"), code)
    parameters = function["parameters"]
    _need(parameters, f"{where}.parameters", ("type", "properties"), code)
    if parameters["type"] != "object":
        raise ToolError(f"{where}.parameters.type must be 'object', not {parameters['type']!r}.", code=code)
    _need(parameters["properties"], f"{where}.parameters.properties", (), code)


def _need(value: Any, where: str, keys: tuple[str, ...], code: str) -> None:
    if not isinstance(value, Mapping):
        raise ToolError(f"{where} must be an object, not {value!r}.", code=code)
    missing = [key for key in keys if key not in value]
    if missing:
        raise ToolError(f"{where} has no {' and no '.join(map(repr, missing))}: {dict(value)!r}.", code=code)
