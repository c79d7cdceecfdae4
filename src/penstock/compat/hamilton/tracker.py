"""``PenstockTracker``: one adapter, and a Hamilton driver's executions are runs, lines and traces in Penstock's store."""

from __future__ import annotations

import dataclasses
import re
import threading
import time
import weakref
from collections.abc import Callable, Generator, Mapping
from contextvars import Token
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from penstock.compat.hamilton import original
from penstock.compat.hamilton.tracked_run import Described, TrackedRun
from penstock.engine.failure import failure_of
from penstock.engine.line import Notes
from penstock.records import NO_USAGE, Failure, LineResult, NodeRun, Status
from penstock.settings import Settings, read_settings
from penstock.tracing.notes import NOTES

_base = original.lifecycle_base
_ITEM = re.compile(r"\.(\d+)(?=\.|$)")


@dataclass(slots=True)
class _Node:
    """A node that is about to run, or runs: ``started`` and ``clock`` say since when."""

    notes: Notes
    token: Token[Any] | None
    started: float = 0.0
    clock: float = 0.0


@dataclass(slots=True)
class _Execution:
    """An execution under way; ``is_async`` once its driver has awaited something of the tracker."""

    index: int
    inputs: dict[str, Any]
    started: float
    clock: float
    is_async: bool = False
    running: dict[tuple[str, str | None], _Node] = field(default_factory=dict[tuple[str, "str | None"], _Node])
    done: list[NodeRun] = field(default_factory=list[NodeRun])
    failure: Failure | None = None


class _Later:
    """What a hook gives back: an async driver awaits it, and then ``act`` is done; a plain driver drops it."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def __await__(self) -> Generator[None, None, None]:
        self._act()
        yield from ()


if TYPE_CHECKING:

    class _Hooks:
        """Hamilton carries no types."""

else:

    class _Hooks(
        _base.BasePostGraphConstruct,
        _base.BasePostGraphConstructAsync,
        _base.BasePreGraphExecute,
        _base.BasePreGraphExecuteAsync,
        _base.BasePostGraphExecute,
        _base.BasePostGraphExecuteAsync,
        _base.BasePreNodeExecute,
        _base.BasePreNodeExecuteAsync,
        _base.BasePostNodeExecute,
        _base.BasePostNodeExecuteAsync,
    ):
        """The hooks by which both of Hamilton's drivers find the tracker."""


