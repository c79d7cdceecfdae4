"""``RunSpec``: all that a batch run is told, whether by flags, a run file, the Python API or another run."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.errors import UsageError
from penstock.graph.prompt import Given, Pins
from penstock.models.offline import OfflineSpec
from penstock.store.names import safe_name


@dataclass(frozen=True, slots=True)
class Budget:
    """When a run stops by itself, cleanly and resumable; None means no limit.

    Attributes:
        lines: Lines run.
        tokens: Tokens used by model calls.
        cost: US dollars.
        seconds: Wall time.
    """

    lines: int | None = None
    tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A batch run to be.

    Attributes:
        flow: Flow folder or file.
        data: Data files or folders by source name; prompt flow's only one is called ``data``.
        runs: Names of the referenced runs, the first is ``${run.outputs…}``.
        column_mapping: Flow inputs from columns; see ``runs.mapping``.
        variants: ``${node.variant}`` choices.
        connections: Connection overrides by node.
        overrides: Node inputs by ``nodes.NODE.inputs.INPUT``.
        init: Arguments of the constructor, where the flow is a class.
        config: Of a graph of functions: what its ``when(…)`` decide by.
        outputs: What is asked of a graph of functions; those that its file names unless given.
        prompts: By node, input or ``node.input``: a reference (``greet@prod``), ``@FILE``, text, or one looked up already.
        pins: What an earlier run looked up, in place of ``prompts``.
        environment_variables: Over those of the flow; ``${connection.key}`` is looked up.
        name: Unique name; made from flow, variant and time where not given.
        display_name: May hold ``${run}``, ``${variant_id}`` and ``${timestamp}``.
        concurrency: Lines in flight at once over all workers.
        workers: Worker processes.
        node_concurrency: Nodes of one line at once; 2 unless told, as in prompt flow's batches.
        line_timeout: Seconds a line may take.
        batch_timeout: Seconds the run may take before it fails.
        worker_memory: Bytes of address space a worker may use.
        budget: When to stop.
        join_on: Column by whose value rows of several sources are joined, instead of by line number.
        resume_from: A run whose completed lines are taken over.
        offline: The model that stands in for every endpoint.
        cache: Whether models, and nodes with ``enable_cache``, may take their answers from earlier runs.
        environment: The interpreter that the flow's code runs in, as ``environments.choose`` takes it; None for this one.
        python: The Python version of an environment that is built.
        notes: What a reader of the run should know of the way it was told.
    """

    flow: str = ""
    data: Mapping[str, str] = field(default_factory=dict[str, str])
    runs: tuple[str, ...] = ()
    column_mapping: Mapping[str, Any] = field(default_factory=dict[str, Any])
    variants: tuple[str, ...] = ()
    connections: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    overrides: Mapping[str, Any] = field(default_factory=dict[str, Any])
    init: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    outputs: tuple[str, ...] = ()
    prompts: Mapping[str, Given] = field(default_factory=dict[str, "Given"])
    pins: Pins | None = None
    environment_variables: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    name: str | None = None
    display_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    properties: Mapping[str, Any] = field(default_factory=dict[str, Any])
    concurrency: int | None = None
    workers: int | None = None
    node_concurrency: int = 2
    line_timeout: float | None = None
    batch_timeout: float | None = None
    worker_memory: int | None = None
    budget: Budget = Budget()
    join_on: str | None = None
    resume_from: str | None = None
    offline: OfflineSpec | None = None
    cache: bool = False
    environment: str | None = None
    python: str | None = None
    notes: tuple[str, ...] = ()


def run_name(spec: RunSpec, flow_file: Path, now: datetime.datetime, *, nodes: bool = True) -> str:
    """A name as prompt flow makes it: flow folder, variant (of a flow of ``nodes``, which may have some), time."""
    variant = "_".join(part[1] for part in map(variant_parts, spec.variants)) or ("variant_0" if nodes else "")
    return safe_name("_".join(filter(None, (flow_file.parent.name, variant, f"{now:%Y%m%d_%H%M%S_%f}"))))


def variant_parts(text: str) -> tuple[str, str]:
    """Node and variant of ``${node.variant}``, or ``config.KEY`` and value of ``config.KEY=VALUE``.

    Raises:
        UsageError: It reads otherwise.
    """
    match = re.fullmatch(r"\$\{([^.]+)\.([^}]+)\}", text) or re.fullmatch(r"(config\.[^=]+)=(.+)", text)
    if match is None:
        raise UsageError(
            f"Invalid variant {text!r}: write '${{NODE.VARIANT}}', in single quotes, or config.KEY=VALUE for functions."
        )
    return match.group(1), match.group(2)


def display_name(text: str | None, spec: RunSpec, name: str, now: datetime.datetime) -> str:
    """The display name with its macros filled in; the run's name where none is given."""
    if not text:
        return name
    variant = "_".join(part[1] for part in map(variant_parts, spec.variants)) or "variant_0"
    values = {"run": spec.runs[0] if spec.runs else "", "variant_id": variant, "timestamp": f"{now:%Y%m%d%H%M}"}
    return re.sub(r"\$\{(run|variant_id|timestamp)\}", lambda match: values[match[1]], text)
