"""A job made ready in this process: the flow loaded and bound, its models, its encoder. Both runners work on one of these."""

from __future__ import annotations

import hashlib
import json
import math
import mimetypes
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from penstock.cache import ContentCache
from penstock.connections.resolve import Connections
from penstock.engine.aggregate import Aggregation, Columns, aggregate
from penstock.engine.bind import bind
from penstock.engine.host import LoopHost, ThreadHost
from penstock.engine.jsonable import Encoder
from penstock.frontends.load import load
from penstock.graph.override import override_inputs
from penstock.models.offline import OfflineSpec
from penstock.models.pool import Models
from penstock.prompts.image import Image, load_images
from penstock.records import LineResult, Status
from penstock.runners import frames
from penstock.runners.job import Job
from penstock.settings import Settings
from penstock.tools.builtin.session import Session, adopt

_STATUS = list(Status)
_EXTENSIONS = {"image/jpeg": ".jpg", "image/*": ".bin"}


class Workbench:
    """Loads and binds the flow of ``job``; everything that running its lines needs.

    Raises:
        LoadError: The flow cannot run.
    """

    def __init__(self, job: Job, pool: ThreadPoolExecutor) -> None:
        self.job = job
        settings = Settings(home=Path(job.settings["home"]), env=dict(os.environ), file=job.settings.get("file", {}))
        offline = OfflineSpec.from_json(job.offline) if job.offline else None
        connections = Connections.from_export(dict(job.connections), job.secrets)
        answers = ContentCache(Path(job.cache) / "answers") if job.cache else None
        self.models = Models(settings, offline, secrets=connections.secrets(), workers=job.workers, cache=answers)
        adopt(Session(self.models, connections))
        flow = override_inputs(load(job.flow, variants=job.variants, connections=job.overrides), job.inputs)
        self.program = bind(flow, connections=connections, models=self.models)
        cache = ContentCache(Path(job.cache) / "nodes") if job.cache else None
        self.thread_host = ThreadHost(job.node_concurrency, pool if job.node_concurrency > 1 else None, cache)
        self.loop_host = LoopHost(pool, job.node_concurrency, cache)
        saver = _saver(Path(job.files), flow.message_format) if job.files else None
        self.encoder = Encoder(saver, connections.redactor)

    def pack(self, result: LineResult) -> bytes:
        """A result frame."""
        return pack_result(result, self.encoder)

    async def aggregate(
        self, inputs: Mapping[str, list[Any]], outputs: Mapping[str, list[Any]], lines: int
    ) -> Aggregation:
        """Run the aggregation nodes; images that the journal holds as paths become images again."""
        folder = Path(self.job.files).parent if self.job.files else self.program.folder
        style = self.program.flow.message_format
        return await aggregate(
            self.program,
            Columns(
                load_images(dict(inputs), folder=folder, message_format=style),
                load_images(dict(outputs), folder=folder, message_format=style),
                lines,
            ),
            self.loop_host,
        )


def pack_result(result: LineResult, encoder: Encoder) -> bytes:
    """A result as a frame: numbers that the parent counts, then the record as JSON text."""
    usage = result.usage
    head = frames.RESULT.pack(
        result.index,
        _STATUS.index(result.status),
        usage.calls,
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        math.nan if usage.cost is None else usage.cost,
        result.duration,
    )
    return frames.pack(frames.RESULT_KIND, head + encoder.encode(result.to_json()).encode())


def aggregation_json(found: Aggregation, encoder: Encoder) -> bytes:
    """An aggregation as JSON text."""
    body = {"nodes": [run.to_json() for run in found.nodes], "metrics": [metric.to_json() for metric in found.metrics]}
    return encoder.encode(body).encode()


def _saver(folder: Path, message_format: str) -> Any:
    def save(image: Image) -> dict[str, Any]:
        if image.source_url:
            return _dict(message_format, image, "url", image.source_url)
        extension = _EXTENSIONS.get(image.mime_type) or mimetypes.guess_extension(image.mime_type) or ".bin"
        # Named by content: the same picture is one file, whichever lines and workers write it.
        name = hashlib.sha1(bytes(image), usedforsecurity=False).hexdigest() + extension
        target = folder / name
        if not target.exists():
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / f".{name}.{os.getpid()}"
            part.write_bytes(bytes(image))
            part.replace(target)
        return _dict(message_format, image, "path", f"{folder.name}/{name}")

    return save


def _dict(message_format: str, image: Image, resource: str, value: str) -> dict[str, Any]:
    if message_format == "openai-vision":
        if resource == "url":
            return {"type": "image_url", "image_url": {"url": value}}
        return {"type": "image_file", "image_file": {"path": value}}
    return {f"data:{image.mime_type};{resource}": value}


def read_aggregation(body: bytes) -> dict[str, Any]:
    """What ``aggregation_json`` wrote, as plain JSON."""
    found: dict[str, Any] = json.loads(body)
    return found
