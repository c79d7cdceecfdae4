"""``penstock.flow``: functions called as a flow, with live objects in and out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.api.flows import FlowError, flow_variables
from penstock.connections.resolve import Connections
from penstock.drawing.scene import scene_of
from penstock.drawing.terminal import terminal
from penstock.engine.inline import Inline
from penstock.errors import UsageError
from penstock.frontends.chosen import Chosen
from penstock.frontends.functions.file import FunctionsFile, is_functions_file, read_functions_file
from penstock.frontends.functions.wire import Wired, graph_of, load_modules, settings_of
from penstock.frontends.load import find
from penstock.graph.check import require
from penstock.graph.flow import Flow
from penstock.graph.prompt import Given
from penstock.graph.variants import variants
from penstock.models.offline import OfflineSpec
from penstock.models.pool import Models
from penstock.prompts.image import image_rules
from penstock.records import LineResult
from penstock.registry.pins import with_prompts
from penstock.settings import Settings, read_settings
from penstock.yaml import read

Part = ModuleType | Callable[..., Any]
Outputs = str | Sequence[str]
# Slices of one graph that are kept bound; a program that asks for more different ones builds them anew.
_KEPT = 32


@dataclasses.dataclass(frozen=True, slots=True)
class _World:
    """What the nodes of a flow reach."""

    connections: Connections
    models: Models
    variables: Mapping[str, Any]
    settings: Settings
    isolated: bool


class FunctionFlow:
    """Functions as a flow: call it with the flow's inputs by name.

    It may be called from several threads, and with ``await flow.call_async(…)`` from an event loop.
    """

    def __init__(
        self, graph: Wired, outputs: Outputs | None, world: _World, wire: Callable[[Mapping[str, Any]], Wired]
    ) -> None:
        self._graph = graph
        self._outputs = outputs
        self._world = world
        self._wire = wire
        self._bound: dict[tuple[tuple[str, ...], frozenset[str]], Inline] = {}
        self.flow: Flow = graph.flow(_names(outputs))
        clash = sorted({"outputs", "overrides"} & self.flow.inputs.keys())
        if clash:
            raise UsageError(
                f"The flow's input {clash[0]!r} is called like an argument of the call; rename the parameter of"
                f" {self.flow.source.file or self.flow.name}."
            )
        require(self.flow)

    def __call__(
        self, *, outputs: Outputs | None = None, overrides: Mapping[str, Any] | None = None, **inputs: Any
    ) -> Any:
        """Call the flow.

        Args:
            outputs: Functions whose values are wanted, in place of those that the flow was made for. Any function will do.
            overrides: Values of functions that are then not run.
            inputs: The flow's inputs.

        Returns:
            A dict of values by name; the value itself where ``outputs`` is one name.

        Raises:
            FlowError: A function failed, or an input is missing or unknown; ``result`` says how far it came.
            UsageError: An output or an override that is no function.
        """
        wanted = self._outputs if outputs is None else outputs
        return _value(self.invoke(inputs, outputs=wanted, overrides=overrides), wanted)

    async def call_async(
        self, *, outputs: Outputs | None = None, overrides: Mapping[str, Any] | None = None, **inputs: Any
    ) -> Any:
        """The same for a caller with an event loop."""
        wanted = self._outputs if outputs is None else outputs
        inline, values = self._prepared(inputs, wanted, overrides)
        return _value(await inline.call_async(values, live=True), wanted)

    def invoke(
        self,
        inputs: Mapping[str, Any],
        *,
        outputs: Outputs | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> LineResult:
        """Call the flow; returns everything there is to know about the call, a failure included."""
        inline, values = self._prepared(inputs, self._outputs if outputs is None else outputs, overrides)
        return inline.call(values, live=True)

    def configured(self, **config: Any) -> FunctionFlow:
        """The same functions under another configuration.

        Raises:
            LoadError: The functions make no graph under it.
            UsageError: Configuration that nobody takes.
        """
        return FunctionFlow(self._wire(config), self._outputs, self._world, self._wire)

    @property
    def variants(self) -> tuple[str, ...]:
        """What can be chosen, as ``config.KEY=VALUE``; what is in force first."""
        return variants(self.flow)

    def show(self) -> str:
        """A picture of the graph as text."""
        return terminal(scene_of(self.flow))

    def __repr__(self) -> str:
        inputs, outputs = ", ".join(self.flow.inputs), ", ".join(self.flow.outputs)
        return f"<flow {self.flow.name}({inputs}) -> {outputs}>"

    def close(self) -> None:
        """Free the flow's threads and connections."""
        while self._bound:
            self._bound.popitem()[1].close()

    def _prepared(
        self, inputs: Mapping[str, Any], outputs: Outputs | None, overrides: Mapping[str, Any] | None
    ) -> tuple[Inline, dict[str, Any]]:
        given = dict(overrides or {})
        both = sorted(given.keys() & inputs.keys())
        if both:
            raise UsageError(f"{both[0]!r} is given twice: as an input and in overrides.")
        return self._inline(_names(outputs), frozenset(given)), {**inputs, **given}

    def _inline(self, outputs: tuple[str, ...], given: frozenset[str]) -> Inline:
        key = (outputs, given)
        inline = self._bound.get(key)
        if inline is None:
            world = self._world
            flow = self._graph.flow(outputs, sorted(given))
            inline = Inline(
                flow,
                connections=world.connections,
                models=world.models,
                environment=flow_variables(flow.environment_variables, world.variables, world.connections),
                node_concurrency=world.settings.node_concurrency,
                isolated=world.isolated,
                images=image_rules(world.settings.file.get("images", {})),
            )
            while len(self._bound) >= _KEPT:
                self._bound.pop(next(iter(self._bound)), None)
            self._bound[key] = inline
        return inline


