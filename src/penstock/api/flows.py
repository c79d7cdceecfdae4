"""The Python API: load a flow and call it, run a batch, read its results."""

from __future__ import annotations

import copy
import dataclasses
import functools
import importlib
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from penstock.connections.redact import secret_variables
from penstock.connections.resolve import Connections
from penstock.engine.inline import Inline
from penstock.engine.streams import is_stream
from penstock.environments.choose import choose
from penstock.environments.loading import loading_in
from penstock.errors import PenstockError
from penstock.frontends.environment import environment
from penstock.frontends.includes import merge, moved
from penstock.frontends.load import find
from penstock.frontends.load import load as load_flow
from penstock.graph.flow import Flow
from penstock.graph.override import override_inputs
from penstock.graph.prompt import Given
from penstock.models.offline import OfflineSpec
from penstock.models.pool import Models
from penstock.prompts.image import image_rules
from penstock.records import Failure, LineResult, NodeRun
from penstock.registry.pins import with_prompts
from penstock.settings import Settings, read_settings


class FlowError(PenstockError):
    """A flow that was called and failed; ``result`` holds what its nodes did until then."""

    default_code = "ToolExecutionError"

    def __init__(self, failure: Failure, result: LineResult) -> None:
        super().__init__(failure.message, code=failure.kind)
        self.failure = failure
        self.result = result


class FlowFunction:
    """A flow that can be called like a function: ``load(path)(question="…")`` gives its outputs as a dict.

    Its code is imported on the first call. Calls may come from several threads, and ``await flow.call_async(…)`` from an
    event loop; the flow's folder is the process's working directory while its code runs.
    """

    def __init__(
        self,
        flow: Flow,
        connections: Connections,
        models: Models,
        variables: Mapping[str, Any],
        settings: Settings,
        *,
        elsewhere: Callable[[Flow], Inline] | None = None,
    ) -> None:
        names, self.notes = environment(flow.environment_variables, variables, connections.get)
        connections.also_secret(secret_variables(names))
        self.flow = _merged(flow, self)
        if elsewhere is not None:
            self.inline = elsewhere(self.flow)
            return
        self.inline = Inline(
            self.flow,
            connections=connections,
            models=models,
            environment={**connections.env_values, **names},
            node_concurrency=settings.node_concurrency,
            images=image_rules(settings.file.get("images", {})),
        )

    def __call__(self, **inputs: Any) -> Any:
        """Call the flow; returns its outputs by name, or what its entry returned where the flow is one function or class.

        Raises:
            LoadError: The flow cannot run at all.
            FlowError: This call failed.
        """
        return self.value(self.invoke(inputs))

    async def call_async(self, **inputs: Any) -> Any:
        """The same for a caller with an event loop."""
        return self.value(await self.inline.call_async(inputs))

    def value(self, result: LineResult) -> Any:
        """What a call of the flow gives to its caller: see ``__call__``.

        Raises:
            FlowError: The call that gave ``result`` failed.
        """
        output = _output(result)
        run = next((run for run in result.nodes if run.node == self.flow.whole), None)
        return output if run is None else _bare(run.output, output)

    def invoke(self, inputs: Mapping[str, Any]) -> LineResult:
        """Call the flow; returns everything there is to know about the call, a failure included."""
        return self.inline.call(inputs)

    def stream(self, **inputs: Any) -> Iterator[tuple[str, Any]]:
        """Call the flow and yield ``(output name, piece)`` as the pieces come; outputs that do not stream come whole.

        Raises:
            FlowError: The call failed before its first piece.
        """
        output = _output(self.inline.call(inputs, streaming=True))
        for name, value in output.items():
            for piece in self.inline.pieces(value) if is_stream(value) else (value,):
                yield name, piece

    async def stream_async(self, **inputs: Any) -> AsyncIterator[tuple[str, Any]]:
        """``stream`` for a caller with an event loop."""
        output = _output(await self.inline.call_async(inputs, streaming=True))
        for name, value in output.items():
            if is_stream(value):
                async for piece in self.inline.pieces_async(value):
                    yield name, piece
            else:
                yield name, value

    def node(self, name: str, **values: Any) -> NodeRun:
        """Run one node of the flow with the given flow inputs, node inputs and ``other.output`` values."""
        return self.inline.call_node(name, values)

    def close(self) -> None:
        """Free the flow's threads and connections."""
        self.inline.close()


def flow_variables(own: Mapping[str, Any], given: Mapping[str, Any], connections: Connections) -> dict[str, str]:
    """The variables for a flow's code: of the env files, of the flow's file (``own``), and ``given``, the later ones first."""
    return {**connections.env_values, **environment(own, given, connections.get)[0]}


