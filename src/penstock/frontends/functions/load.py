"""A module of functions, or the flow.penstock.yaml that names some, as a flow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from penstock.frontends.functions.scan import Function, scan, scan_function
from penstock.graph.flow import Flow, Source
from penstock.graph.slice import slice as part_of
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
    return load_modules(path, said, chosen, environment).flow(chosen.outputs)


def load_modules(path: Path, said: FunctionsFile, chosen: Chosen, environment: Mapping[str, str]) -> Wired:
    """The graph of the modules that ``said`` names, imported into this process.

    Args:
        path: The flow's file; its folder is where the modules are.
        said: What the file says.
        chosen: What whoever loads it says.
        environment: Variables to set while the modules are imported.

    Raises:
        LoadError: They cannot be imported, or make no graph.
        UsageError: A configuration that they do not know.
    """
    hamilton.skip_extensions(path.parent / name for name in said.modules)
    modules, kept = import_modules(said.modules, path.parent, environment)
    graph = graph_of(modules, settings_of(path, said, chosen))
    whole = dataclasses.replace(
        graph.whole,
        environment_variables=said.environment_variables,
        prompts=said.prompts,
        sample=said.sample,
        message_format=said.message_format,
        loaded=kept,
    )
    return dataclasses.replace(graph, whole=whole)


@dataclass(frozen=True, slots=True)
class HamiltonGraph:
    """The functions of modules that use Hamilton, whose own rules decide which are nodes; see ``Graph``."""

    whole: Flow
    modules: tuple[ModuleType, ...]
    settings: Settings

    def flow(self, outputs: Sequence[str] = (), given: Iterable[str] = ()) -> Flow:
        """The flow that computes ``outputs``, the declared ones, or those that nobody takes.

        Raises:
            UsageError: There is no such function.
        """
        declared = {} if outputs else self.settings.outputs
        asked = tuple(outputs) or tuple(dict.fromkeys(str(port.value) for port in declared.values()))
        found = hamilton.load_modules(self.modules, self.settings.config, asked)
        given = tuple(given)
        if given:
            found = part_of(found, tuple(found.outputs), given)
        named = {
            name: dataclasses.replace(found.outputs[str(port.value)], name=name, description=port.description)
            for name, port in declared.items()
        }
        whole = self.whole
        return dataclasses.replace(
            found,
            name=self.settings.name,
            inputs={name: declare(self.settings.inputs.get(name), port) for name, port in found.inputs.items()},
            outputs=named or found.outputs,
            source=dataclasses.replace(self.settings.source, format=found.source.format, outputs=tuple(outputs)),
            diagnostics=(
                *found.diagnostics,
                *unknown_inputs(found.inputs, self.settings.inputs, self.settings.source.file),
            ),
            environment_variables=whole.environment_variables,
            prompts=whole.prompts,
            sample=whole.sample,
            message_format=whole.message_format,
            loaded=whole.loaded,
        )


Wired = Graph | HamiltonGraph


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


def graph_of(parts: Iterable[ModuleType | Callable[..., Any]], settings: Settings) -> Wired:
    """The functions of all modules, and single functions, as one graph.

    Raises:
        LoadError: They make none, or there is no public function at all.
        UsageError: Configuration that nobody takes.
    """
    parts = list(parts)
    modules = [part for part in parts if isinstance(part, ModuleType)]
    if hamilton.is_hamilton(modules):
        whole = Flow(settings.name, {}, {}, (), settings.source)
        return HamiltonGraph(whole, tuple(modules), settings)
    functions: list[Function] = []
    for part in parts:
        functions.extend(scan(part) if isinstance(part, ModuleType) else [scan_function(part)])
    if not functions:
        names = ", ".join(getattr(module, "__file__", None) or module.__name__ for module in modules)
        raise LoadError(
            f"{names}: there is no public function here, so there is nothing to run; names that begin with an underscore"
            " are private.",
            code="InvalidFlow",
        )
    description = settings.description or (_doc(modules[0]) if len(modules) == 1 == len(parts) else "")
    return build(functions, dataclasses.replace(settings, description=description))


def _doc(module: Any) -> str:
    return str(module.__doc__ or "").strip()
