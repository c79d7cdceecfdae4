"""Hamilton modules: Hamilton resolves their decorators, the resolved nodes become a flow like any other.

Nothing of Hamilton is imported before a module that uses it was.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import re
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.errors import LoadError, MissingDependency, UsageError
from penstock.frontends.hamilton_calls import Adapters
from penstock.frontends.hamilton_choices import check_keys, choices_of, fitted, unchosen
from penstock.frontends.hamilton_nodes import Asked, flow_of, is_input, leaves
from penstock.graph.check import nearest
from penstock.graph.diagnostic import Diagnostic
from penstock.graph.flow import Flow, FlowOutput, Source
from penstock.graph.node import Call, Node
from penstock.graph.reference import Reference, Step

_AUTOLOAD = "HAMILTON_AUTOLOAD_EXTENSIONS"
# Decorators and types that ask the registry which column or file types there are.
_NEEDS_EXTENSIONS = re.compile(
    r"\b(extract_columns|parameterize_extract_columns|parameterize_frame|with_columns|load_from|save_to|dataloader|datasaver"
    r"|check_output|check_output_custom|h_pandas|h_polars|h_spark|h_pandera|from_|to)\b"
)


def is_hamilton(modules: Sequence[ModuleType]) -> bool:
    """Whether one of ``modules`` uses Hamilton's decorators or types."""
    return any(_of_hamilton(value) for module in modules for value in list(vars(module).values()))


def _of_hamilton(value: object) -> bool:
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return isinstance(name, str) and name.partition(".")[0] == "hamilton"


def skip_extensions(files: Iterable[str | Path]) -> None:
    """Before modules are imported: keep Hamilton from importing every data library there is, unless they need one.

    Args:
        files: Source files of the modules.
    """
    sources = [path.read_text(encoding="utf-8", errors="replace") for file in files if (path := Path(file)).is_file()]
    if any("hamilton" in text for text in sources) and not any(_NEEDS_EXTENSIONS.search(text) for text in sources):
        os.environ.setdefault(_AUTOLOAD, "0")


def load_modules(
    modules: Sequence[ModuleType],
    config: Mapping[str, Any],
    outputs: Sequence[str],
    adapters: Sequence[Any] = (),
) -> Flow:
    """The flow that modules of Hamilton functions make.

    Args:
        modules: Imported modules; where two define a node, the later one's counts.
        config: What ``@config.when`` and the like decide by; other keys are inputs that are given already.
        outputs: Functions whose values the flow gives; those that no other function takes, where none are named.
        adapters: Hamilton's lifecycle adapters to call around the nodes.

    Raises:
        MissingDependency: Hamilton is not installed.
        LoadError: Hamilton refuses the modules, or a value in ``config`` fits no alternative.
        UsageError: A name in ``outputs`` or ``config`` that nothing in the modules has.
    """
    config = fitted(modules, config)
    driver = _driver(modules, config, adapters)
    nodes = driver.graph.nodes
    # Hamilton makes a node of every key that it is given.
    check_keys(modules, config, {name for node in nodes.values() for name in node.input_types})
    source = _source(modules, config, outputs)
    found = Adapters(adapters)
    asked = tuple(outputs) or leaves(nodes)
    for name in asked:
        if name not in nodes:
            known = [key for key, node in nodes.items() if not is_input(node)]
            raise UsageError(f"{source.file}: there is no function {name!r}. {nearest(name, known)}")
    warnings = [*_warnings(found, source), *_choices_left(modules, nodes, asked, config, source)]
    if found.remote:
        flow = _whole_driver(driver, nodes, config, asked, source)
        warnings.append(_warning(source, "RunsElsewhere", remote_sentence(found.remote)))
    else:
        flow = flow_of(nodes, config, Asked(asked, tasks=bool(found)), found, source)
        if found or found.watchers:
            flow = dataclasses.replace(flow, around=found.around(driver.graph, asked))
    name = ", ".join(module.__name__ for module in modules)
    flow = dataclasses.replace(flow, choices=choices_of(modules, config))
    return _replaced(flow, name, tuple(warnings))


