"""flow.penstock.yaml: which modules make up the flow, their configuration, and what its inputs and outputs are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.errors import LoadError
from penstock.frontends.findings import Findings
from penstock.graph.check import nearest
from penstock.graph.flow import FlowInput, FlowOutput
from penstock.graph.types import TYPES
from penstock.schemas import functions as keys
from penstock.yaml import Document

_CODE = "InvalidFlow"


@dataclass(frozen=True, slots=True)
class FunctionsFile:
    """What the file says; an input's empty type is that of the parameters that take it."""

    name: str
    modules: tuple[str, ...]
    description: str = ""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    inputs: Mapping[str, FlowInput] = field(default_factory=dict[str, FlowInput])
    outputs: Mapping[str, FlowOutput] = field(default_factory=dict[str, FlowOutput])
    environment_variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    prompts: Mapping[str, str] = field(default_factory=dict[str, str])
    sample: Mapping[str, Any] = field(default_factory=dict[str, Any])
    message_format: Any = "basic"
    adapters: tuple[str, ...] = ()


def is_functions_file(document: Document) -> bool:
    """Whether it names modules of functions: told by its content, or by its name."""
    value = document.value
    if not isinstance(value, Mapping) or "nodes" in value or "entry" in value:
        return False
    return "modules" in value or Path(document.file).name.startswith("flow.penstock.")


def read_functions_file(document: Document) -> FunctionsFile:
    """The file's content.

    Raises:
        LoadError: All that is wrong with it, each with its line.
    """
    read = Findings(document)
    if not isinstance(document.value, Mapping):
        raise LoadError(f"{document.place()}: a flow file must be a map.", code=_CODE)
    data: Mapping[Any, Any] = document.value
    read.unknown(data, keys.FLOW, "The flow")
    style = data.get("message_format", "basic")
    if style not in ("basic", "openai-vision"):
        read.error(_CODE, f"message_format is basic or openai-vision, not {style!r}.", "message_format")
    found = FunctionsFile(
        name=str(data.get("name") or Path(document.file).absolute().parent.name),
        modules=_modules(read, data.get("modules")),
        description=str(data.get("description") or ""),
        config=_named(read, data, "config"),
        inputs=_inputs(read, data.get("inputs")),
        outputs=_outputs(read, data.get("outputs")),
        environment_variables=_named(read, data, "environment_variables"),
        prompts=_prompts(read, _named(read, data, "prompts")),
        sample=_named(read, data, "sample"),
        message_format=style,
        adapters=_adapters(read, data.get("adapters")),
    )
    read.refuse()
    return found


def _named(read: Findings, data: Mapping[Any, Any], key: str) -> dict[str, Any]:
    return {str(name): value for name, value in read.mapping(data.get(key), key, key).items()}


def _modules(read: Findings, value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        read.error(
            _CODE, "modules must name at least one file or module of functions.", "modules", hint="modules: [flow.py]"
        )
        return ()
    _inside(read, names, "modules")
    if len(set(names)) < len(names):
        read.error(_CODE, "A module stands twice.", "modules")
    return tuple(names)


def _adapters(read: Findings, value: Any) -> tuple[str, ...]:
    names = [] if value is None else value
    if not isinstance(names, list) or not all(isinstance(name, str) and all(name.rpartition(":")) for name in names):
        read.error(
            _CODE,
            "adapters must be a list of FILE.py:NAME or module:NAME.",
            "adapters",
            hint="adapters: [hooks.py:Timer]",
        )
        return ()
    _inside(read, [name.rpartition(":")[0] for name in names], "adapters")
    return tuple(names)


def _inside(read: Findings, names: list[str], key: str) -> None:
    for index, name in enumerate(names):
        path = Path(name)
        if path.is_absolute() or ".." in path.parts:
            read.error(_CODE, f"The module {name!r} is outside of the flow's folder.", key, index)


def _inputs(read: Findings, value: Any) -> dict[str, FlowInput]:
    found: dict[str, FlowInput] = {}
    for name, raw in read.mapping(value, "inputs", "inputs").items():
        what = f"Input {name!r}"
        # The type alone may stand in place of a map.
        spec = {"type": raw} if isinstance(raw, str) else read.mapping(raw, what, "inputs", name)
        read.unknown(spec, keys.INPUT, what, "inputs", name)
        found[str(name)] = FlowInput(
            name=str(name),
            type=_type(read, spec.get("type"), what, "inputs", str(name)),
            default=spec.get("default"),
            description=str(spec.get("description") or ""),
            is_chat_input=bool(spec.get("is_chat_input")),
            is_chat_history=bool(spec["is_chat_history"]) if "is_chat_history" in spec else None,
            line=read.document.line("inputs", name),
        )
    return found


def _outputs(read: Findings, value: Any) -> dict[str, FlowOutput]:
    if isinstance(value, list):
        names = {str(name): index for index, name in enumerate(value)}
        return {
            name: FlowOutput(name, name, "", line=read.document.line("outputs", index)) for name, index in names.items()
        }
    found: dict[str, FlowOutput] = {}
    for name, raw in read.mapping(value, "outputs", "outputs").items():
        what = f"Output {name!r}"
        # The function alone may stand in place of a map.
        spec = {"function": raw} if isinstance(raw, str) else read.mapping(raw, what, "outputs", name)
        read.unknown(spec, keys.OUTPUT, what, "outputs", name)
        found[str(name)] = FlowOutput(
            name=str(name),
            value=str(spec.get("function") or name),
            type=_type(read, spec.get("type"), what, "outputs", str(name)),
            description=str(spec.get("description") or ""),
            is_chat_output=bool(spec.get("is_chat_output")),
            line=read.document.line("outputs", name),
        )
    return found


def _prompts(read: Findings, value: Mapping[str, Any]) -> dict[str, str]:
    for name, text in value.items():
        if not isinstance(text, str):
            read.error(_CODE, f"The prompt {name!r} must be text, @FILE or a reference, not {text!r}.", "prompts", name)
    return {name: str(text) for name, text in value.items()}


def _type(read: Findings, kind: Any, what: str, *path: str) -> str:
    """The name of a type; empty where there is none. An unknown one is a finding."""
    if kind is not None and kind not in TYPES:
        hint = nearest(str(kind), TYPES)
        read.error("InvalidType", f"{what} has the unknown type {kind!r}.", *path, "type", hint=hint)
    return str(kind or "")
