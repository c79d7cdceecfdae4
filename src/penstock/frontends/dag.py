"""flow.dag.yaml → Flow: every key of the format, nothing executed, unknown keys reported."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from penstock.errors import LoadError
from penstock.graph.diagnostic import Diagnostic
from penstock.graph.flow import Flow, FlowInput, FlowOutput, Source, Variant, VariantSet
from penstock.graph.node import Activate, Call, Node
from penstock.graph.pin import TEMPLATED
from penstock.graph.reference import parse
from penstock.graph.types import TYPES
from penstock.schemas import dag as keys
from penstock.yaml import Document

_WITHOUT_EFFECT = {
    "skip": "the old skip configuration has no effect; use activate",
    "tool": "an inline tool name has no effect; source decides what the node calls",
}
_CONNECTION_KEYS = ("connection", "deployment_name", "model")


class _Reader:
    """Collects findings while it reads, so that all of them can be shown at once."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.found: list[Diagnostic] = []

    def error(self, code: str, message: str, *path: str | int, hint: str = "") -> None:
        self._add("error", code, message, path, hint)

    def note(self, code: str, message: str, *path: str | int, hint: str = "") -> None:
        self._add("note", code, message, path, hint)

    def warn(self, code: str, message: str, *path: str | int, hint: str = "") -> None:
        self._add("warning", code, message, path, hint)

    def _add(self, severity: Any, code: str, message: str, path: tuple[str | int, ...], hint: str) -> None:
        self.found.append(
            Diagnostic(severity, code, message, self.document.file, self.document.line(*path), hint),
        )

    def mapping(self, value: Any, what: str, *path: str | int) -> Mapping[Any, Any]:
        if value is None or value == []:  # an editor that has nothing to write may write an empty list
            return {}
        if isinstance(value, Mapping):
            return value
        self.error("FlowDefinitionError", f"{what} must be a map, not {value!r}.", *path)
        return {}

    def unknown(self, value: Mapping[Any, Any], known: Collection[str], what: str, *path: str | int) -> None:
        for key in value:
            if key not in known:
                self.note("UnknownKey", f"{what} has the unknown key {key!r}, which is ignored.", *path, key)
            elif key in _WITHOUT_EFFECT and known is keys.NODE:
                self.note("NoEffect", f"{what}: {_WITHOUT_EFFECT[key]}.", *path, key)


def load(
    document: Document,
    *,
    variants: tuple[str, ...] = (),
    connections: Mapping[str, Mapping[str, str]] | None = None,
) -> Flow:
    """The flow in ``document``, with variants chosen and connections overridden.

    What is wrong with the file is in the flow's ``diagnostics``; only what leaves no flow at all is raised.

    Args:
        document: A parsed flow.dag.yaml.
        variants: Choices such as ``${node.variant}``, one for each tuned node.
        connections: Overrides by node: ``{"node": {"connection": "name", "deployment_name": "gpt-4o"}}``.

    Raises:
        LoadError: The document is no map, or a variant or an override names something that is not there.
    """
    data = document.value
    if not isinstance(data, Mapping):
        raise LoadError(
            f"{document.place()}: a flow file must be a map, not {type(data).__name__}.", code="InvalidFlow"
        )
    read = _Reader(document)
    read.unknown(data, keys.FLOW, "The flow")
    file = Path(document.file)
    choices = tuple(_choice(text) for text in variants)
    sets = _variant_sets(read, data.get("node_variants"))
    nodes = _nodes(read, data.get("nodes"), sets, dict(choices))
    _check_choices(document, choices, sets)
    flow = Flow(
        name=str(data["name"]) if data.get("name") else re.sub(r"\W", "_", file.absolute().parent.name),
        inputs=_inputs(read, data.get("inputs")),
        outputs=_outputs(read, data.get("outputs")),
        nodes=tuple(nodes),
        source=Source(str(file.absolute()), "dag", variants, connections or {}),
        variants=sets,
        environment_variables=dict(
            read.mapping(data.get("environment_variables"), "environment_variables", "environment_variables")
        ),
        additional_includes=_includes(read, data.get("additional_includes")),
        message_format=_message_format(read, data.get("message_format")),
        language=str(data.get("language") or "python"),
        modules=_modules(data),
        prompts={str(name): text for name, text in _prompts(read, data.get("prompts"))},
        description=str(data.get("description") or ""),
        diagnostics=(),
    )
    if flow.language != "python":
        read.error(
            "UnsupportedLanguage",
            f"The flow is written in {flow.language!r}; Penstock runs Python flows only.",
            "language",
        )
    flow = _override(document, flow, connections or {})
    return _with_diagnostics(flow, read.found)


