"""x.prompty → Flow: one node that renders the prompt, asks the model and gives its answer, which is all that the flow gives."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.errors import LoadError, PenstockError, UsageError
from penstock.frontends.chosen import Chosen
from penstock.graph.check import nearest
from penstock.graph.diagnostic import Diagnostic
from penstock.graph.flow import Flow, FlowInput, Source
from penstock.graph.node import Call, Node
from penstock.graph.reference import Reference
from penstock.prompts.prompty import OVERRIDES, Prompty, PromptyInput
from penstock.prompts.prompty_read import read_prompty, read_sample, template_of
from penstock.prompts.prompty_references import merged
from penstock.schemas.prompty import HEADER

# What ``--connections NODE.KEY=VALUE`` may say, and where it goes in the header.
_CONNECTION = {"connection": "connection", "deployment_name": "azure_deployment", "model": "model"}
# Values of these types are taken as they come: a picture stands in a text, and an unknown word promises nothing.
_VERBATIM = {"image": "object", "integer": "int", "number": "double", "boolean": "bool", "array": "list"}
# What a header may hold beside what an editor offers for it, in any dialect.
_MORE = ("environment_variables", "tools", "metadata", "authors", "tags", "version", "base", "kind", "display_name")
_KEYS = ("api_key", "apiKey", "key")
_FILLED = re.compile(r"\$\{env:")


def load(path: Path, chosen: Chosen) -> Flow:
    """The flow that the prompty at ``path`` is. Nothing is asked and no endpoint needs to be known yet.

    ``chosen.config`` changes its header by dotted names (``model.parameters.temperature=0``).

    Raises:
        LoadError: The file cannot be read, or says what no dialect of prompty says.
        UsageError: Something was chosen that a prompty does not have.
    """
    if chosen.variants:
        raise UsageError(
            f"{path}: {chosen.variants[0]} is for graphs of nodes; a prompty varies by its header:"
            " --config model.parameters.temperature=0."
        )
    if chosen.outputs:
        raise UsageError(f"{path}: outputs is for modules of functions; a prompty gives what its model answers.")
    name = re.sub(r"\W", "_", path.name.removesuffix(".prompty")) or "prompty"
    changes = overrides(name, chosen)
    prompty = read_prompty(path, dict(os.environ), changes)
    if changes:
        _known(path, changes)
    inputs = {port.name: _input(port, prompty) for port in prompty.inputs.values()}
    sample, found = _sample(prompty)
    literal = {OVERRIDES: changes} if changes else {}
    node = Node(
        name,
        Call("prompty", source="code", path=path.name, connection=_connection(prompty), api=prompty.model.api),
        {**{port: Reference("input", port) for port in inputs}, **literal},
        line=prompty.line,
        description=prompty.description,
    )
    return Flow(
        name=prompty.name,
        inputs=inputs,
        outputs={},
        nodes=(node,),
        source=Source(str(path.absolute()), "prompty", connections=chosen.connections, config=chosen.config),
        environment_variables=dict(prompty.environment_variables),
        description=prompty.description,
        diagnostics=(*found, *_findings(prompty)),
        whole=name,
        sample=sample,
        chat_style="messages",
    )


def overrides(node: str, chosen: Chosen) -> dict[str, Any]:
    """What was chosen as changes to the header.

    Raises:
        UsageError: A name that no header has.
    """
    changes: dict[str, Any] = {}
    for key, value in chosen.config.items():
        path = key.split(".")
        if path[-1] in _KEYS and not str(value).startswith("${env:"):
            raise UsageError(
                f"--config {key}: runs keep what they were told, so keys are not told this way; give a connection, or write"
                f" '{key}=${{env:NAME}}'."
            )
        _put(changes, path, _value(value))
    for name, settings in chosen.connections.items():
        if name != node:
            raise UsageError(f"--connections {name}.…: this prompty's one node is called {node!r}.")
        for key, value in settings.items():
            if key not in _CONNECTION:
                raise UsageError(f"--connections {node}.{key}: a prompty takes {', '.join(_CONNECTION)}.")
            _put(changes, ["model", "configuration", _CONNECTION[key]], value)
    return changes


def _known(path: Path, changes: Mapping[str, Any]) -> None:
    """Refuse changes to parts that no header has: they would change nothing.

    Raises:
        UsageError: Such a part; the message names the nearest.
    """
    known = {*HEADER, *_MORE, *read_prompty(path, dict(os.environ)).header}
    for name in changes.keys() - known:
        raise UsageError(f"{path}: --config {name}: a prompty has no {name!r}. {nearest(name, known)}")


def answering(flow: Flow) -> Flow:
    """A prompty that answers with the first choice, also where its header asks for the whole answer: for a conversation."""
    node = flow.nodes[0] if flow.nodes else None
    if node is None or node.call.type != "prompty":
        return flow
    over = node.inputs.get(OVERRIDES)
    changes = dict(over) if isinstance(over, Mapping) else {}
    prompty = read_prompty(Path(flow.source.file), dict(os.environ), changes)
    if prompty.model.response != "all":
        return flow
    first = merged(changes, {"model": {"response": "first"}})
    return flow.replace_nodes([dataclasses.replace(node, inputs={**node.inputs, OVERRIDES: first})])


def _put(changes: dict[str, Any], path: list[str], value: Any) -> None:
    for step in path[:-1]:
        inner = changes.setdefault(step, {})
        if not isinstance(inner, dict):
            raise UsageError(f"--config {'.'.join(path)}: {step} is given a value of its own, too.")
        changes = inner
    changes[path[-1]] = value


def _value(value: Any) -> Any:
    """A value from the command line as the header would have it: numbers, switches and JSON are what they look like."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _input(port: PromptyInput, prompty: Prompty) -> FlowInput:
    # A default that refers to a variable is filled in where the flow runs, which may know more variables than this process.
    later = isinstance(port.default, str) and bool(_FILLED.search(port.default))
    return FlowInput(
        name=port.name,
        type=_VERBATIM.get(port.type, port.type),
        default=None if later else port.default,
        description=port.description,
        is_chat_input=port.is_chat_input,
        is_chat_history=port.is_chat_history,
        line=prompty.lines.get(("inputs", port.name)),
        optional=not port.required,
    )


