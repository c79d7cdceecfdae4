"""A module of functions, or the flow.penstock.yaml that names some, as a flow."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.errors import LoadError, UsageError
from penstock.frontends import hamilton
from penstock.frontends.chosen import Chosen
from penstock.frontends.functions.description import describe
from penstock.frontends.functions.file import FunctionsFile, read_functions_file
from penstock.frontends.functions.graph import Graph, Settings, build
from penstock.frontends.functions.modules import import_modules
from penstock.frontends.functions.ports import declare, unknown_inputs
from penstock.frontends.functions.scan import scan
from penstock.graph.flow import Flow, Source
from penstock.yaml import Document


def load_file(path: Path, chosen: Chosen) -> Flow:
    """The flow of one Python file: each of its public functions is a node.

    Raises:
        LoadError: It cannot be imported, or its functions make no graph.
        UsageError: An output or a configuration that it does not know.
    """
    return _load(path, FunctionsFile(path.stem, (path.name,)), chosen)


def load(document: Document, chosen: Chosen) -> Flow:
    """The flow of the modules that a flow.penstock.yaml names; see ``load_file``."""
    return _load(Path(document.file).absolute(), read_functions_file(document), chosen)


def _load(path: Path, said: FunctionsFile, chosen: Chosen) -> Flow:
    if chosen.variants:
        raise UsageError(
            f"{path}: a graph of functions has no variant {chosen.variants[0]!r}; its alternatives are chosen by"
            " config.KEY=VALUE."
        )
    environment = chosen.environment(said.environment_variables)
    if not chosen.here:
        return describe(path, chosen, environment)
    hamilton.skip_extensions(path.parent / name for name in said.modules)
    modules, kept = import_modules(said.modules, path.parent, environment)
    settings = settings_of(path, said, chosen)
    if hamilton.is_hamilton(modules):
        flow = _of_hamilton(modules, settings, chosen)
    else:
        flow = graph_of(modules, settings).flow(chosen.outputs)
    return dataclasses.replace(
        flow,
        environment_variables=said.environment_variables,
        prompts=said.prompts,
        sample=said.sample,
        message_format=said.message_format,
        loaded=kept,
    )


def _of_hamilton(modules: Sequence[ModuleType], settings: Settings, chosen: Chosen) -> Flow:
    """The flow of modules that use Hamilton, whose own rules then decide; with the names that the file gives."""
    declared = {} if chosen.outputs else settings.outputs
    asked = chosen.outputs or tuple(dict.fromkeys(str(port.value) for port in declared.values()))
    flow = hamilton.load_modules(modules, settings.config, asked)
    outputs = {
        name: dataclasses.replace(flow.outputs[str(port.value)], name=name, description=port.description)
        for name, port in declared.items()
    }
    inputs = {name: declare(settings.inputs.get(name), port) for name, port in flow.inputs.items()}
    unknown = unknown_inputs(flow.inputs, settings.inputs, settings.source.file)
    return dataclasses.replace(
        flow,
        name=settings.name,
        inputs=inputs,
        outputs=outputs or flow.outputs,
        source=dataclasses.replace(settings.source, format=flow.source.format),
        diagnostics=(*flow.diagnostics, *unknown),
    )


def settings_of(path: Path, said: FunctionsFile, chosen: Chosen) -> Settings:
    """What was said about the graph in its file and by whoever loads it, who wins."""
    source = Source(
        str(path), "functions", connections=chosen.connections, config=chosen.config, outputs=chosen.outputs
    )
    return Settings(
        name=said.name,
        source=source,
        config={**said.config, **chosen.config},
        inputs=said.inputs,
        outputs=said.outputs,
        connections=chosen.connections,
        description=said.description,
    )


def graph_of(modules: Iterable[ModuleType], settings: Settings) -> Graph:
    """The functions of all ``modules`` as one graph.

    Raises:
        LoadError: They make none, or there is no public function at all.
        UsageError: Configuration that nobody takes.
    """
    modules = list(modules)
    functions = [function for module in modules for function in scan(module)]
    if not functions:
        names = ", ".join(getattr(module, "__file__", None) or module.__name__ for module in modules)
        raise LoadError(
            f"{names}: there is no public function here, so there is nothing to run; names that begin with an underscore"
            " are private.",
            code="InvalidFlow",
        )
    description = settings.description or (_doc(modules[0]) if len(modules) == 1 else "")
    return build(functions, dataclasses.replace(settings, description=description))


def _doc(module: Any) -> str:
    return str(module.__doc__ or "").strip()