def _with_diagnostics(flow: Flow, found: list[Diagnostic]) -> Flow:
    return dataclasses.replace(flow, diagnostics=tuple(found))


def _inputs(read: _Reader, value: Any) -> dict[str, FlowInput]:
    ports: dict[str, FlowInput] = {}
    for name, raw in read.mapping(value, "inputs", "inputs").items():
        what = f"Flow input {name!r}"
        spec = read.mapping(raw, what, "inputs", name)
        read.unknown(spec, keys.INPUT, what, "inputs", name)
        _type(read, what, spec, "inputs", name)
        ports[str(name)] = FlowInput(
            name=str(name),
            type=str(spec.get("type")),
            default=spec.get("default"),
            description=str(spec.get("description") or ""),
            is_chat_input=bool(spec.get("is_chat_input")),
            is_chat_history=spec.get("is_chat_history"),
            line=read.document.line("inputs", name),
        )
    return ports


def _type(read: _Reader, what: str, spec: Mapping[Any, Any], *path: str | int) -> None:
    kind = spec.get("type")
    if kind is None:
        read.error("MissingType", f"{what} has no type.", *path, hint=f"Give one of {', '.join(TYPES)}.")
    elif kind not in TYPES:
        read.error(
            "InvalidType",
            f"{what} has the unknown type {kind!r}.",
            *path,
            "type",
            hint=f"Types are {', '.join(TYPES)}.",
        )


def _outputs(read: _Reader, value: Any) -> dict[str, FlowOutput]:
    ports: dict[str, FlowOutput] = {}
    for name, raw in read.mapping(value, "outputs", "outputs").items():
        what = f"Flow output {name!r}"
        spec = read.mapping(raw, what, "outputs", name)
        read.unknown(spec, keys.OUTPUT, what, "outputs", name)
        reference = spec.get("reference", "")
        if reference == "":
            read.error("EmptyOutputReference", f"{what} has no reference.", "outputs", name)
        _type(read, what, spec, "outputs", name)
        ports[str(name)] = FlowOutput(
            name=str(name),
            value=parse(reference) or reference,
            type=str(spec.get("type") or "string"),
            description=str(spec.get("description") or ""),
            evaluation_only=bool(spec.get("evaluation_only")),
            is_chat_output=bool(spec.get("is_chat_output")),
            line=read.document.line("outputs", name),
        )
    return ports


def _nodes(read: _Reader, value: Any, sets: Mapping[str, VariantSet], chosen: Mapping[str, str]) -> list[Node]:
    if value is None or value == {}:
        return []
    if not isinstance(value, list):
        read.error("FlowDefinitionError", f"nodes must be a list, not {type(value).__name__}.", "nodes")
        return []
    nodes: list[Node] = []
    for index, raw in enumerate(value):
        spec = read.mapping(raw, f"Node {index + 1}", "nodes", index)
        name = spec.get("name")
        if not isinstance(name, str) or not name:
            read.error("FlowDefinitionError", f"Node {index + 1} has no name.", "nodes", index)
            continue
        if spec.get("use_variants") and (found := _variant_node(read, name, spec, sets, chosen, index)):
            nodes.append(found)
            continue
        nodes.append(_node(read, name, spec, ("nodes", index)))
    return nodes