def flow(
    source: str | Path | Part | Iterable[Part],
    outputs: Outputs | None = None,
    config: Mapping[str, Any] | None = None,
    *,
    prompts: Mapping[str, Given] | None = None,
    connections: Mapping[str, Any] | None = None,
    env: Mapping[str, Any] | None = None,
    env_file: str | Path | tuple[str | Path, ...] = (),
    offline: str | OfflineSpec | None = None,
    settings: Settings | None = None,
) -> FunctionFlow:
    """Functions as a flow: each public function is a node, each parameter an edge to the function of its name, or an input.

    Args:
        source: A module or several, single functions, or a file: a ``.py`` file, a flow.penstock.yaml or its folder.
        outputs: Functions whose values are wanted: several names give a dict, one name gives the value itself. Without any,
            those that no other function takes.
        config: What alternatives (``when``) are chosen by, and values of parameters that no function provides.
        prompts: By node or input: a reference to the store (``greet@prod``), ``@FILE``, or text. They always win.
        connections: Connections by name: objects, or plain forms such as ``{"type": "open_ai", "api_key": …}``.
        env: Variables for the code of a file.
        env_file: Files of connections and variables.
        offline: A rules file (``scripted:PATH``) or a cassette (``replay:PATH``, ``record:PATH``) in place of real models.
        settings: Read from the environment unless given.

    Raises:
        LoadError: The functions make no graph: each mismatch is a sentence with file and line.
        UsageError: An output or a configuration that they do not know.
    """
    settings = settings or read_settings()
    files = (env_file,) if isinstance(env_file, (str, Path)) else env_file
    found = Connections.open(settings, files, connections or {})
    spec = OfflineSpec.parse(offline) if isinstance(offline, str) else offline
    variables = env or {}
    named = isinstance(source, (str, Path))
    if not named and variables:
        raise UsageError(
            "env is for a flow that is loaded from a file; these functions run in this program's own environment."
        )
    plain = _of_file(find(source), variables, found) if isinstance(source, (str, Path)) else _of_parts(source)

    def wire(changes: Mapping[str, Any]) -> Wired:
        graph = plain({**(config or {}), **changes})
        whole, _ = with_prompts(graph.whole, prompts or {}, settings)
        return dataclasses.replace(graph, whole=whole)

    world = _World(found, Models(settings, spec, secrets=found.secrets()), variables, settings, named)
    return FunctionFlow(wire({}), outputs, world, wire)


def _of_file(
    path: Path, variables: Mapping[str, Any], connections: Connections
) -> Callable[[Mapping[str, Any]], Wired]:
    if path.suffix == ".py":
        said = FunctionsFile(path.stem, (path.name,))
    else:
        document = read(path) if path.is_file() else None
        if document is None or not is_functions_file(document):
            raise UsageError(f"{path}: this is no file of functions; use penstock.load for flows of other kinds.")
        said = read_functions_file(document)
    environment = flow_variables(said.environment_variables, variables, connections)
    return lambda config: load_modules(path, said, Chosen(config=config, here=True), environment)


def _of_parts(source: Part | Iterable[Part]) -> Callable[[Mapping[str, Any]], Wired]:
    if not (isinstance(source, (ModuleType, Iterable)) or callable(source)):
        raise UsageError(f"A flow is made of modules and functions, or of a file; {source!r} is none of these.")
    parts: list[Part] = [source] if isinstance(source, ModuleType) or callable(source) else list(source)
    for part in parts:
        if not (isinstance(part, ModuleType) or callable(part)):
            raise UsageError(f"A flow is made of modules and functions; {part!r} is neither.")
    if not parts:
        raise UsageError("A flow is made of at least one module or function.")
    names = [str(getattr(part, "__name__", part)) for part in parts]
    file = next((found for part in parts if (found := _file_of(part))), None)
    # A program without a file, such as a notebook, works in its folder.
    path = Path(file).absolute() if file else Path.cwd() / names[0]
    said = FunctionsFile(", ".join(name.rpartition(".")[2] for name in names), ())
    return lambda config: graph_of(parts, settings_of(path, said, Chosen(config=config, here=True)))


def _file_of(part: Part) -> str | None:
    if isinstance(part, ModuleType):
        return getattr(part, "__file__", None)
    code = getattr(part, "__code__", None)
    file = getattr(code, "co_filename", None)
    return file if file and not file.startswith("<") else None


def _names(outputs: Outputs | None) -> tuple[str, ...]:
    if outputs is None:
        return ()
    return (outputs,) if isinstance(outputs, str) else tuple(outputs)


def _value(result: LineResult, outputs: Outputs | None) -> Any:
    if result.failure is not None:
        raise FlowError(result.failure, result)
    found = dict(result.output or {})
    return found[outputs] if isinstance(outputs, str) else found
