"""Assistant definitions: a YAML file becomes an ``AssistantDefinition`` whose function tools can be called."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from penstock import yaml
from penstock.errors import LoadError, PenstockError
from penstock.tools.bound import Bound, Context
from penstock.tools.builtin.assistant import AssistantToolInvoker, ResolvedAssistantTool
from penstock.tools.docstring import read_docstring
from penstock.tools.package import bind_package
from penstock.tools.python import bind_python
from penstock.tools.signature import read_signature
from penstock.tools.types import AssistantDefinition

# Prompt flow tells models that an int is a "number"; a model that was tuned with a flow must see the same words.
_JSON_TYPES = {"int": "number", "double": "number", "bool": "boolean", "string": "string", "list": "array"}
_WITHOUT_CODE = ("code_interpreter", "retrieval")


def load_assistant(path: Any, parameter: str, context: Context, node: str) -> AssistantDefinition:
    """The assistant that the file at ``path`` describes, its function tools ready to be called.

    Args:
        path: A YAML file, relative to the flow's folder.
        parameter: The node's input that names it, for messages.
        context: Where tools, connections and models are found.
        node: The node's name, for messages.

    Raises:
        LoadError: The file is not there or is no assistant, or one of its tools cannot be made ready.
    """
    what = f"Node {node!r}, input {parameter!r}"
    document = yaml.read(_file(path, context.folder, what))
    if not isinstance(document.value, Mapping):
        raise _invalid(
            f"{what}: {document.place()} is no assistant: it must be a map with model, instructions and tools"
        )
    assistant = AssistantDefinition.deserialize(document.value)
    if not isinstance(assistant.tools, list):
        raise _invalid(f"{what}: {document.place('tools')}: tools must be a list")
    tools: dict[str, ResolvedAssistantTool] = {}
    for index, item in enumerate(assistant.tools):
        place = f"{what}: {document.place('tools', index)}"
        try:
            tool = _tool(item, context, node)
        except PenstockError as error:
            raise LoadError(f"{place}: {error.message}", code=error.code) from error
        if tool.name in tools:
            raise _invalid(f"{place}: two tools are called {tool.name!r}")
        tools[tool.name] = tool
    assistant._tool_invoker = AssistantToolInvoker(tools)
    return assistant


def _file(path: Any, folder: Path, what: str) -> Path:
    if not isinstance(path, str):
        raise LoadError(f"{what} must be the path of an assistant's YAML file, not {path!r}.", code="InvalidSource")
    try:
        file = (folder / path).resolve()
        inside, there = file.is_relative_to(folder.resolve()), file.is_file()
    except (OSError, ValueError, RuntimeError):
        inside, there = True, False
    if not inside:
        raise LoadError(f"{what}: {path!r} leads out of the flow's folder {folder}.", code="InvalidSource")
    if not there:
        raise LoadError(f"{what}: there is no file {path!r} in {folder}.", code="InvalidSource")
    return file


def _tool(item: Any, context: Context, node: str) -> ResolvedAssistantTool:
    kind = item.get("type") if isinstance(item, Mapping) else None
    if kind in _WITHOUT_CODE:
        return ResolvedAssistantTool(kind, item, None)
    if kind != "function":
        known = ", ".join((*_WITHOUT_CODE, "function"))
        raise _invalid(f"an assistant's tool is one of {known}, not {kind!r}")
    if item.get("tool_type") != "python":
        raise _invalid(f"tool_type of a function must be 'python', not {item.get('tool_type')!r}")
    given = item.get("predefined_inputs") or {}
    if not isinstance(given, Mapping):
        raise _invalid("predefined_inputs must be a map")
    # All of them are plain values, whatever the node's own inputs of the same names are.
    context = dataclasses.replace(context, origins={})
    bound = _bind(item.get("source"), {str(name): value for name, value in given.items()}, context, node)
    function = functools.partial(bound.call, **bound.constants) if bound.constants else bound.call
    return ResolvedAssistantTool(bound.call.__name__, _definition(bound.call, set(map(str, given))), function)


def _bind(source: Any, given: Mapping[str, Any], context: Context, node: str) -> Bound:
    source = source if isinstance(source, Mapping) else {}
    match source.get("type", "code"):
        case "code":
            if not source.get("path"):
                raise _invalid("the function's source has no path")
            return bind_python(str(source["path"]), given, context, node)
        case "package":
            if not source.get("tool"):
                raise _invalid("the function's source names no package tool")
            return bind_package(str(source["tool"]), given, context, node)
        case other:
            raise _invalid(f"the function's source has the type {other!r}; it is one of code, package")


def _definition(function: Any, given: set[str]) -> dict[str, Any]:
    """What the model is told of ``function``: what it does and what it takes, but for what is given already."""
    docstring = read_docstring(inspect.unwrap(function).__doc__)
    signature = read_signature(function)
    declared = inspect.signature(function).parameters
    properties: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if name in given:
            continue
        properties[name] = {
            "type": _JSON_TYPES.get(parameter.kind, "object"),
            "description": docstring.parameters.get(name, ""),
        }
        values = _enum_values(declared[name])
        if values:
            properties[name]["enum"] = values
    # A default of None counts as none, as in prompt flow.
    required = [name for name in properties if declared[name].default in (inspect.Parameter.empty, None)]
    return {
        "type": "function",
        "function": {
            "name": function.__name__,
            "description": docstring.description,
            "parameters": {"type": "object", "properties": properties, "required": required},
        },
    }


def _enum_values(parameter: inspect.Parameter) -> list[Any]:
    annotation = parameter.annotation
    if annotation is parameter.empty:
        annotation = type(parameter.default)
    if not (isinstance(annotation, type) and issubclass(annotation, Enum)):
        return []
    return [member.value for member in annotation]


def _invalid(sentence: str) -> LoadError:
    return LoadError(f"{sentence}.", code="InvalidAssistantTool")
