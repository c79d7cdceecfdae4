"""A flow as a function: ``load_flow(folder)(question="…")``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.api import FlowFunction, load
from penstock.compat.promptflow.exceptions import UserErrorException
from penstock.compat.promptflow.prompty import AsyncPrompty, Prompty
from penstock.compat.promptflow.translate import translated
from penstock.connections.kinds import Connection
from penstock.frontends.load import find, is_flex
from penstock.records import LineResult
from penstock.tools.isolation import calling_folder
from penstock.yaml import read

_ERRORS = (
    "promptflow.executor._errors",
    "promptflow._core._errors",
    "promptflow.core._errors",
    "promptflow._sdk._errors",
)


@dataclass
class FlowContext:
    """What a flow is called with besides its inputs.

    Args:
        connections: For a node, its connections: parameter to the connection's name, or to the connection itself.
        variant: ``${node.variant}``.
        environment_variables: Variables that the flow sees.
        overrides: ``{"nodes.<node>.inputs.<input>": value}``.
        streaming: Whether an output that comes piece by piece is returned as a generator.
    """

    connections: dict[str, Any] = field(default_factory=dict[str, Any])
    variant: str | None = None
    environment_variables: dict[str, str] = field(default_factory=dict[str, str])
    overrides: dict[str, Any] = field(default_factory=dict[str, Any])
    streaming: bool = False

    def snapshot(self) -> tuple[Any, ...]:
        """A copy of the values, to see later whether they were changed."""
        nodes = {node: dict(one) if isinstance(one, Mapping) else one for node, one in self.connections.items()}
        return nodes, self.variant, dict(self.environment_variables), dict(self.overrides), self.streaming


class Flow:
    """A flow that was loaded from its folder; call it with its inputs as keywords.

    It is made ready at the first call, and again after ``context`` or the flow's file was changed.
    """

    def __init__(self, source: str | Path) -> None:
        self.source = Path(source)
        self.context = FlowContext()
        self.init: dict[str, Any] = {}
        self._made: tuple[Any, FlowFunction] | None = None

    @classmethod
    def load(cls, source: str | Path, **options: Any) -> Any:
        """The flow at ``source``, a folder or a flow file; a ``Prompty`` where it is one.

        Raises:
            UserErrorException: There is none.
        """
        if Path(source).suffix == ".prompty":
            kind = AsyncPrompty if issubclass(cls, AsyncFlow) else Prompty
            return kind.load(source, **options)
        # What else there is among prompt flow's options changes nothing here.
        path = Path(source)
        if not path.exists():
            # Another thread may be loading a flow at this moment, from that flow's folder.
            path = (calling_folder() or Path()) / source
        with translated(*_ERRORS):
            file = find(path)
        if cls is Flow and (not file.is_file() or (file.suffix in (".yaml", ".yml") and is_flex(read(file)))):
            return FlexFlow(path)
        return cls(path)

    @property
    def name(self) -> str:
        """The name of the flow's folder."""
        return (self.source if self.source.is_dir() else self.source.parent).resolve().name

    def __call__(self, *args: Any, **inputs: Any) -> Any:
        """The outputs by name.

        Raises:
            UserErrorException: An input is missing or does not fit, or the flow failed.
        """
        if args:
            raise UserErrorException("A flow takes its inputs as keywords: flow(question=…), not flow(…).")
        with translated(*_ERRORS):
            function = self._ready()
            if not self.context.streaming:
                return function(**inputs)
            return function.value(function.inline.call(inputs, streaming=True))

    def invoke(self, inputs: Mapping[str, Any]) -> LineResult:
        """The whole result, with the nodes' own; a failure of the flow is in it and not raised."""
        with translated(*_ERRORS):
            return self._ready().invoke(inputs)

    def _ready(self) -> FlowFunction:
        key = (self.context.snapshot(), dict(self.init), _stamp(self.source))
        if self._made is None or self._made[0] != key:
            given, settings = _split(self.context.connections)
            function = load(
                self.source,
                connections=given,
                overrides=settings,
                inputs=self.context.overrides,
                variant=self.context.variant or (),
                init=self.init,
                env=self.context.environment_variables,
            )
            self._made = (key, function)
        return self._made[1]


class FlexFlow(Flow):
    """A flow that is one function or class; ``init`` are the values for the constructor of a class.

    prompt flow refuses to call one, here it is called like any other: what its entry returns comes back as it is.
    """

    @property
    def entry(self) -> str:
        """``module:name``, as the flow's file has it."""
        file = find(self.source)
        return str(read(file).value["entry"]) if file.is_file() else file.name


class AsyncFlow(Flow):
    """A flow whose calls are awaited; several may run at once."""

    async def __call__(self, *args: Any, **inputs: Any) -> Any:
        """See ``Flow``."""
        if args or self.context.streaming:
            return await asyncio.to_thread(super().__call__, *args, **inputs)
        with translated(*_ERRORS):
            return await self._ready().call_async(**inputs)

    async def invoke(self, inputs: Mapping[str, Any]) -> LineResult:  # type: ignore[override]  # awaited, as prompt flow's
        """See ``Flow``."""
        return await asyncio.to_thread(super().invoke, inputs)


def load_flow(source: str | Path, *, is_async_call: bool = False, **options: Any) -> Any:
    """The flow at ``source``, a ``Prompty`` where it is one; with ``is_async_call`` its calls are awaited.

    Raises:
        UserErrorException: There is none.
    """
    return (AsyncFlow if is_async_call else Flow).load(source, **options)


def _split(nodes: Mapping[str, Any]) -> tuple[dict[str, Connection], dict[str, dict[str, str]]]:
    """Connections by name, and the names by node and parameter; an object gets a name that no other has."""
    given: dict[str, Connection] = {}
    settings: dict[str, dict[str, str]] = {}
    for node, values in nodes.items():
        for parameter, value in values.items():
            name = value
            if isinstance(value, Connection):
                name = f"{node}.{parameter} of the context"
                given[name] = value
            settings.setdefault(node, {})[parameter] = name
    return given, settings


def _stamp(source: Path) -> tuple[tuple[str, int, int], ...]:
    # Of module:name the code is the flow, and that is loaded once.
    files = [source] if source.is_file() else sorted(source.glob("flow.*.y*ml")) if source.is_dir() else []
    return tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)
