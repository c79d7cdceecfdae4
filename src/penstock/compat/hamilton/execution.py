"""Runs the graph of a Hamilton driver on Penstock's executor: in the place of all three of Hamilton's engines."""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from penstock.aio import background_loop, run_sync
from penstock.connections.resolve import Connections
from penstock.engine.bind import bind
from penstock.engine.execute import execute
from penstock.engine.host import LoopHost, ThreadHost, drive
from penstock.engine.program import Program
from penstock.engine.streams import unwrapped
from penstock.errors import InputError, ToolError, UsageError
from penstock.frontends.hamilton_calls import EXECUTION, Adapters, Execution, expands
from penstock.frontends.hamilton_nodes import Asked, flow_of
from penstock.graph.check import nearest
from penstock.graph.flow import Source
from penstock.models.pool import Models
from penstock.records import LineResult
from penstock.settings import read_settings
from penstock.tools.builtin.session import Session, using

_KEPT = 128


class GraphExecutor:
    """Executes graphs of Hamilton's; has the methods that Hamilton's drivers ask of a graph executor.

    Args:
        adapters: The driver's lifecycle adapters; those for nodes are called here.
        node_concurrency: Nodes of one execution that may run at once.
        tasks: Tell adapters the part of the execution that a node runs in, as dynamic execution does.
    """

    def __init__(self, adapters: Sequence[Any] = (), *, node_concurrency: int = 16, tasks: bool = False) -> None:
        self.adapters = Adapters(adapters)
        self._node_concurrency = node_concurrency
        self._tasks = tasks
        self._pool = ThreadPoolExecutor(2 * node_concurrency + 32, "penstock-node")
        self._programs: weakref.WeakKeyDictionary[Any, dict[Asked, Program]] = weakref.WeakKeyDictionary()
        weakref.finalize(self, self._pool.shutdown, wait=False)

    def validate(self, nodes_to_execute: Sequence[Any]) -> None:
        """Every graph can be executed, maps included."""

    def execute(
        self, fg: Any, final_vars: Sequence[str], overrides: Mapping[str, Any], inputs: Mapping[str, Any], run_id: str
    ) -> dict[str, Any]:
        """The values of ``final_vars``, computed from a thread that may wait.

        Args:
            fg: Hamilton's function graph.
            final_vars: Names of nodes or inputs.
            overrides: Values that stand in for nodes.
            inputs: Values of inputs.
            run_id: What adapters are told.

        Raises:
            Exception: What a node raised.
        """
        program = self._program(fg, final_vars, overrides, inputs)
        values = {**_taken(program, inputs), **overrides}
        execution = Execution(run_id, None if program.blocking else background_loop())
        with _around(execution):
            if program.blocking:
                host = ThreadHost(self._node_concurrency, self._pool)
                result = drive(execute(program, values, host, streaming=True, live=True))
            else:
                result = run_sync(execute(program, values, self._loop_host(), streaming=True, live=True))
        return _values(result, execution)

    async def execute_async(
        self, fg: Any, final_vars: Sequence[str], overrides: Mapping[str, Any], inputs: Mapping[str, Any], run_id: str
    ) -> dict[str, Any]:
        """The same on the running event loop: coroutines there, all other functions in threads."""
        program = self._program(fg, final_vars, overrides, inputs)
        values = {**_taken(program, inputs), **overrides}
        execution = Execution(run_id, asyncio.get_running_loop())
        with _around(execution):
            result = await execute(program, values, self._loop_host(), streaming=True, live=True)
        return _values(result, execution)

    def _loop_host(self) -> LoopHost:
        return LoopHost(self._pool, self._node_concurrency)

    def _program(
        self, fg: Any, final_vars: Sequence[str], overrides: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> Program:
        twice = sorted(name for name in inputs if name in fg.config)
        if twice:
            raise InputError(f"Given both as config and as input: {', '.join(twice)}.", code="DuplicateInput")
        also = frozenset(name for name in final_vars if name not in fg.nodes)
        given = frozenset(name for name in overrides if name in fg.nodes)
        # One item in place of a sequence: what takes the items then runs once, with it.
        single = frozenset(name for name in given if expands(fg.nodes[name]) and not _is_sequence(overrides[name]))
        asked = Asked(
            tuple(dict.fromkeys(final_vars)), given - single, also | single, converted=False, tasks=self._tasks
        )
        kept = self._programs.setdefault(fg, {})
        program = kept.get(asked)
        if program is None:
            nodes = {name: node for name, node in fg.nodes.items() if name not in single} if single else fg.nodes
            flow = flow_of(nodes, fg.config, asked, self.adapters, Source("hamilton", "hamilton"))
            program = bind(flow, connections=_connections(), models=_session().models)
            if len(kept) >= _KEPT:
                kept.pop(next(iter(kept)))
            kept[asked] = program
        return program


def has_maps(nodes: Mapping[str, Any]) -> bool:
    """Whether nodes run once an item: then only the part of the execution tells adapters which item it is."""
    return any(expands(node) for node in nodes.values())


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


@functools.cache
def _session() -> Session:
    connections = _connections()
    return Session(Models(read_settings(), secrets=connections.secrets()), connections)


@functools.cache
def _connections() -> Connections:
    return Connections.open(read_settings())


@contextmanager
def _around(execution: Execution) -> Generator[None]:
    token = EXECUTION.set(execution)
    try:
        with using(_session()):
            yield
    finally:
        EXECUTION.reset(token)


def _taken(program: Program, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: inputs[name] for name in program.flow.inputs if name in inputs}


def _values(result: LineResult, execution: Execution) -> dict[str, Any]:
    failure = result.failure
    if failure is None:
        return {name: unwrapped(value) for name, value in (result.output or {}).items()}
    raised = execution.raised.get(failure.node or "")
    if raised is not None:
        raise raised
    if failure.node is None:
        raise InputError(failure.message, code=failure.kind)
    raise ToolError(failure.message, code=failure.kind)


def check_names(fg: Any, final_vars: Sequence[str], inputs: Mapping[str, Any], overrides: Mapping[str, Any]) -> None:
    """Refuse what Hamilton ignores: inputs that are functions or that nothing takes, overrides of what is not there.

    Raises:
        InputError: Such an input.
        UsageError: Such an override.
    """
    nodes = fg.nodes
    for name in inputs:
        if name in nodes and not nodes[name].user_defined:
            raise InputError(
                f"{name!r} is a function of the flow, so an input of that name would be ignored; give it in overrides=,"
                " or pass strict=False for Hamilton's own leniency.",
                code="UnknownInput",
            )
        if name not in nodes and name not in final_vars:
            taken = [key for key, node in nodes.items() if node.user_defined]
            raise InputError(
                f"No function takes the input {name!r}. {nearest(name, taken)} Pass strict=False to have such inputs ignored.",
                code="UnknownInput",
            )
    for name in overrides:
        if name not in nodes:
            raise UsageError(f"There is no function {name!r} to override. {nearest(name, nodes)}")
