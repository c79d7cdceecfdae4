"""A module of functions, or the flow.penstock.yaml that names some, as a flow."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.errors import LoadError, UsageError
from penstock.frontends.chosen import Chosen
from penstock.frontends.functions.description import describe
from penstock.frontends.functions.file import FunctionsFile, read_functions_file
from penstock.frontends.functions.graph import Graph, Settings, build
from penstock.frontends.functions.modules import import_modules
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
    modules, kept = import_modules(said.modules, path.parent, environment)
    graph = graph_of(modules, settings_of(path, said, chosen))
    flow = graph.flow(chosen.outputs)
    return dataclasses.replace(
        flow,
        environment_variables=said.environment_variables,
        prompts=said.prompts,
        sample=said.sample,
        message_format=said.message_format,
        loaded=kept,
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