def _sample(prompty: Prompty) -> tuple[dict[str, Any], list[Diagnostic]]:
    if not prompty.sample:
        return {}, []
    try:
        return dict(read_sample(prompty.sample, prompty.file)), []
    except LoadError as error:
        # The flow runs without its sample; whoever asks for it is told.
        return {}, [_finding(prompty, "warning", error.code, error.message, line=prompty.lines.get(("sample",)))]


def _connection(prompty: Prompty) -> str | None:
    """The name of the connection, where the header names one: workers are given what their flow names."""
    given = prompty.model.configuration
    named = given.get("connection") if isinstance(given, Mapping) else None
    return str(named) if isinstance(named, str) and named and not _FILLED.search(named) else None


def _findings(prompty: Prompty) -> list[Diagnostic]:
    found = [_finding(prompty, "note", "NoEffect", note) for note in prompty.notes]
    template = template_of(prompty.template, prompty.engine, str(prompty.file), prompty.line, prompty.dialect)
    try:
        variables = template.variables
    except PenstockError as error:
        place, _, message = error.message.partition(": ")
        line = place.removeprefix(f"{prompty.file}:")
        if not line.isdecimal():
            return [*found, _finding(prompty, "error", error.code, error.message)]
        return [*found, _finding(prompty, "error", error.code, message, line=int(line))]
    thread = {"thread"} if prompty.dialect == "v1" else set()
    for name in sorted(variables - prompty.inputs.keys() - thread):
        found.append(
            _finding(
                prompty,
                "warning",
                "TemplateVariable",
                f"The template uses {name!r}, which is no input; it renders as nothing.",
                hint="Declare it under inputs.",
                line=prompty.line,
            )
        )
    if prompty.dialect == "v2" and not prompty.model.name:
        hint = "Give the header a line model: NAME."
        found.append(_finding(prompty, "error", "InvalidPrompty", "No model is named.", hint=hint, line=1))
    return found


def _finding(
    prompty: Prompty, severity: Any, code: str, message: str, *, hint: str = "", line: int | None = None
) -> Diagnostic:
    return Diagnostic(severity, code, message, str(prompty.file), line, hint)
