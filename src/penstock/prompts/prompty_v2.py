"""A prompty of microsoft/prompty's specification 2.0: ``id``, ``provider``, ``connection.kind``, inputs with kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from penstock.errors import LoadError
from penstock.prompts.prompty import PromptyInput, PromptyModel
from penstock.prompts.prompty_shapes import a_map, input_type, named, object_schema, scalar_kind

APIS = ("chat", "embedding", "responses")
RICH = ("thread", "image", "file", "audio")
_OPTIONS = {
    "temperature": "temperature",
    "maxOutputTokens": "max_completion_tokens",
    "topP": "top_p",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
    "stopSequences": "stop",
    "seed": "seed",
}
# Anthropic's words, and what it has no word for.
_ANTHROPIC = {"temperature": "temperature", "maxOutputTokens": "max_tokens", "topP": "top_p", "topK": "top_k"} | {
    "stopSequences": "stop"
}


def is_v2(header: Mapping[str, Any]) -> bool:
    """Whether a header has what only version 2 has, or no model at all."""
    model, template = header.get("model"), header.get("template")
    if model is None:
        return True
    if isinstance(model, str):
        return True
    if isinstance(model, Mapping):
        connection = model.get("connection")
        if model.keys() & {"provider", "apiType"} or (isinstance(connection, Mapping) and "kind" in connection):
            return True
        if "id" in model and not model.keys() & {"api", "configuration", "parameters"}:
            return True
    if isinstance(template, Mapping) and isinstance(template.get("format"), Mapping):
        return True
    return any(_has_kinds(header.get(key)) for key in ("inputs", "outputs", "tools"))


def _has_kinds(value: Any) -> bool:
    entries: Iterable[Any] = ()
    if isinstance(value, list | Mapping):
        entries = value.values() if isinstance(value, Mapping) else value
    return any(isinstance(entry, Mapping) and "kind" in entry for entry in entries)


def v2_model(header: Mapping[str, Any], file: str) -> PromptyModel:
    """``model`` of the header, with its tools and outputs as the request has them.

    Raises:
        LoadError: An apiType, a connection or a tool that cannot be served.
    """
    model = header.get("model")
    model = {"id": model} if isinstance(model, str) else a_map(model, "model", file)
    api = str(model.get("apiType") or "chat")
    if api not in APIS:
        raise LoadError(
            f"{file}: model.apiType {api!r} is not supported; there are: {', '.join(APIS)}.", code="InvalidPrompty"
        )
    provider = str(model.get("provider") or "openai").lower()
    parameters = _options(a_map(model.get("options"), "model.options", file), provider, api)
    tools = _tools(header.get("tools"), file)
    if tools and api != "embedding":
        parameters["tools"] = (
            [{"type": "function", **one["function"]} for one in tools] if api == "responses" else tools
        )
    if header.get("outputs") and api != "embedding":
        parameters |= _structured(header["outputs"], api, file)
    return PromptyModel(
        api=api,
        name=str(model.get("id") or ""),
        configuration=_configuration(a_map(model.get("connection"), "model.connection", file), provider, file),
        parameters=parameters,
    )


def _options(options: Mapping[str, Any], provider: str, api: str) -> dict[str, Any]:
    words = _ANTHROPIC if provider == "anthropic" else _OPTIONS
    if api == "responses":
        words = {**words, "maxOutputTokens": "max_output_tokens"}
    made = {word: options[key] for key, word in words.items() if options.get(key) is not None}
    if options.get("allowMultipleToolCalls") is not None:
        made["parallel_tool_calls"] = options["allowMultipleToolCalls"]
    more = options.get("additionalProperties")
    return {**more, **made} if isinstance(more, Mapping) else made


def _structured(outputs: Any, api: str, file: str) -> dict[str, Any]:
    schema = {**object_schema(outputs, file, strict=True), "additionalProperties": False}
    told = {"name": "structured_output", "strict": True, "schema": schema}
    if api == "responses":
        return {"text": {"format": {"type": "json_schema", **told}}}
    return {"response_format": {"type": "json_schema", "json_schema": told}}


def _tools(value: Any, file: str) -> list[dict[str, Any]]:
    made = []
    for name, spec in named(value, "tools", file):
        spec = a_map(spec, f"tool {name!r}", file)
        kind = str(spec.get("kind") or "function")
        if kind != "function":
            raise LoadError(
                f"{file}: tool {name!r} is of kind {kind!r}, which Penstock cannot run; describe what the model may call"
                " as tools of kind function.",
                code="InvalidPrompty",
            )
        parameters = spec.get("parameters")
        if isinstance(parameters, Mapping) and isinstance(parameters.get("properties"), (list, Mapping)):
            parameters = parameters["properties"]
        strict = bool(spec.get("strict"))
        schema = object_schema(parameters, file, strict=strict, what=f"parameters of tool {name!r}")
        _hide_bound(schema, spec.get("bindings"))
        function: dict[str, Any] = {
            "name": name,
            "description": str(spec.get("description") or ""),
            "parameters": schema,
        }
        if strict:
            schema["additionalProperties"] = False
            function["strict"] = True
        made.append({"type": "function", "function": function})
    return made


def _hide_bound(schema: dict[str, Any], bindings: Any) -> None:
    """Take parameters out that the application fills in itself: the model must not see them."""
    bound = {str(name) for name, _ in named(bindings, "bindings", "")} if bindings else set()
    schema["properties"] = {name: one for name, one in schema["properties"].items() if name not in bound}
    required = [name for name in schema.pop("required", []) if name not in bound]
    if required:
        schema["required"] = required


def _configuration(connection: Mapping[str, Any], provider: str, file: str) -> dict[str, Any]:
    """``model.connection`` in the words of ``model.configuration``."""
    kind = str(connection.get("kind") or "key").lower()
    azure = provider in ("azure", "foundry") or kind == "foundry"
    named_kind = {"openai": "openai", "anthropic": "anthropic"}.get(provider, "azure_openai" if azure else provider)
    made: dict[str, Any] = {"type": named_kind}
    if kind == "reference":
        if not connection.get("name"):
            raise LoadError(f"{file}: a connection of kind reference needs a name.", code="InvalidPrompty")
        return {**made, "connection": str(connection["name"])}
    if kind not in ("key", "anonymous", "foundry"):
        raise LoadError(
            f"{file}: model.connection.kind {kind!r} is not supported; there are: key, reference, anonymous, foundry.",
            code="InvalidPrompty",
        )
    endpoint, key = connection.get("endpoint"), connection.get("apiKey")
    if azure:
        if endpoint:
            made |= {"azure_endpoint": _azure_base(str(endpoint)), "api_version": "2024-12-01-preview"}
        return {**made, "api_key": key} if key else made
    if kind == "anonymous":
        made["type"] = "openai_compatible"
    if endpoint:
        made["base_url"] = endpoint
    return {**made, "api_key": key} if key else made


def _azure_base(endpoint: str) -> str:
    """The Azure OpenAI address of a Foundry project's endpoint; another one as it is."""
    if not endpoint.startswith("http"):
        return endpoint
    parts = urlsplit(endpoint)
    host = parts.netloc
    if not host.endswith(".services.ai.azure.com"):
        return endpoint
    return urlunsplit((parts.scheme, host.replace(".services.ai.azure.com", ".openai.azure.com"), "", "", ""))


def v2_inputs(header: Mapping[str, Any], variables: Iterable[str], file: str) -> dict[str, PromptyInput]:
    """The declared inputs, then the template's other variables: whatever a call gives reaches the template."""
    inputs = {name: _input(name, spec) for name, spec in named(header.get("inputs"), "inputs", file)}
    for name in sorted(set(variables) - inputs.keys()):
        inputs[name] = PromptyInput(name, required=False)
    return inputs


def _input(name: str, spec: Any) -> PromptyInput:
    if not isinstance(spec, Mapping) or (
        spec and not spec.keys() & {"kind", "default", "required", "description", "type"}
    ):
        return PromptyInput(name, input_type(scalar_kind(spec)), spec, has_default=spec is not None, required=False)
    kind, default = str(spec.get("kind") or spec.get("type") or ""), spec.get("default")
    return PromptyInput(
        name=name,
        type="any" if kind in RICH else input_type(kind),
        default=default,
        has_default=default is not None,
        required=bool(spec.get("required")) and default is None,
        description=str(spec.get("description") or ""),
        is_chat_history=True if kind == "thread" else None,
        kind=kind if kind in RICH else "",
    )