def _output(result: LineResult) -> dict[str, Any]:
    if result.failure is not None:
        raise FlowError(result.failure, result)
    return dict(result.output or {})


def _bare(value: Any, output: dict[str, Any]) -> Any:
    """What the code returned; where it held streams, their texts are in their place."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        streams = {name: item for name, item in output.items() if getattr(value, name) is not item}
        return _replaced(value, streams) if streams else value
    return output if isinstance(value, Mapping) else output["output"]


def _replaced(value: Any, fields: Mapping[str, Any]) -> Any:
    changed = copy.copy(value)
    for name, item in fields.items():
        # Past a frozen dataclass's own guard: the copy is nobody's yet.
        object.__setattr__(changed, name, item)
    return changed


def _merged(flow: Flow, owner: object) -> Flow:
    """The flow, from a folder with its includes merged in where it has any; the folder goes when ``owner`` goes."""
    if not any(part.additional_includes for part in flow.parts):
        return flow
    folder = Path(tempfile.mkdtemp(prefix="penstock-"))
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    # The folder keeps the flow's own name: user code and messages may show it.
    target = folder / Path(flow.source.file).parent.name
    merged = merge(flow, target)
    # Not loaded again: the inputs that the caller replaced would be lost.
    return moved(flow, merged)


def load(
    source: str | Path,
    *,
    connections: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Mapping[str, str]] | None = None,
    inputs: Mapping[str, Any] | None = None,
    variant: str | tuple[str, ...] = (),
    init: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    outputs: tuple[str, ...] = (),
    prompts: Mapping[str, Given] | None = None,
    env: Mapping[str, Any] | None = None,
    env_file: str | Path | tuple[str | Path, ...] = (),
    offline: str | OfflineSpec | None = None,
    environment: str | None = None,
    python: str | None = None,
    settings: Settings | None = None,
) -> FlowFunction:
    """A flow as a function.

    Args:
        source: A flow folder or file.
        connections: Connections by name: objects, or plain forms such as ``{"type": "open_ai", "api_key": …}``.
        overrides: Connection settings by node: ``{"node": {"connection": "name", "deployment_name": "gpt-4o"}}``.
        inputs: Node inputs to override: ``{"nodes.fetch.inputs.url": "…"}``.
        variant: One or several ``${node.variant}``, or ``config.KEY=VALUE``.
        init: Arguments of the constructor, where the flow is a class.
        config: Of a graph of functions: what its ``when(…)`` decide by.
        outputs: Functions whose values are asked for, in a graph of functions.
        prompts: By node, input or ``node.input``: a reference to the store (``greet@prod``), ``@FILE``, text, a ``Path``, or
            one that ``get_prompt`` gave. They always win.
        env: Variables for the flow's code, over those in its file.
        env_file: Files of connections and variables.
        offline: A rules file (``scripted:PATH``) or a cassette (``replay:PATH``, ``record:PATH``) in place of real models.
        environment: The interpreter that the flow's code runs in: ``auto`` (built from its requirements.txt), the path of a
            virtual environment, or the id of one that is built; this one unless told. Values then cross as JSON.
        python: The Python of an environment that is built, as in ``3.12``.
        settings: Read from the environment unless given.

    Raises:
        LoadError: No flow can be made of ``source``.
    """
    settings = settings or read_settings()
    files = (env_file,) if isinstance(env_file, (str, Path)) else env_file
    found = Connections.open(settings, files, connections or {})
    variants = (variant,) if isinstance(variant, str) else tuple(variant)
    own = choose(environment, find(source), home=settings.home, env=settings.env, python=python)
    with loading_in(own.python if own else None):
        flow = load_flow(
            source,
            variants=variants,
            connections=overrides or {},
            init=init,
            config=config,
            outputs=outputs,
            here=own is None,
            environment=lambda said: flow_variables(said, env or {}, found),
        )
    flow, _ = with_prompts(flow, prompts or {}, settings)
    flow = override_inputs(flow, inputs or {})
    spec = OfflineSpec.parse(offline) if isinstance(offline, str) else offline
    models = Models(settings, spec, secrets=found.secrets())
    if own is None:
        return FlowFunction(flow, found, models, env or {}, settings)
    # Imported by name: worker processes are a world of their own, which most callers need not wait for.
    place = importlib.import_module("penstock.api.elsewhere")
    spec = spec and dataclasses.replace(spec, path=str(Path(spec.path).absolute()))
    told = place.told(source, variants, overrides or {}, inputs or {}, env or {}, spec)
    elsewhere = functools.partial(
        place.Elsewhere, own=own, spec=told, settings=settings, connections=found, models=models
    )
    return FlowFunction(flow, found, models, env or {}, settings, elsewhere=elsewhere)