class PenstockTracker(_Hooks):
    """Give it to a driver among its adapters: ``Builder().with_adapters(PenstockTracker())``.

    One tracker writes one run, each execution of a driver is a line of it, each node a node of the line. With ``AsyncDriver``
    it sees real values too, where Hamilton's plain hooks see tasks. The run ends with ``close()``, at the end of a ``with``
    block, or with the process. Nodes that Hamilton runs in other processes are not seen.

    Args:
        name: Of the run; made from the module's name and the time where not given.
        display_name: Shown instead of the name.
        description: Free text.
        tags: Free words.
        settings: Read from the environment unless given.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        display_name: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str | None] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._described = Described(name, "", display_name, description, dict(tags or {}))
        self._settings = settings
        self._lock = threading.Lock()  # protects the making of the run and the map of executions
        self._executions: dict[str, _Execution] = {}
        self._run: TrackedRun | None = None

    @property
    def run_name(self) -> str | None:
        """The run's name; None before the first execution unless it was given."""
        return self._run.name if self._run is not None else self._described.name

    def close(self) -> None:
        """End the run."""
        if self._run is not None:
            self._run.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What Hamilton calls

    def post_graph_construct(self, *, modules: Any, config: Mapping[str, Any], **_: Any) -> _Later:
        """Note which module it is."""
        found = [getattr(module, "__file__", None) or module.__name__ for module in modules or ()]
        self._described = dataclasses.replace(
            self._described, flow=found[0] if found else "", config=dict(config or {})
        )
        return _Later(_nothing)

    def pre_graph_execute(self, *, run_id: str, inputs: Any, overrides: Any, **_: Any) -> _Later:
        """Begin a line."""
        with self._lock:
            if run_id not in self._executions:
                given = {**(inputs or {}), **(overrides or {})}
                self._executions[run_id] = _Execution(self._begin(), given, time.time(), time.perf_counter())
            execution = self._executions[run_id]

        def mark() -> None:
            execution.is_async = True

        return _Later(mark)

    def post_graph_execute(self, *, run_id: str, error: Any, results: Any, **_: Any) -> _Later | None:
        """End the line."""
        return self._act(run_id, lambda execution: self._end(run_id, execution, error, results))

    def pre_node_execute(self, *, run_id: str, node_: Any, task_id: str | None = None, **_: Any) -> _Later | None:
        """Begin a node."""
        self._enter(run_id, node_.name, task_id)
        return self._act(run_id, lambda execution: self._begin_node(execution, node_.name, task_id))

    def post_node_execute(
        self,
        *,
        run_id: str,
        node_: Any,
        kwargs: dict[str, Any],
        error: Exception | None,
        result: Any,
        task_id: str | None = None,
        **_: Any,
    ) -> _Later | None:
        """End a node."""

        def act(execution: _Execution) -> None:
            self._end_node(execution, node_.name, task_id, kwargs, error, result)

        self._leave(run_id, node_.name, task_id)
        return self._act(run_id, act)

    def _enter(self, run_id: str, name: str, task_id: str | None) -> None:
        """Take the node's notes from here on.

        Hamilton's async driver calls the hook a first time where it makes the node's task, which takes this context along;
        what is awaited later runs in a context of its own, from where nothing would reach the node.
        """
        execution = self._executions.get(run_id)
        if execution is None or (name, task_id) in execution.running:
            return
        assert self._run is not None, "an execution is under way"
        notes = Notes(self._run.redactor, _item(task_id))
        execution.running[name, task_id] = _Node(notes, NOTES.set(notes))

    def _leave(self, run_id: str, name: str, task_id: str | None) -> None:
        execution = self._executions.get(run_id)
        node = execution.running.get((name, task_id)) if execution is not None else None
        if node is not None and node.token is not None:
            NOTES.reset(node.token)
            node.token = None

    def _act(self, run_id: str, act: Callable[[_Execution], None]) -> _Later | None:
        """Do it now, or when it is awaited: Hamilton's async driver calls each hook twice, first with tasks for values."""
        execution = self._executions.get(run_id)
        if execution is None:
            return _Later(_nothing)
        if execution.is_async:
            return _Later(lambda: act(execution))
        act(execution)
        return None

    def _begin(self) -> int:
        if self._run is None:
            self._run = TrackedRun(self._settings or read_settings(), self._described)
            weakref.finalize(self, self._run.close)  # at the end of the process at the latest
        return self._run.begin()

    def _begin_node(self, execution: _Execution, name: str, task_id: str | None) -> None:
        node = execution.running[name, task_id]
        node.started, node.clock = time.time(), time.perf_counter()

    def _end_node(
        self,
        execution: _Execution,
        name: str,
        task_id: str | None,
        inputs: dict[str, Any],
        error: Exception | None,
        result: Any,
    ) -> None:
        assert self._run is not None, "an execution is under way"
        node = execution.running.pop((name, task_id), None)
        if node is None:
            return
        failure = None if error is None else failure_of(error, name, self._run.redactor)
        execution.failure = execution.failure or failure
        run = NodeRun(
            name,
            Status.COMPLETED if failure is None else Status.FAILED,
            dict(inputs),
            result,
            node.started,
            time.perf_counter() - node.clock,
            failure,
            item=_item(task_id),
        )
        execution.done.append(node.notes.complete(run))

    def _end(self, run_id: str, execution: _Execution, error: Exception | None, results: Any) -> None:
        assert self._run is not None, "an execution is under way"
        self._executions.pop(run_id, None)
        failure = execution.failure if error is not None else None
        if error is not None and failure is None:
            failure = failure_of(error, None, self._run.redactor)
        usage = NO_USAGE
        for node in execution.done:
            usage += node.usage
        self._run.add(
            LineResult(
                execution.index,
                Status.COMPLETED if failure is None else Status.FAILED,
                execution.inputs,
                _output(results) if failure is None else None,
                failure,
                tuple(execution.done),
                usage,
                execution.started,
                time.perf_counter() - execution.clock,
            )
        )


def _nothing() -> None:
    """Done already."""


def _item(task_id: str | None) -> tuple[int, ...]:
    return tuple(map(int, _ITEM.findall(task_id or "")))


def _output(results: Any) -> dict[str, Any]:
    return {str(key): value for key, value in results.items()} if isinstance(results, dict) else {"output": results}
