"""A flow called from this process whose code runs in another interpreter."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from penstock.connections.resolve import Connections
from penstock.engine.aggregate import Aggregation
from penstock.engine.inline import Inline
from penstock.engine.program import Program
from penstock.environments.environment import Environment, hold
from penstock.errors import UsageError
from penstock.graph.flow import Flow
from penstock.models.offline import OfflineSpec
from penstock.models.pool import Models
from penstock.prompts.image import load_images
from penstock.records import LineResult, NodeRun
from penstock.runners.job import Job
from penstock.runners.processes import ProcessSession
from penstock.runners.runner import Delivered, LineInput
from penstock.runs.plan import plan_job
from penstock.runs.spec import RunSpec
from penstock.settings import Settings

# Processes that wait for the next call.
_IDLE = os.cpu_count() or 1


class Elsewhere(Inline):
    """The calls of ``Inline``, each in a process of the interpreter ``own``.

    Values cross as JSON, so that an output is what a batch would store of it; one that streams comes whole. Calls at once run
    side by side, each in a process that stays for the next.

    Args:
        flow: A loaded flow.
        own: Its interpreter.
        spec: What was chosen when it was loaded.
        settings: Of this process.
        connections: Where its connections are looked up.
        models: Where its models would come from, were it run here.
    """

    def __init__(
        self,
        flow: Flow,
        own: Environment,
        spec: RunSpec,
        settings: Settings,
        connections: Connections,
        models: Models,
    ) -> None:
        super().__init__(flow, connections=connections, models=models)
        self._files = Path(tempfile.mkdtemp(prefix="penstock-")) / "images"
        job, self.notes = plan_job(spec, settings, flow, connections, self._files, own=own)
        self._job = dataclasses.replace(job, concurrency=1, workers=1, line_timeout=None, cache=None)
        self._idle: list[ProcessSession] = []
        self._lock = threading.Lock()  # protects the list of idle sessions
        self._calls = 0
        weakref.finalize(self, _end, self._idle, hold(own), self._files.parent)

    @property
    def program(self) -> Program:
        """Nothing is bound here.

        Raises:
            UsageError: Always.
        """
        raise UsageError("A flow with an environment of its own is bound there, not in this process.")

    def call(self, values: Mapping[str, Any], *, streaming: bool = False, live: bool = False) -> LineResult:
        """Run the flow once; see ``Inline.call``.

        Raises:
            LoadError: It cannot run there.
        """
        del streaming, live  # values that cross are whole and plain
        delivered: list[Delivered] = []
        with self._process() as session:
            self._calls += 1
            session.run(iter([LineInput(self._calls, values)]), delivered.append)
        result = LineResult.from_json(json.loads(delivered[0].record))
        folder, style = self._files.parent, self.flow.message_format
        return dataclasses.replace(result, output=load_images(result.output, folder=folder, message_format=style))

    async def call_async(self, values: Mapping[str, Any], *, streaming: bool = False, live: bool = False) -> LineResult:
        """The same for a caller with an event loop."""
        return await asyncio.to_thread(self.call, values, streaming=streaming, live=live)

    def aggregate(self, result: LineResult) -> Aggregation:
        """Run the aggregation nodes over one completed call; see ``Inline.aggregate``."""
        inputs = {name: [value] for name, value in (result.inputs or {}).items()}
        outputs = {run.node: [run.output] for run in result.nodes}
        with self._process() as session:
            return session.aggregate(inputs, outputs, 1)

    def call_node(self, name: str, values: Mapping[str, Any]) -> NodeRun:
        """Not possible across processes.

        Raises:
            UsageError: Always; the command line can.
        """
        del values
        raise UsageError(
            f"Node {name!r} cannot be run alone in another environment from here; `penstock flow test --node {name} --env …`"
            " can."
        )

    def close(self) -> None:
        """End the processes."""
        while self._idle:
            self._idle.pop().close()
        super().close()

    @contextmanager
    def _process(self) -> Generator[ProcessSession]:
        """A process for one call, kept afterwards unless the call could not be made."""
        with self._lock:
            session = self._idle.pop() if self._idle else None
        session = session or _open(self._job)
        try:
            yield session
        except BaseException:
            session.close()
            raise
        with self._lock:
            if len(self._idle) < _IDLE:
                self._idle.append(session)
                return
        session.close()


def told(
    source: str | Path,
    variants: tuple[str, ...],
    connections: Mapping[str, Mapping[str, str]],
    inputs: Mapping[str, Any],
    variables: Mapping[str, Any],
    offline: OfflineSpec | None,
) -> RunSpec:
    """What was chosen when a flow was loaded, as its processes are told."""
    return RunSpec(
        flow=str(source),
        variants=variants,
        connections=connections,
        overrides=inputs,
        environment_variables=variables,
        offline=offline,
        node_concurrency=16,
    )


def _open(job: Job) -> ProcessSession:
    return ProcessSession(job, 1)


def _end(idle: list[ProcessSession], handle: int | None, folder: Path) -> None:
    while idle:
        idle.pop().close()
    if handle is not None:
        os.close(handle)
    shutil.rmtree(folder, ignore_errors=True)
