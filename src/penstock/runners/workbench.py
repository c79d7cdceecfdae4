"""A job made ready in this process: the flow loaded and bound, its models, its encoder. Both runners work on one of these."""

from __future__ import annotations

import dataclasses
import importlib
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from penstock.cache import ContentCache
from penstock.connections.resolve import Connections
from penstock.engine.aggregate import Aggregation, Columns, aggregate
from penstock.engine.bind import bind
from penstock.engine.host import LoopHost, ThreadHost
from penstock.engine.jsonable import Encoder
from penstock.engine.program import Program
from penstock.errors import PenstockError
from penstock.frontends.load import load
from penstock.graph.override import override_inputs
from penstock.graph.pin import pin_prompts
from penstock.graph.prompt import Pins
from penstock.models.offline import OfflineSpec
from penstock.models.pool import Models
from penstock.prompts.image import Image, image_rules, load_images, reference, stem_of, stored_name, suffix_of
from penstock.records import Failure, LineResult, NodeRun, Status
from penstock.runners.job import Job
from penstock.runners.packing import pack_aggregation, pack_failure, pack_result
from penstock.runners.runner import LineInput
from penstock.settings import Settings
from penstock.tools.builtin.session import Session
from penstock.tracing.commit import Commit


class Workbench:
    """What running the lines of ``job`` needs; ``bind`` loads the flow's code.

    Raises:
        LoadError: A setting or connection of the job cannot be used.
    """

    program: Program
    closures: dict[str, str]
    encoder: Encoder
    thread_host: ThreadHost
    loop_host: LoopHost

    def __init__(self, job: Job, pool: ThreadPoolExecutor) -> None:
        self.job = job
        self._pool = pool
        settings = Settings(home=Path(job.settings["home"]), env=dict(os.environ), file=job.settings.get("file", {}))
        offline = OfflineSpec.from_json(job.offline) if job.offline else None
        self.connections = Connections.from_export(dict(job.connections), job.secrets)
        self.redactor = self.connections.redactor
        self.images = image_rules(job.settings.get("file", {}).get("images", {}))
        answers = ContentCache(Path(job.cache) / "answers") if job.cache else None
        self.models = Models(settings, offline, secrets=self.connections.secrets(), workers=job.workers, cache=answers)
        # All workers of a run, and those of the run that resumes it, use what was looked up once.
        prompts = Pins.from_json(job.prompts)
        self.session = Session(self.models, self.connections, prompts, lookup=False, commit=Commit(job.commit))

    def bind(self) -> None:
        """Load and bind the flow.

        Raises:
            LoadError: It cannot run.
        """
        job, pool = self.job, self._pool
        loaded = load(
            job.flow,
            variants=job.variants,
            connections=job.overrides,
            init=job.init,
            config=job.config,
            outputs=job.outputs,
            here=True,
        )
        flow = override_inputs(pin_prompts(loaded, self.session.prompts), job.inputs)
        self.program = bind(flow, connections=self.connections, models=self.models, images=self.images)
        if not self.models.offline and any(step.kind in ("llm", "custom_llm") for step in self.program.steps):
            # Takes 0.2 s that the first line's model call need not wait for.
            importlib.import_module("aiohttp")
        # Now, as the files say what was loaded; while the run goes on somebody may edit them.
        self.closures = self.program.closures()
        cache = ContentCache(Path(job.cache) / "nodes") if job.cache else None
        self.thread_host = ThreadHost(job.node_concurrency, pool if job.node_concurrency > 1 else None, cache)
        self.loop_host = LoopHost(pool, job.node_concurrency, cache)
        saver = _saver(Path(job.files), flow.message_format) if job.files else None
        self.encoder = Encoder(saver, self.redactor, texts=flow.message_format == "openai-vision")

    def pack(self, result: LineResult, attempt: int = 1) -> bytes:
        """A result frame."""
        return pack_result(result, self.encoder.encode, attempt)

    def pack_failure(self, line: LineInput, failure: Failure, seconds: float = 0.0) -> bytes:
        """The frame of a line that failed outside its nodes, after ``seconds``."""
        return pack_failure(line, failure, self.encoder.encode, seconds)

    def aggregation_nodes(self) -> dict[int, str]:
        """Names of the aggregation nodes by position."""
        return {step.position: step.name for step in self.program.steps[self.program.line_steps :]}

    async def aggregate(
        self,
        inputs: Mapping[str, list[Any]],
        outputs: Mapping[str, list[Any]],
        lines: int,
        begins: Callable[[int], None] | None = None,
    ) -> bytes:
        """Run the aggregation nodes and give the ``Aggregation`` as JSON text; ``begins`` is told the position of each.

        Images that the journal holds as paths become images again.
        """
        try:
            columns = Columns(self._loaded(inputs), self._loaded(outputs), lines)
        except PenstockError as error:
            found = Aggregation(self._unbegun(Failure(error.code, error.message)), ())
            return pack_aggregation(found, self.encoder.encode)
        limit = self.job.line_timeout
        found = await aggregate(self.program, columns, self.loop_host, limit=limit, begins=begins)
        return pack_aggregation(found, self.encoder.encode)

    def _loaded(self, columns: Mapping[str, list[Any]]) -> dict[str, Any]:
        kept = Path(self.job.files) if self.job.files else None
        folder = kept.parent if kept is not None else self.program.folder
        rules = dataclasses.replace(self.images, kept=kept)
        style = self.program.flow.message_format
        loaded: dict[str, Any] = load_images(dict(columns), folder=folder, message_format=style, rules=rules)
        return loaded

    def _unbegun(self, failure: Failure) -> tuple[NodeRun, ...]:
        """All aggregation nodes, as failed before they began."""
        return tuple(
            NodeRun(name, Status.FAILED, failure=dataclasses.replace(failure, node=name))
            for name in self.aggregation_nodes().values()
        )


def _saver(folder: Path, message_format: str) -> Any:
    def save(image: Image) -> dict[str, Any]:
        if image.source_url:
            # The record names the address; the file is for those who look at the run without a network.
            _write(image, folder / f"{stem_of(image.source_url)}{suffix_of(image)}")
            return reference(image, message_format)
        target = folder / stored_name(image)
        _write(image, target)
        return reference(image, message_format, f"{folder.name}/{target.name}")

    return save


def _write(image: Image, target: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        part.write_bytes(bytes(image))
        part.replace(target)
    except OSError:
        part.unlink(missing_ok=True)
        raise
