"""Types with which a tool's parameters tell the loader, or an editor, what they are."""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from penstock.errors import UsageError

_PLAIN = {int: "int", float: "double", bool: "bool", str: "string", list: "list", dict: "object"}
_NAMED = {
    "Secret": "secret",
    "PromptTemplate": "prompt_template",
    "FilePath": "file_path",
    "Image": "image",
    "AssistantDefinition": "assistant_definition",
}
_WORKSPACE = ("subscription_id", "resource_group_name", "workspace_name")


class PromptTemplate(str):
    """A parameter that receives the text of the node's template file, unrendered."""

    __slots__ = ()


class FilePath(str):
    """A parameter that receives the path of a file; relative paths are meant from the flow's folder."""

    __slots__ = ()


@dataclass
class AssistantDefinition:
    """An assistant: its model, its instructions, its tools as the YAML file has them."""

    model: str
    instructions: str
    tools: list[Any]

    def __post_init__(self) -> None:
        # Flow code reads the invoker by this private name; the loader puts it there.
        self._tool_invoker: Any = None

    @staticmethod
    def deserialize(data: Mapping[str, Any]) -> AssistantDefinition:
        """From the YAML file's content; what is not there is empty."""
        return AssistantDefinition(data.get("model", ""), data.get("instructions", ""), data.get("tools") or [])

    def serialize(self) -> dict[str, Any]:
        """As the YAML file has it."""
        return {"model": self.model, "instructions": self.instructions, "tools": self.tools}


class DynamicList:
    """Choices of an input, listed by a function when somebody edits the flow; nothing of it is used in a run.

    Args:
        function: A function, or its dotted path.
        input_mapping: Parameters of that function bound to inputs of the tool: parameter to input name.

    Raises:
        UsageError: The dotted path leads nowhere.
    """

    def __init__(self, function: Callable[..., Any] | str, input_mapping: Mapping[str, str] | None = None) -> None:
        self.input_mapping = dict(input_mapping or {})
        target, self.func_path = _function(function)
        self.func_kwargs = _parameters(target, self.input_mapping)


class GeneratedBy:
    """An input whose value a function makes out of other inputs when somebody edits the flow; a run uses nothing of it.

    Args:
        function: Makes the value; a function or its dotted path.
        reverse_function: Takes it apart again.
        input_settings: Settings of that function's own inputs.

    Raises:
        UsageError: A dotted path leads nowhere.
    """

    def __init__(
        self,
        function: Callable[..., Any] | str,
        reverse_function: Callable[..., Any] | str,
        input_settings: Mapping[str, InputSetting] | None = None,
    ) -> None:
        target, self.func_path = _function(function)
        _, self.reverse_func_path = _function(reverse_function)
        self.func_kwargs = _parameters(target, {name: name for name in inspect.signature(target).parameters})
        self.input_settings = dict(input_settings or {})


class InputSetting:
    """How an editor shows an input; ``extra`` keeps every keyword it does not know."""

    def __init__(
        self,
        *,
        is_multi_select: bool | None = None,
        allow_manual_entry: bool | None = None,
        enabled_by: str | None = None,
        enabled_by_value: list[Any] | None = None,
        dynamic_list: DynamicList | None = None,
        generated_by: GeneratedBy | None = None,
        **extra: Any,
    ) -> None:
        self.is_multi_select = is_multi_select
        self.allow_manual_entry = allow_manual_entry
        self.enabled_by = enabled_by
        self.enabled_by_value = enabled_by_value
        self.dynamic_list = dynamic_list
        self.generated_by = generated_by
        self.extra = extra


def _function(function: Callable[..., Any] | str) -> tuple[Callable[..., Any], str]:
    if not isinstance(function, str):
        return function, f"{function.__module__}.{function.__qualname__}"
    module, _, name = function.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"There is no function at {function!r}: {error}.") from error
    if not callable(found):
        raise UsageError(f"{function!r} is no function but a {type(found).__name__}.")
    return found, function


def _parameters(function: Callable[..., Any], references: Mapping[str, str]) -> list[dict[str, Any]]:
    described = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name in _WORKSPACE or parameter.kind in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}:
            continue
        optional = parameter.default is not parameter.empty
        one: dict[str, Any] = {"name": name, "type": declared_types(parameter), "optional": optional}
        if name in references:
            one["reference"] = f"${{inputs.{references[name]}}}"
        if optional:
            one["default"] = parameter.default
        described.append(one)
    return described


def declared_types(parameter: inspect.Parameter) -> list[str]:
    """The value types that a parameter's annotation, or else its default, declares: ``["string"]``.

    Connections come as class names; whatever is none of prompt flow's value types is ``object``.
    """
    annotation = parameter.annotation
    if annotation is parameter.empty and parameter.default is not None and parameter.default is not parameter.empty:
        annotation = type(parameter.default)
    members = [annotation]
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        members = [one for one in typing.get_args(annotation) if one is not type(None)]
    names = [_type_name(one) for one in members]
    return names if len(names) == 1 or all(name.endswith("Connection") for name in names) else ["object"]


def _type_name(annotation: Any) -> str:
    if not isinstance(annotation, type):
        return "object"
    if issubclass(annotation, Enum):
        return "string"
    if annotation.__name__.endswith("Connection"):
        return annotation.__name__
    return _NAMED.get(annotation.__name__) or _PLAIN.get(annotation, "object")
