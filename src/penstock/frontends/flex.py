"""flow.flex.yaml, or a bare ``module:name`` → Flow: one node that calls the entry, one that sums a run up."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.connections.kinds import kind_of
from penstock.connections.model_configuration import MODEL_CONFIGURATIONS
from penstock.errors import LoadError, UsageError
from penstock.frontends.chosen import Chosen
from penstock.frontends.entry_child import ask_for_entry
from penstock.frontends.entry_signature import EntrySignature, Port, read_entry
from penstock.frontends.entry_source import Unclear
from penstock.frontends.findings import Findings
from penstock.frontends.sample import resolved
from penstock.graph.check import nearest
from penstock.graph.flow import Flow, FlowInput, FlowOutput, Source
from penstock.graph.node import Call, Node
from penstock.graph.reference import Reference, parse
from penstock.graph.types import convert
from penstock.schemas import flex as keys
from penstock.yaml import Document

ENTRY = re.compile(r"[A-Za-z0-9_.]+:[A-Za-z0-9_]+")
AGGREGATE = "__aggregate__"

_TYPES = ("string", "int", "double", "bool", "list", "object")


def load_bare(path: Path, chosen: Chosen) -> Flow:
    """The flow whose entry is ``path``'s name, ``module:name``, in the folder that it is in.

    Raises:
        LoadError: There is no such entry.
    """
    return load(Document({"entry": path.name}, str(path)), chosen)


def load(document: Document, chosen: Chosen) -> Flow:
    """The flow in ``document``. None of its code is imported here; if reading it does not tell, another process imports it.

    What is wrong with the file is in the flow's ``diagnostics``; only what leaves no flow at all is raised.

    Raises:
        LoadError: The document is no map, or its entry is not there.
        UsageError: Something was chosen that such a flow does not have.
    """
    data: Any = document.value
    if not isinstance(data, Mapping):
        raise LoadError(
            f"{document.place()}: a flow file must be a map, not {type(data).__name__}.", code="InvalidFlow"
        )
    _refuse_tuning(document, chosen)
    found = Findings(document)
    found.unknown(data, keys.FLOW, "The flow")
    module, name = _entry(document, data)
    folder = Path(document.file).absolute().parent
    code = _code(document, data, folder)
    signature = _signature(document, folder / (code or ""), module, name)
    sample = _sample(found, data, folder)
    inputs = _inputs(found, data.get("inputs"), signature)
    call = Call(
        "entry",
        path=code,
        target=f"{module}:{name}",
        init=_init(found, data.get("init"), signature, chosen.init or sample.get("init") or {}),
        init_types={port.name: port.type for port in signature.init} | _declared_types(data.get("init")),
    )
    if chosen.init and signature.kind == "function":
        raise UsageError(f"{document.file}: init is for entries that are classes; {name!r} is a function.")
    return Flow(
        name=re.sub(r"\W", "_", folder.name),
        inputs=inputs,
        outputs=_outputs(found, data.get("outputs"), signature, name),
        nodes=_nodes(document, call, signature, inputs, name),
        source=Source(str(Path(document.file).absolute()), "flex", init=chosen.init),
        environment_variables=dict(
            found.mapping(data.get("environment_variables"), "environment_variables", "environment_variables")
        ),
        additional_includes=_includes(found, data.get("additional_includes")),
        language=str(data.get("language") or "python"),
        description=str(data.get("description") or ""),
        diagnostics=(*found.errors, *found.others),
        whole=name,
        sample=sample.get("inputs") or {},
        chat_style="messages",
    )


def _refuse_tuning(document: Document, chosen: Chosen) -> None:
    given = "variants" if chosen.variants else "connection overrides" if chosen.connections else ""
    if given:
        raise UsageError(
            f"{document.file}: {given} are for graphs of nodes, and this flow is one function or class; give a class what it"
            " shall use with --init."
        )


def _entry(document: Document, data: Mapping[Any, Any]) -> tuple[str, str]:
    entry, language = data.get("entry"), data.get("language") or "python"
    if language != "python":
        raise LoadError(
            f"{document.place('language')}: The flow is written in {language!r}; Penstock runs Python flows only.",
            code="UnsupportedLanguage",
        )
    if entry is None:
        unknown = [repr(key) for key in data if key not in keys.FLOW]
        strange = f" Unknown here: {', '.join(unknown)}." if unknown else ""
        raise LoadError(
            f"{document.place()}: there is no entry here; write entry: module:function or module:Class.{strange}",
            code="InvalidFlexFlowEntry",
        )
    if not isinstance(entry, str) or not ENTRY.fullmatch(entry):
        raise LoadError(
            f"{document.place('entry')}: Entry function {entry} is not valid; write module:function or module:Class.",
            code="InvalidFlexFlowEntry",
        )
    module, _, name = entry.partition(":")
    return module, name


def _code(document: Document, data: Mapping[Any, Any], folder: Path) -> str | None:
    code = data.get("code")
    if code is None or Path(str(code)) == Path():
        return None
    if not (folder / str(code)).is_dir():
        raise LoadError(
            f"{document.place('code')}: code: there is no folder {str(code)!r} in {folder}.", code="InvalidSource"
        )
    return str(code)


def _signature(document: Document, folder: Path, module: str, name: str) -> EntrySignature:
    try:
        try:
            return read_entry(folder, module, name)
        except Unclear:
            return ask_for_entry(folder, module, name)
    except LoadError as error:
        raise LoadError(f"{document.place('entry')}: {error.message}", code=error.code) from error


def _sample(found: Findings, data: Mapping[Any, Any], folder: Path) -> Mapping[Any, Any]:
    try:
        sample = found.mapping(resolved(data.get("sample"), folder, os.environ), "sample", "sample")
    except LoadError as error:
        found.error(error.code, f"sample: {error.message}", "sample")
        return {}
    found.unknown(sample, ("inputs", "init"), "sample", "sample")
    return {key: found.mapping(value, f"sample.{key}", "sample", key) for key, value in sample.items()}


def _inputs(found: Findings, value: Any, signature: EntrySignature) -> dict[str, FlowInput]:
    declared = found.mapping(value, "inputs", "inputs")
    ports = {port.name: port for port in signature.inputs}
    for name in declared:
        if name not in ports and not signature.open:
            found.error(
                "InvalidFlow",
                f"Provided signature of inputs does not match the entry, which has no parameter {name!r}.",
                "inputs",
                name,
                hint=nearest(str(name), ports),
            )
    names = [*ports, *(str(name) for name in declared if name not in ports)]
    return {name: _input(found, name, declared.get(name), ports.get(name) or Port(name)) for name in names}


def _input(found: Findings, name: str, value: Any, port: Port) -> FlowInput:
    spec = found.mapping(value, f"Flow input {name!r}", "inputs", name)
    found.unknown(spec, keys.INPUT, f"Flow input {name!r}", "inputs", name)
    if value is not None:
        _check_type(found, f"Flow input {name!r}", spec.get("type"), _TYPES, "inputs", name)
    default = spec.get("default")
    if default not in (None, "") and (kind := spec.get("type")) in _TYPES:
        try:
            convert(default, kind)
        except (ValueError, TypeError):
            found.error(
                "InputTypeError",
                f"The default of flow input {name!r} does not match the expected type {kind!r}: {default!r}.",
                "inputs",
                name,
            )
    # An empty text says "as in the code", as in prompt flow; where the code has no default it is what it says.
    empty = default == "" and isinstance(default, str)
    return FlowInput(
        name=name,
        type=str(spec.get("type") or (port.type if port.type in _TYPES else "object")),
        default=None if empty and port.optional else default,
        description=str(spec.get("description") or ""),
        is_chat_input=bool(spec.get("is_chat_input")),
        is_chat_history=spec.get("is_chat_history"),
        line=found.document.line("inputs", name),
        optional=port.optional,
        converted=not (empty or (default is None and port.unconverted)),
    )


def _check_type(found: Findings, what: str, kind: Any, known: tuple[str, ...], *path: str | int) -> None:
    listed = f"Types are {', '.join(_TYPES)}."
    if kind is None:
        found.error("MissingType", f"{what} has no type.", *path, hint=listed)
    elif kind not in known and not (known is not _TYPES and str(kind).endswith("Connection") and kind_of(kind)):
        found.error("InvalidType", f"{what} has the unknown type {kind!r}.", *path, "type", hint=listed)


def _outputs(found: Findings, value: Any, signature: EntrySignature, node: str) -> dict[str, FlowOutput]:
    declared = found.mapping(value, "outputs", "outputs")
    single = set(signature.outputs) == {"output"} and not declared
    ports: dict[str, FlowOutput] = {}
    for name in declared or signature.outputs:
        spec = found.mapping(declared.get(name), f"Flow output {name!r}", "outputs", name)
        found.unknown(spec, keys.OUTPUT, f"Flow output {name!r}", "outputs", name)
        if name in declared:
            _check_type(found, f"Flow output {name!r}", spec.get("type"), _TYPES, "outputs", name)
        reference = Reference("node", node) if single else parse(f"${{{node}.output['{name}']}}")
        ports[str(name)] = FlowOutput(
            name=str(name),
            value=reference,
            type=str(spec.get("type") or signature.outputs.get(str(name)) or "object"),
            description=str(spec.get("description") or ""),
            is_chat_output=bool(spec.get("is_chat_output")),
            line=found.document.line("outputs", name),
        )
    return ports


def _init(found: Findings, value: Any, signature: EntrySignature, given: Mapping[str, Any]) -> dict[str, Any]:
    """The constructor's values: those that are given, else the file's own defaults, texts as the types they stand for."""
    declared = found.mapping(value, "init", "init")
    ports = {port.name: port for port in signature.init}
    values: dict[str, Any] = {}
    for name, raw in declared.items():
        spec = found.mapping(raw, f"Init {name!r}", "init", name)
        found.unknown(spec, keys.INPUT, f"Init {name!r}", "init", name)
        _check_type(found, f"Init {name!r}", spec.get("type"), (*_TYPES, *MODEL_CONFIGURATIONS), "init", name)
        default = spec.get("default")
        if default is not None and default != "":
            values[str(name)] = default
    values.update(given)
    for name in dict.fromkeys((*map(str, declared), *values)):
        if name not in ports and not signature.open_init:
            found.error(
                "FlowEntryInitializationError",
                f"Provided signature of init does not match the entry, whose constructor has no parameter {name!r}.",
                "init",
                name,
                hint=nearest(name, ports),
            )
    types = {port.name: port.type for port in signature.init} | _declared_types(declared)
    return {name: _converted(found, name, item, types.get(name, "object")) for name, item in values.items()}


def _declared_types(declared: Any) -> dict[str, str]:
    if not isinstance(declared, Mapping):
        return {}
    return {
        str(name): str(spec["type"])
        for name, spec in declared.items()
        if isinstance(spec, Mapping) and spec.get("type") is not None
    }


def _converted(found: Findings, name: str, value: Any, kind: str) -> Any:
    """A text of the command line as what the parameter's type says, where it says more than text."""
    if not isinstance(value, str):
        return value
    try:
        return convert(value, "object" if kind in MODEL_CONFIGURATIONS else kind if kind in _TYPES else "string")
    except (ValueError, TypeError):
        if kind in _TYPES:
            found.error("InputTypeError", f"Init {name!r} takes a value of type {kind}, not {value!r}.", "init", name)
        return value  # a model configuration says itself what is wrong with it


def _includes(found: Findings, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        found.error("InvalidInclude", f"additional_includes must be a list, not {value!r}.", "additional_includes")
        return ()
    return tuple(str(item) for item in value)


def _nodes(
    document: Document, call: Call, signature: EntrySignature, inputs: Mapping[str, FlowInput], name: str
) -> tuple[Node, ...]:
    line = document.line("entry")
    given = {port: Reference("input", port) for port in inputs}
    nodes = [Node(name, call, given, line=line)]
    if signature.aggregates:
        sums_up = Call(
            "entry", path=call.path, target=f"{call.target}.{AGGREGATE}", init=call.init, init_types=call.init_types
        )
        nodes.append(Node(AGGREGATE, sums_up, {signature.aggregates: Reference("node", name)}, scope="run", line=line))
    return tuple(nodes)
