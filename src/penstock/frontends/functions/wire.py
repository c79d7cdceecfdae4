"""The graph that modules of functions make: by the rules of this package, or by Hamilton's where they use that."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.errors import LoadError
from penstock.frontends.chosen import Chosen
from penstock.frontends.functions.file import FunctionsFile
from penstock.frontends.functions.graph import Graph, Settings, build
from penstock.frontends.functions.modules import import_modules
from penstock.frontends.functions.ports import declare, unknown_inputs
from penstock.frontends.functions.scan import Function, scan, scan_function
from penstock.graph.check import nearest
from penstock.graph.flow import Flow, Source
from penstock.graph.slice import slice as part_of


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
    files = [path.parent / name for name in said.modules]
    if any(_mentions_hamilton(file) for file in files):
        _hamilton().skip_extensions(files)
    named = [name.rpartition(":") for name in said.adapters]
    imported, kept = import_modules((*said.modules, *(module for module, _, _ in named)), path.parent, environment)
    modules, owners = imported[: len(said.modules)], imported[len(said.modules) :]
    graph = graph_of(modules, settings_of(path, said, chosen))
    if named:
        made = [_adapter(owner, name, path) for owner, (_, _, name) in zip(owners, named, strict=True)]
        graph = _with_adapters(graph, made, path)
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
    adapters: tuple[Any, ...] = ()

    def flow(self, outputs: Sequence[str] = (), given: Iterable[str] = ()) -> Flow:
        """The flow that computes ``outputs``, the declared ones, or those that nobody takes.

        Raises:
            UsageError: There is no such function.
        """
        declared = {} if outputs else self.settings.outputs
        asked = tuple(outputs) or tuple(dict.fromkeys(str(port.value) for port in declared.values()))
        found: Flow = _hamilton().load_modules(self.modules, self.settings.config, asked, self.adapters)
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


def _adapter(owner: ModuleType, name: str, path: Path) -> Any:
    if not hasattr(owner, name):
        raise LoadError(f"{path}: adapters: {owner.__name__} has no {name!r}. {nearest(name, vars(owner))}")
    found = getattr(owner, name)
    try:
        return found() if isinstance(found, type) else found
    except Exception as error:
        message = f"{path}: adapters: {name} cannot be made without arguments: ({type(error).__name__}) {error}"
        raise LoadError(f"{message}. Name an object of {owner.__name__} instead.") from error


def _with_adapters(graph: Wired, adapters: Sequence[Any], path: Path) -> Wired:
    if isinstance(graph, HamiltonGraph):
        return dataclasses.replace(graph, adapters=tuple(adapters))
    raise LoadError(f"{path}: adapters are Hamilton's, and none of the modules uses Hamilton.", code="InvalidFlow")


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
    if "hamilton" in sys.modules and _hamilton().is_hamilton(modules):
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


def _mentions_hamilton(file: Path) -> bool:
    return file.is_file() and b"hamilton" in file.read_bytes()


def _hamilton() -> Any:
    # Brings much that only such modules need, so that the process which describes a flow need not wait for it.
    return importlib.import_module("penstock.frontends.hamilton")