def _driver(modules: Sequence[ModuleType], config: Mapping[str, Any], adapters: Sequence[Any]) -> Any:
    try:
        driver = importlib.import_module("hamilton.driver")
        _load_pandas()
    except ImportError as error:
        if (error.name or "").partition(".")[0] in ("hamilton", "packaging", "pandas", "numpy"):
            raise MissingDependency("A module of Hamilton functions", "hamilton") from error
        raise
    builder = driver.Builder().with_modules(*modules).with_config(dict(config)).with_adapters(*adapters)
    if len(modules) > 1 and hasattr(builder, "allow_module_overrides"):
        builder = builder.allow_module_overrides()
    try:
        with _findable(modules):
            return builder.build()
    except Exception as error:
        names = ", ".join(getattr(module, "__file__", None) or module.__name__ for module in modules)
        raise LoadError(f"{names}: Hamilton cannot make a graph of it: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _findable(modules: Sequence[ModuleType]) -> Generator[None]:
    """Hamilton looks up by name which module a function was defined in; isolated modules stand under no name."""
    before = {module.__name__: sys.modules.get(module.__name__) for module in modules}
    sys.modules.update({module.__name__: module for module in modules})
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _load_pandas() -> None:
    """Make the pandas types known where nothing else did: without them ``@extract_columns`` cannot be resolved."""
    if os.environ.get(_AUTOLOAD) != "0":
        importlib.import_module(
            "packaging"
        )  # undeclared by Hamilton; without it its pandas types fail to load, silently


def _source(modules: Sequence[ModuleType], config: Mapping[str, Any], outputs: Sequence[str]) -> Source:
    file = next((found for module in modules if (found := getattr(module, "__file__", None))), modules[0].__name__)
    return Source(file=str(file), format="hamilton", config=dict(config), outputs=tuple(outputs))


def remote_sentence(names: Sequence[str]) -> str:
    """What is said where adapters take the nodes elsewhere."""
    return (
        f"{', '.join(names)} sends nodes to other machines, so Hamilton's own driver runs the whole graph as one node; its"
        " functions do not show one by one."
    )


def unheard_sentence(names: Sequence[str]) -> str:
    """What is said where adapters wait for tasks."""
    return (
        f"{', '.join(names)} waits for tasks of Hamilton's own executors; Penstock runs nodes, so it hears of no task."
    )


def _warning(source: Source, code: str, message: str) -> Diagnostic:
    return Diagnostic("warning", code, message, source.file, None)


def _warnings(adapters: Adapters, source: Source) -> list[Diagnostic]:
    found = []
    if adapters.unheard:
        found.append(_warning(source, "AdapterNotHeard", unheard_sentence(adapters.unheard)))
    return found


def _choices_left(
    modules: Sequence[ModuleType],
    nodes: Mapping[str, Any],
    asked: Sequence[str],
    config: Mapping[str, Any],
    source: Source,
) -> list[Diagnostic]:
    found = []
    for name, choices in unchosen(modules, config).items():
        if name in nodes and is_input(nodes[name]) and name not in config and name not in asked:
            ways = " or ".join(f"--config {key}={value}" for key, values in choices.items() for value in values)
            message = f"None of the alternatives of {name!r} was chosen, so it is an input. Choose one with {ways}."
            found.append(_warning(source, "AlternativeNotChosen", message))
    return found


def _replaced(flow: Flow, name: str, warnings: tuple[Diagnostic, ...]) -> Flow:
    return dataclasses.replace(flow, name=name, strict=True, diagnostics=(*flow.diagnostics, *warnings))


def _whole_driver(
    driver: Any, nodes: Mapping[str, Any], config: Mapping[str, Any], asked: Sequence[str], source: Source
) -> Flow:
    """One node that runs everything with Hamilton's own driver."""

    def run(**inputs: Any) -> Any:
        found = driver.execute(list(asked), inputs=inputs)
        return found if isinstance(found, dict) else {name: found[name] for name in asked}

    plain = flow_of(nodes, config, Asked(tuple(asked)), Adapters(), source)
    inputs = {name: Reference("input", name) for name in plain.inputs}
    node = Node("hamilton_driver", Call("function", function=run), inputs, description="Runs Hamilton's own driver.")
    outputs = {name: FlowOutput(name, Reference("node", node.name, path=name, steps=(_key(name),))) for name in asked}
    return Flow(plain.name, plain.inputs, outputs, (node,), source)


def _key(name: str) -> Step:
    return ("key", name)