def _variant_node(
    read: _Reader,
    name: str,
    spec: Mapping[Any, Any],
    sets: Mapping[str, VariantSet],
    chosen: Mapping[str, str],
    index: int,
) -> Node | None:
    """The chosen variant, else the default; None where there is none, and the entry's own keys are the node."""
    # As in prompt flow an entry that is a whole node stands in for a variant that is not there.
    tell = read.warn if spec.get("source") else read.error
    if name not in sets:
        tell("InvalidFlow", f"Node {name!r} uses variants, but node_variants has none for it.", "nodes", index)
        return None
    wanted = chosen.get(name) or sets[name].default
    variant = sets[name].variants.get(wanted)
    if variant is None:
        known = ", ".join(sets[name].variants) or "none"
        tell(
            "InvalidFlow",
            f"Variant {wanted!r} of node {name!r} is not there; there are: {known}.",
            *("node_variants", name),
        )
        return None
    return variant.node


def _node(read: _Reader, name: str, spec: Mapping[Any, Any], path: tuple[str | int, ...]) -> Node:
    what = f"Node {name!r}"
    read.unknown(spec, keys.NODE, what, *path)
    kind = spec.get("type")
    if kind is None:
        read.error("MissingType", f"{what} has no type.", *path, hint=f"Types are {', '.join(keys.NODE_TYPES)}.")
    elif kind not in keys.NODE_TYPES:
        read.error(
            "InvalidType",
            f"{what} has the unknown type {kind!r}.",
            *path,
            "type",
            hint=f"Types are {', '.join(keys.NODE_TYPES)}.",
        )
    inputs = read.mapping(spec.get("inputs"), f"inputs of node {name!r}", *path, "inputs")
    return Node(
        name=name,
        call=_call(read, name, kind, spec, path),
        inputs={str(key): parse(value) or value for key, value in inputs.items()},
        activate=_activate(read, name, spec, path),
        scope="run" if spec.get("aggregation") or spec.get("reduce") else "line",
        cache=bool(spec.get("enable_cache")),
        line=read.document.line(*path),
    )


def _call(read: _Reader, name: str, kind: Any, spec: Mapping[Any, Any], path: tuple[str | int, ...]) -> Call:
    source = spec.get("source")
    if not isinstance(source, Mapping):
        read.error(
            "InvalidSource", f"Node {name!r} has no source.", *path, hint="Add source: {type: code, path: <file>}."
        )
        source = {}
    where = str(source.get("type") or "code")
    if where not in ("code", "package", "package_with_prompt") and kind not in ("llm", "prompt"):
        # The template of an llm or a prompt node is a file, whatever its source calls itself.
        read.error("InvalidSource", f"Node {name!r} has the unknown source type {where!r}.", *path, "source")

    def text(key: str) -> str | None:
        value = spec.get(key)
        return None if value is None else str(value)

    prompt = source.get("prompt")
    if prompt is not None and (source.get("path") is not None or kind not in TEMPLATED):
        said = (
            "both a path and a prompt; it takes one" if kind in TEMPLATED else f"a prompt, but a {kind} node takes none"
        )
        read.error("InvalidSource", f"The source of node {name!r} names {said}.", *path, "source")
    return Call(
        type=None if kind is None else str(kind),
        source=where,
        path=None if source.get("path") is None else str(source["path"]),
        target=None if source.get("tool") is None else str(source["tool"]),
        connection=text("connection"),
        api=text("api"),
        provider=text("provider"),
        module=text("module"),
        prompt=None if prompt is None else str(prompt),
    )


def _prompts(read: _Reader, value: Any) -> Iterator[tuple[str, str]]:
    for name, text in read.mapping(value, "prompts", "prompts").items():
        if isinstance(text, str):
            yield str(name), text
        else:
            read.error("InvalidPrompt", f"The prompt for {name!r} must be text or a reference.", "prompts", name)


def _activate(read: _Reader, name: str, spec: Mapping[Any, Any], path: tuple[str | int, ...]) -> Activate | None:
    if "activate" not in spec:
        return None
    raw = spec["activate"]
    if not isinstance(raw, Mapping) or "when" not in raw or "is" not in raw:
        read.error(
            "FlowDefinitionError",
            f"The activate condition of node {name!r} needs both 'when' and 'is'.",
            *path,
            "activate",
        )
        return None
    if raw["when"] is None and raw["is"] is None:
        read.warn("EmptyActivate", f"The activate condition of node {name!r} compares nothing.", *path, "activate")
    return Activate(parse(raw["when"]) or raw["when"], raw["is"])


