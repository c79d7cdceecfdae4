"""A module of functions, or the flow.penstock.yaml that names some, as a flow."""

from __future__ import annotations

import importlib
from pathlib import Path

from penstock.errors import UsageError
from penstock.frontends.chosen import Chosen
from penstock.frontends.functions.description import describe
from penstock.frontends.functions.file import FunctionsFile, read_functions_file
from penstock.graph.flow import Flow
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
    # What wires functions need not be imported where they are only described.
    wire = importlib.import_module("penstock.frontends.functions.wire")
    flow: Flow = wire.load_modules(path, said, chosen, environment).flow(chosen.outputs)
    return flow
