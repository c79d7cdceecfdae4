"""What a worker is told before its first line: plain JSON, so that it can cross a pipe to another process or machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Job:
    """A flow to run and all that it needs; holds secrets, so it is never written to disk or shown.

    Attributes:
        flow: Absolute path of the flow file as it is to be loaded (includes merged in).
        variants: ``${node.variant}`` choices.
        overrides: Connection overrides by node.
        inputs: Node inputs to replace.
        init: For the constructor of a flow that is a class.
        config: Of a graph of functions.
        outputs: What is asked of a graph of functions.
        prompts: The prompts that were looked up for this run, as ``Pins.to_json`` gives them.
        commit: The git commit of the flow, None for none.
        connections: The connections the flow may use, with their secrets.
        environment: Variables to set before the flow's code is loaded.
        offline: The offline model's specification, or None for the real ones.
        settings: What ``Settings`` a worker needs: home, and the tables of penstock.toml.
        concurrency: Lines at once; each worker process is told its share.
        node_concurrency: Nodes of one line at once.
        line_timeout: Seconds a line may take, None for no limit.
        files: Folder where images of results are written, None to leave them out.
        cache: Folder where answers of nodes and models are kept, None for none.
        workers: How many workers share the allowances a minute of each connection.
        memory: Bytes of address space a worker may use, None for no limit.
        interpreter: Executable of the Python that workers run in, None for this one.
        secrets: Values that must not reach a record: those of the connections and of variables that hold keys.
    """

    flow: str
    variants: tuple[str, ...] = ()
    overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    init: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    outputs: tuple[str, ...] = ()
    prompts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    commit: str | None = None
    connections: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    offline: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    concurrency: int = 16
    node_concurrency: int = 2
    line_timeout: float | None = 600.0
    files: str | None = None
    cache: str | None = None
    workers: int = 1
    memory: int | None = None
    interpreter: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``."""
        tuples = {name: tuple(data[name]) for name in ("variants", "outputs", "secrets")}
        return cls(**{**data, **tuples})