def _variant_sets(read: _Reader, value: Any) -> dict[str, VariantSet]:
    sets: dict[str, VariantSet] = {}
    for name, raw in read.mapping(value, "node_variants", "node_variants").items():
        spec = read.mapping(raw, f"node_variants of {name!r}", "node_variants", name)
        found: dict[str, Variant] = {}
        variants = read.mapping(spec.get("variants"), f"variants of {name!r}", "node_variants", name, "variants")
        for key, body in variants.items():
            path = ("node_variants", name, "variants", key, "node")
            entry = read.mapping(body, f"variant {key!r} of {name!r}", *path[:-1])
            node = read.mapping(entry.get("node"), f"variant {key!r} of {name!r}", *path)
            built = _node(read, str(name), {**node, "name": name}, path)
            found[str(key)] = Variant(str(key), built, str(entry.get("description") or ""))
        default = spec.get("default_variant_id")
        sets[str(name)] = VariantSet("" if default is None else str(default), found)
    return sets


def _choice(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"\$\{([^.]+)\.([^}]+)\}", text)
    if match is None:
        raise LoadError(
            f"Invalid variant {text!r}: write ${{NODE.VARIANT}}, in quotes so that the shell leaves it alone.",
            code="InvalidFlow",
        )
    return match.group(1), match.group(2)


def _check_choices(document: Document, choices: tuple[tuple[str, str], ...], sets: Mapping[str, VariantSet]) -> None:
    for node, variant in choices:
        if node not in sets:
            known = ", ".join(sets) or "none"
            raise LoadError(
                f"{document.file}: node {node!r} has no variants; those that have: {known}.", code="InvalidFlow"
            )
        if variant not in sets[node].variants:
            known = ", ".join(sets[node].variants)
            raise LoadError(
                f"{document.place('node_variants', node)}: node {node!r} has no variant {variant!r}; it has: {known}.",
                code="InvalidFlow",
            )


def _override(document: Document, flow: Flow, connections: Mapping[str, Mapping[str, str]]) -> Flow:
    nodes = list(flow.nodes)
    for name, changes in connections.items():
        position = next((i for i, node in enumerate(nodes) if node.name == name), None)
        if position is None:
            known = ", ".join(node.name for node in nodes)
            raise LoadError(
                f"{document.file}: there is no node {name!r} to override; nodes are: {known}.", code="InvalidFlow"
            )
        node = nodes[position]
        if node.call.type == "llm":
            odd = [key for key in changes if key not in _CONNECTION_KEYS]
            if odd:
                raise LoadError(
                    f"Node {name!r}: {', '.join(odd)} cannot be overridden; only {', '.join(_CONNECTION_KEYS)} can.",
                    code="InvalidFlow",
                )
        call, inputs = node.call, dict(node.inputs)
        for key, value in changes.items():
            if key == "connection" and node.call.type == "llm":
                call = dataclasses.replace(call, connection=value)
            else:
                inputs[key] = value
        nodes[position] = dataclasses.replace(node, call=call, inputs=inputs)
    return flow.replace_nodes(nodes)


def _includes(read: _Reader, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        read.error("InvalidInclude", "additional_includes must be a list of paths.", "additional_includes")
        return ()
    return tuple(value)


def _message_format(read: _Reader, value: Any) -> Any:
    if value in (None, ""):
        return "basic"
    if str(value).lower() not in ("basic", "openai-vision"):
        read.error(
            "InvalidMessageFormatType",
            f"message_format must be 'basic' or 'openai-vision', not {value!r}.",
            "message_format",
        )
        return "basic"
    return str(value).lower()


def _modules(data: Mapping[Any, Any]) -> tuple[str, ...]:
    tools = data.get("tools")
    listed = tools if isinstance(tools, list) else []
    found = [tool.get("module") for tool in listed if isinstance(tool, Mapping)]
    return tuple(dict.fromkeys(str(module) for module in found if module))
