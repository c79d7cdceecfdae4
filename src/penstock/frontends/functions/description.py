"""The flow of functions as another process describes it: so that looking at a flow runs none of its code here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.environments.loading import ask_loader
from penstock.errors import LoadError, PenstockError, UsageError
from penstock.frontends.chosen import Chosen
from penstock.graph.flow import Flow
from penstock.graph.flow_json import unpack

_SECONDS = 300


def describe(path: Path, chosen: Chosen, environment: Mapping[str, str]) -> Flow:
    """The flow at ``path``, of which no node can be called.

    Raises:
        LoadError: It cannot be loaded; the message is that of the process that tried.
        UsageError: A choice that does not fit it.
    """
    request = {
        "source": str(path),
        "connections": {node: dict(found) for node, found in chosen.connections.items()},
        "config": dict(chosen.config),
        "outputs": list(chosen.outputs),
        "environment": dict(environment),
    }
    try:
        text = json.dumps(request)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{path}: the configuration of a flow that others load must be plain JSON: {error}."
        ) from error
    try:
        told = ask_loader("penstock.frontends.describe", request=text.encode(), seconds=_SECONDS)
    except TimeoutError as error:
        raise LoadError(
            f"{path}: importing it takes longer than {_SECONDS} s; what it does at import belongs in a function.",
            code="PythonLoadError",
        ) from error
    answer = told.answer
    if answer is None:
        said = told.said[-500:]
        raise LoadError(
            f"{path}: the process that imports it ended with {told.code}{f': {said}' if said else '.'}",
            code="PythonLoadError",
        )
    if "error" in answer:
        raise _error(answer["error"])
    flow = unpack(answer["flow"])
    assert isinstance(flow, Flow), "what describes flows gives one"
    return flow


def _error(found: Mapping[str, Any]) -> PenstockError:
    kinds: dict[str, type[PenstockError]] = {"LoadError": LoadError, "UsageError": UsageError}
    return kinds.get(found["kind"], PenstockError)(found["message"], code=found["code"])
