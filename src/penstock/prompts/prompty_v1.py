"""A prompty of microsoft/prompty version 1: ``connection`` and ``options``, inputs as bare values, samples in the inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.errors import LoadError
from penstock.prompts.prompty import PromptyInput, PromptyModel
from penstock.prompts.prompty_shapes import a_map, input_type, named, scalar_kind, schema_type

_APIS = ("chat", "completion", "embedding")


def is_v1(header: Mapping[str, Any]) -> bool:
    """Whether a header has what only version 1 has."""
    model, template, inputs = header.get("model"), header.get("template"), header.get("inputs")
    if isinstance(model, Mapping):
        if model.keys() & {"connection", "options"} or model.get("api") not in (None, "chat", "completion"):
            return True
        configuration = model.get("configuration")
        if isinstance(configuration, Mapping) and _is_own(str(configuration.get("type", ""))):
            return True
    if isinstance(template, Mapping) or str(template).lower() == "mustache" or "base" in header or "tools" in header:
        return True
    if isinstance(inputs, list):
        return True
    return isinstance(inputs, Mapping) and any(
        (spec is not None and not isinstance(spec, Mapping)) or (isinstance(spec, Mapping) and "sample" in spec)
        for spec in inputs.values()
    )


def _is_own(kind: str) -> bool:
    return kind in ("azure", "serverless", "azure_beta", "azure_openai_beta")


def v1_model(header: Mapping[str, Any], shared: Mapping[str, Any], file: str) -> PromptyModel:
    """``model`` of the header, over the connection that prompty.json shares.

    Raises:
        LoadError: An api that a model endpoint does not offer, or settings that are no map.
    """
    model = a_map(header.get("model"), "model", file)
    connection = {
        **shared,
        **_connection(model.get("connection", model.get("configuration")), file),
    }
    api = str(model.get("api") or "chat")
    if api not in _APIS:
        raise LoadError(
            f"{file}: model.api {api!r} is not supported; there are: {', '.join(_APIS)}.", code="InvalidPrompty"
        )
    parameters = dict(a_map(model.get("options", model.get("parameters")), "model.options", file))
    tools = _tools(header.get("tools"), file)
    if tools and "tools" not in parameters:
        parameters["tools"] = tools
    name = connection.get("azure_deployment") or connection.get("model") or connection.get("name") or model.get("id")
    outputs = dict(named(header.get("outputs"), "outputs", file))
    if outputs and api == "chat":
        parameters["response_format"] = _response_format(str(header.get("name") or ""), outputs)
    return PromptyModel(
        api=api,
        name=str(name or ""),
        configuration=connection,
        parameters=parameters,
        response=str(model.get("response") or "first"),
    )


def _connection(value: Any, file: str) -> Mapping[str, Any]:
    # A bare text is the name of a connection.
    return {"connection": value} if isinstance(value, str) else a_map(value, "model.connection", file)


def _response_format(name: str, outputs: Mapping[str, Any]) -> dict[str, Any]:
    types = {
        key: {
            "type": schema_type(str(spec.get("type") or "string") if isinstance(spec, Mapping) else scalar_kind(spec))
        }
        for key, spec in outputs.items()
    }
    schema = {"type": "object", "properties": types, "required": list(types), "additionalProperties": False}
    shown = name.lower().replace(" ", "_") or "output"
    return {"type": "json_schema", "json_schema": {"name": shown, "strict": True, "schema": schema}}


def _tools(value: Any, file: str) -> list[dict[str, Any]]:
    # Tools of other types are for agents; a request offers functions only.
    if isinstance(value, list):
        value = [one for one in value if isinstance(one, Mapping) and one.get("type") == "function"]
    return [
        {"type": "function", "function": _function(name, spec, file)}
        for name, spec in named(value, "tools", file, key="id")
        if isinstance(spec, Mapping) and spec.get("type") == "function"
    ]


def _function(name: str, spec: Mapping[str, Any], file: str) -> dict[str, Any]:
    options = spec.get("options")
    inside = options.get("parameters") if isinstance(options, Mapping) else None
    parameters = dict(named(spec.get("parameters") or inside, f"parameters of tool {name!r}", file))
    properties: dict[str, Any] = {}
    for key, one in parameters.items():
        one = a_map(one, f"parameter {key!r} of tool {name!r}", file)
        properties[key] = {
            "type": one.get("type", "string"),
            **({"description": one["description"]} if one.get("description") else {}),
            **({"enum": one["enum"]} if one.get("enum") else {}),
        }
    required = [key for key, one in parameters.items() if isinstance(one, Mapping) and one.get("required")]
    return {
        "name": name,
        "description": str(spec.get("description") or ""),
        "parameters": {"type": "object", "properties": properties, "required": required},
    }


def v1_inputs(
    header: Mapping[str, Any], sample: Mapping[str, Any], template: str, file: str
) -> dict[str, PromptyInput]:
    """The inputs: declared, from the sample of the file, and ``thread`` where the template has a place for one."""
    inputs = {name: _input(name, spec) for name, spec in named(header.get("inputs"), "inputs", file)}
    for name, value in sample.items():
        known = inputs.get(str(name))
        kind = known.type if known is not None else input_type(scalar_kind(value))
        # A sample beside the inputs fills in whatever a call leaves out.
        inputs[str(name)] = PromptyInput(str(name), kind, value, has_default=True, required=False, sample=value)
    if "\n![thread]" in f"\n{template}" and "thread" not in inputs:
        inputs["thread"] = PromptyInput(
            "thread", "list", [], has_default=True, required=False, is_chat_history=True, kind="thread"
        )
    return inputs


def _input(name: str, spec: Any) -> PromptyInput:
    if not isinstance(spec, Mapping):
        # A bare value is something to try the prompty out with; a call has to give its own.
        return PromptyInput(name, input_type(scalar_kind(spec)), sample=spec)
    sample, default = spec.get("sample"), spec.get("default")
    kind = spec.get("type") or (scalar_kind(sample) if sample is not None else "")
    return PromptyInput(
        name=name,
        type=input_type(str(kind)),
        default=default,
        has_default=default is not None,
        required=default is None,
        description=str(spec.get("description") or ""),
        is_chat_input=bool(spec.get("is_chat_input")),
        is_chat_history=spec.get("is_chat_history"),
        sample=sample if sample is not None else default,
    )


def v1_sample(inputs: Mapping[str, PromptyInput]) -> dict[str, Any]:
    """What the inputs give to try the prompty out with."""
    return {name: port.sample for name, port in inputs.items() if port.sample not in (None, "")}


def shared_connection(folder: Path) -> dict[str, Any]:
    """The ``default`` entry of the nearest prompty.json, in ``folder`` or above; nothing where there is none.

    Raises:
        LoadError: It is there, and has no such entry or is no JSON.
    """
    for place in (folder, *folder.parents):
        file = place / "prompty.json"
        if not file.is_file():
            continue
        try:
            found = json.loads(file.read_text(encoding="utf-8-sig"))["default"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise LoadError(
                f'{file}: must be a JSON map with a "default" entry, the connection of the prompties below.',
                code="InvalidPrompty",
            ) from error
        return dict(a_map(found, "default", str(file)))
    return {}
