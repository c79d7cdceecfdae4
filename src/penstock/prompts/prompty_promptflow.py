"""A prompty as prompt flow reads it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.errors import LoadError
from penstock.prompts.prompty import PromptyInput, PromptyModel
from penstock.schemas import prompty as keys

# The spellings of ``model.configuration.type`` that prompt flow takes.
CONFIGURATION_TYPES = frozenset(keys.CONFIGURATION_TYPES)
_MODEL_KEYS = tuple(keys.MODEL)
_NO_ENDPOINT = frozenset({"type", "connection", "model", "azure_deployment"})
_TYPES = (("bool", bool), ("int", int), ("double", float), ("string", str), ("list", list))


def promptflow_reads(header: Mapping[str, Any]) -> bool:
    """Whether prompt flow would run a prompty of this header: then its rules are the ones that count."""
    model, inputs = header.get("model"), header.get("inputs") or {}
    if not isinstance(model, Mapping) or not {"configuration", "parameters"} <= model.keys() <= {*_MODEL_KEYS}:
        return False
    if model.get("api", "chat") not in ("chat", "completion", None):
        return False
    configuration, template = model["configuration"], header.get("template")
    if isinstance(configuration, Mapping) and configuration.get("type") not in CONFIGURATION_TYPES:
        return False
    engine = template.get("type", template.get("format")) if isinstance(template, Mapping) else template
    if isinstance(engine, str) and engine.lower() == "mustache":
        return False
    return isinstance(inputs, Mapping) and all(isinstance(one, Mapping) for one in inputs.values())


def promptflow_model(header: Mapping[str, Any], file: str) -> PromptyModel:
    """``model`` of the header.

    Raises:
        LoadError: A key that there is not, or both a connection and an endpoint of its own.
    """
    model = header.get("model")
    if model is None:
        model = {}
    if not isinstance(model, Mapping):
        raise _error(file, f"model must be a map (api, configuration, parameters, response), not {model!r}.")
    for key in model:
        if key not in _MODEL_KEYS:
            near = difflib.get_close_matches(str(key), _MODEL_KEYS, 1)
            maybe = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(_MODEL_KEYS)}."
            raise _error(file, f"model has the unknown key {key!r}.{maybe}")
    configuration = model.get("configuration")
    if configuration is None:
        configuration = {}
    parameters = model.get("parameters")
    if not isinstance(parameters, Mapping | None):
        raise _error(file, f"model.parameters must be a map, not {parameters!r}.")
    return PromptyModel(
        api=str(model.get("api") or "chat"),
        name=_name(configuration, file),
        configuration=configuration,
        parameters=dict(parameters or {}),
        response=str(model.get("response") or "first"),
    )


def _name(configuration: Any, file: str) -> str:
    if not isinstance(configuration, Mapping):
        if isinstance(configuration, (str, list, int, float)):
            raise _error(file, "model.configuration must be a map with a type and the endpoint's settings.")
        # A model configuration object, given from Python.
        return str(getattr(configuration, "azure_deployment", None) or getattr(configuration, "model", None) or "")
    fields = [key for key, value in configuration.items() if key not in _NO_ENDPOINT and value]
    if configuration.get("connection") and fields:
        raise LoadError(
            f"{file}: Cannot configure model config and connection in configuration at the same time: take out either"
            f" connection or {', '.join(map(str, fields))}.",
            code="InvalidConnectionError",
        )
    return str(configuration.get("azure_deployment") or configuration.get("model") or "")


def promptflow_inputs(header: Mapping[str, Any], sample: Mapping[str, Any], file: str) -> dict[str, PromptyInput]:
    """The declared inputs, else those that the sample has.

    Raises:
        LoadError: Inputs that are no map of maps.
    """
    declared = header.get("inputs")
    if not declared:
        return {str(name): PromptyInput(str(name), type_of(value)) for name, value in sample.items()}
    if not isinstance(declared, Mapping):
        raise _error(file, "inputs must be a map of names to {type, default, description}.")
    return {str(name): _input(str(name), spec, file) for name, spec in declared.items()}


def _input(name: str, spec: Any, file: str) -> PromptyInput:
    if spec is None:
        spec = {}
    if not isinstance(spec, Mapping):
        raise _error(file, f"input {name!r} must be a map with a type, not {spec!r}.")
    kind = spec.get("type")
    history = spec.get("is_chat_history")
    return PromptyInput(
        name=name,
        type="any" if kind is None else str(kind),
        default=spec.get("default"),
        has_default="default" in spec,
        required="default" not in spec,
        description=str(spec.get("description") or ""),
        is_chat_input=bool(spec.get("is_chat_input")),
        is_chat_history=None if history is None else bool(history),
    )


def type_of(value: Any) -> str:
    """The type of flow inputs that a value is of."""
    return next((name for name, kind in _TYPES if isinstance(value, kind)), "object")


def find_sample(sample: Any, folder: Path, file: str) -> Path | None:
    """The file that ``sample`` names, beside the prompty or else in the working directory; None where it names none.

    Raises:
        LoadError: It is neither a map nor the name of a JSON file that is there; code ``InvalidSampleError``.
    """
    if not sample or isinstance(sample, Mapping):
        return None
    if not isinstance(sample, str | Path) or not str(sample).endswith(".json"):
        raise LoadError(
            f"{file}: Only dict and json file are supported as sample in prompty, not {str(sample)[:60]!r}.",
            code="InvalidSampleError",
        )
    name = str(sample).removeprefix("file:")
    for path in (folder / name, Path(name)):
        if path.is_file():
            return path
    raise LoadError(
        f"{file}: Cannot find sample file {name}: it is looked for beside the prompty.", code="InvalidSampleError"
    )


def _error(file: str, sentence: str) -> LoadError:
    return LoadError(f"{file}: {sentence}", code="InvalidPrompty")
