"""From a run's specification to the job that its workers get: flow loaded and checked, includes merged, secrets collected."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from penstock.connections.model_configuration import connections_in, keys_in
from penstock.connections.redact import secret_variables
from penstock.connections.resolve import Connections
from penstock.environments.environment import Environment
from penstock.errors import InputError
from penstock.frontends.environment import as_text, environment
from penstock.frontends.includes import merge
from penstock.frontends.load import find, load
from penstock.graph.check import require
from penstock.graph.flow import Flow
from penstock.graph.override import override_inputs
from penstock.registry.pins import with_prompts
from penstock.runners.job import Job
from penstock.runs.spec import RunSpec
from penstock.settings import Settings

DEFAULT_CONCURRENCY = 32
# Tables of penstock.toml that hold keys and passwords, and that no worker reads.
_KEPT_HERE = frozenset({"connections", "store"})


def plan_flow(spec: RunSpec, stack: ExitStack, connections: Connections | None = None) -> Flow:
    """The flow, checked; from a temporary folder with its includes merged in where it has any.

    Raises:
        LoadError: It cannot run.
        InputError: It has no inputs, so that there is nothing to run it over.
    """
    flow = _load(spec.flow, spec, connections)
    require(override_inputs(flow, spec.overrides))
    if not flow.inputs and flow.whole is None:
        raise InputError(
            f"{flow.source.file}: a flow without inputs cannot be run over data; declare an input, or use `flow test`.",
            code="InputNotFound",
        )
    if any(part.additional_includes for part in flow.parts):
        temporary = Path(tempfile.mkdtemp(prefix="penstock-flow-"))
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        merged = merge(flow, temporary / Path(flow.source.file).parent.name)
        flow = _load(merged, spec, connections)
    return flow


def _load(source: str | Path, spec: RunSpec, connections: Connections | None) -> Flow:
    return load(
        source,
        variants=spec.variants,
        connections=spec.connections,
        init=spec.init,
        config=spec.config,
        outputs=spec.outputs,
        environment=None if connections is None else functools.partial(_variables, spec, connections),
    )


def _variables(spec: RunSpec, connections: Connections, own: Mapping[str, Any]) -> dict[str, str]:
    """The variables for the process that imports a module of functions to describe it."""
    return {**connections.env_values, **environment(own, spec.environment_variables, connections.get)[0]}


def plan_prompts(spec: RunSpec, flow: Flow, settings: Settings) -> tuple[Flow, list[str]]:
    """The flow with its prompts looked up, once for all workers, and notes; a resumed run keeps those it had.

    Raises:
        UsageError: A prompt for what is no node or input.
        VersionNotFound: A reference to what is not there.
        StoreError: The store does not answer, and nothing is known from before.
    """
    return with_prompts(flow, spec.prompts, settings, known=spec.pins)


def plan_job(
    spec: RunSpec,
    settings: Settings,
    flow: Flow,
    connections: Connections,
    files: Path,
    *,
    own: Environment | None = None,
    commit: str | None = None,
) -> tuple[Job, list[str]]:
    """What the workers are told, and notes for the reader of the run.

    Args:
        spec: Of the run.
        settings: Of this process.
        flow: As it was loaded, with its prompts looked up.
        connections: Where connection names are looked up.
        files: Where images of results are written.
        own: The flow's own interpreter.
        commit: Of the flow's folder.

    Raises:
        LoadError: A variable of the flow's that refers to a connection that is not there.
        BadConnection: A connection of the flow's that is malformed.
    """
    variables, notes = environment(flow.environment_variables, spec.environment_variables, connections.get)
    workers, concurrency = worker_count(spec, settings), line_concurrency(spec, settings)
    exported = connections.export(_connection_names(spec, flow, connections))
    secrets = connections.secrets() | secret_variables({**connections.env_values, **variables}) | _init_keys(flow)
    job = Job(
        flow=flow.source.file,
        variants=spec.variants,
        overrides=spec.connections,
        inputs=spec.overrides,
        init=flow.source.init,
        config=flow.source.config,
        outputs=flow.source.outputs,
        prompts=flow.pins.to_json() if flow.pins else {},
        commit=commit,
        connections=exported,
        environment={**connections.env_values, **variables},
        offline=spec.offline.to_json() if spec.offline else None,
        settings={"home": str(settings.home), "file": {k: v for k, v in settings.file.items() if k not in _KEPT_HERE}},
        concurrency=concurrency,
        node_concurrency=spec.node_concurrency,
        line_timeout=spec.line_timeout or settings.line_timeout,
        files=str(files),
        cache=str(settings.home / "cache") if spec.cache else None,
        workers=workers,
        memory=spec.worker_memory,
        interpreter=str(own.python) if own else None,
        secrets=tuple(sorted(secrets)),
    )
    return job, notes


def worker_count(spec: RunSpec, settings: Settings) -> int:
    """Worker processes: as told, else one a core; never more than lines may be in flight."""
    return min(spec.workers or settings.workers or os.cpu_count() or 1, line_concurrency(spec, settings))


def line_concurrency(spec: RunSpec, settings: Settings) -> int:
    """Lines in flight over all workers."""
    return spec.concurrency or settings.concurrency or DEFAULT_CONCURRENCY


def flow_path(spec: RunSpec) -> Path:
    """The flow file as the user named it, absolute."""
    return find(spec.flow)


def _init_keys(flow: Flow) -> set[str]:
    return {key for node in flow.nodes for name, value in node.call.init.items() for key in keys_in(value, name)}


def _connection_names(spec: RunSpec, flow: Flow, connections: Connections) -> list[str]:
    """Connections that the flow may ask for: those that its file and the overrides name, and those of the env files."""
    flow = override_inputs(flow, spec.overrides)
    nodes = [node for part in flow.parts for node in part.nodes]
    names = {node.call.connection for node in nodes if node.call.connection}
    for node in nodes:
        names.update(value for value in node.inputs.values() if isinstance(value, str))
        names.update(name for value in node.call.init.values() for name in connections_in(value))
    for value in (*flow.environment_variables.values(), *spec.environment_variables.values()):
        text = as_text(value)
        if text.startswith("${"):
            names.add(text[2:].partition(".")[0])
    if any(node.call.type == "function" for node in nodes):
        names |= _named_in_code(Path(flow.source.file).parent, connections.names())
    return sorted(name for name in names if connections.knows(name))


def _named_in_code(folder: Path, known: Iterable[str]) -> set[str]:
    """Those of the ``known`` connections whose name stands in the Python files of ``folder``, in quotes."""
    text = "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in folder.glob("*.py"))
    return {name for name in known if f'"{name}"' in text or f"'{name}'" in text}
