"""What a node of a Hamilton graph calls: its function with the adapters around it, as Penstock's executor takes it.

Only attributes of Hamilton's nodes are read that all its releases have; adapters are found by the names of their methods.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import typing
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from penstock.aio import background_loop, run_beside
from penstock.errors import ToolError
from penstock.graph.flow import Around
from penstock.records import PromptUse
from penstock.tools.closure import closure_hash
from penstock.tools.used import Used
from penstock.tracing.notes import NOTES

HamiltonNode = Any  # hamilton.node.Node; Hamilton carries no types
_REMOTE = ("hamilton.plugins.h_ray", "hamilton.plugins.h_dask", "hamilton.plugins.h_spark")
_TASK_HOOKS = (
    "post_task_group",
    "post_task_expand",
    "pre_task_submission",
    "pre_task_execute",
    "post_task_execute",
    "post_task_return",
)


@dataclass(slots=True)
class Execution:
    """One execution of a graph: its id for the adapters, the loop that coroutines belong to, and what nodes raised."""

    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    loop: asyncio.AbstractEventLoop | None = None
    raised: dict[str, BaseException] = field(default_factory=dict[str, BaseException])


EXECUTION: ContextVar[Execution | None] = ContextVar("penstock_hamilton_execution", default=None)
"""The execution around this code, where somebody wants to know."""


class Adapters:
    """Hamilton's lifecycle adapters, sorted by what they do to nodes.

    Args:
        adapters: Objects with the methods of Hamilton's lifecycle classes.
    """

    def __init__(self, adapters: Sequence[Any] = ()) -> None:
        self.all = [one for one in _unique(adapters) if not _runs_plainly(one)]
        # An async graph adapter of Hamilton's holds the hooks of its driver and starts tasks; the executor does that here.
        self.all = [one for one in self.all if not _starts_tasks(one)]
        self.before = [one.pre_node_execute for one in self.all if hasattr(one, "pre_node_execute")]
        self.after = [one.post_node_execute for one in self.all if hasattr(one, "post_node_execute")]
        methods = [one.do_node_execute for one in self.all if hasattr(one, "do_node_execute")]
        self.method: Callable[..., Any] | None = methods[0] if methods else None
        senders = [
            one.do_remote_execute for one in self.all if hasattr(one, "do_remote_execute") and not _is_thread(one)
        ]
        self.sender: Callable[..., Any] | None = senders[0] if senders else None

    def __bool__(self) -> bool:
        return bool(self.before or self.after or self.method or self.sender)

    @property
    def watchers(self) -> list[Any]:
        """Those that want to know of the beginning and end of an execution."""
        return [one for one in self.all if hasattr(one, "pre_graph_execute") or hasattr(one, "post_graph_execute")]

    def around(self, graph: Any, asked: Sequence[str]) -> Around:
        """Each line of a flow as an execution: one id for all its nodes, and hooks before and after it.

        Args:
            graph: Hamilton's function graph.
            asked: Names of the functions that the flow gives.
        """
        watchers = self.watchers

        def tell(hook: str, run_id: str, **facts: Any) -> None:
            for one in watchers:
                answer = getattr(one, hook, _nothing)(run_id=run_id, graph=graph, **facts)
                if inspect.isawaitable(answer):
                    run_beside(_settled(answer))

        def begin(inputs: Mapping[str, Any]) -> Callable[[Mapping[str, Any] | None, str | None], None]:
            execution = Execution()
            tell("pre_graph_execute", execution.run_id, final_vars=list(asked), inputs=dict(inputs), overrides={})
            token = EXECUTION.set(execution)

            def end(output: Mapping[str, Any] | None, failed: str | None) -> None:
                EXECUTION.reset(token)
                error = execution.raised.get(failed or "")
                if error is None and output is None:
                    error = ToolError("The line ended early.")
                results = None if output is None else dict(output)
                tell("post_graph_execute", execution.run_id, success=error is None, error=error, results=results)

            return end

        return begin

    @property
    def remote(self) -> list[str]:
        """Names of those that send nodes to other machines and hand on promises of values; the executor here cannot."""
        return [type(one).__name__ for one in self.all if _is_remote(one)]

    @property
    def unheard(self) -> list[str]:
        """Names of those that wait for tasks, which only Hamilton's own executors have."""
        return [type(one).__name__ for one in self.all if any(hasattr(one, hook) for hook in _TASK_HOOKS)]


def _nothing(**_: Any) -> None:
    """In place of a hook that an adapter does not have."""


def _unique(adapters: Sequence[Any]) -> list[Any]:
    return list({id(one): one for one in adapters}.values())


def _classes(adapter: Any) -> set[str]:
    return {f"{cls.__module__}.{cls.__qualname__}" for cls in type(adapter).__mro__}


def _runs_plainly(adapter: Any) -> bool:
    """Whether it is a graph adapter that calls a node's function and does nothing else, as the default one."""
    execute = getattr(type(adapter), "execute_node", None)
    plain = execute is not None and execute.__module__ == "hamilton.base"
    return plain and not hasattr(adapter, "pre_node_execute") and not hasattr(adapter, "do_remote_execute")


def _starts_tasks(adapter: Any) -> bool:
    return "hamilton.async_driver.AsyncGraphAdapter" in _classes(adapter)


def _is_remote(adapter: Any) -> bool:
    return any(name.startswith(_REMOTE) for name in _classes(adapter))


def _is_thread(adapter: Any) -> bool:
    # It only starts threads and gives futures; the executor starts threads by itself.
    return any(name.endswith(".FutureAdapter") for name in _classes(adapter))


def call_of(node: HamiltonNode, adapters: Adapters, task: Callable[[], str | None]) -> Callable[..., Any]:
    """What the executor calls for ``node``: a coroutine function where its function is one, else a plain one.

    The value is awaited until it is plain, the items of an expanding node are all there, and adapters see values, never
    tasks.

    Args:
        node: A node of Hamilton's graph.
        adapters: What is called around it.
        task: Hamilton's name for the part of the execution that the node runs in.
    """
    if inspect.iscoroutinefunction(_plain(node.callable)) and not (adapters.method or adapters.sender):
        return _Coroutine(node, adapters, task).as_function()
    return _Blocking(node, adapters, task).as_function()


def _plain(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def is_prompt(node: HamiltonNode) -> bool:
    """Whether ``node`` gives the text of a prompt: it is tagged ``kind="prompt"``, or gives text and has prompt in its name."""
    return node.tags.get("kind") == "prompt" or (node.type is str and "prompt" in node.name.lower())


def expands(node: HamiltonNode) -> bool:
    """Whether ``node`` gives the items of a map."""
    return node.node_role.name == "EXPAND" or _named(node.type, "Parallelizable")


def collected(node: HamiltonNode) -> frozenset[str]:
    """Parameters of ``node`` that take what was done with all items."""
    return frozenset(name for name, (type_, _) in node.input_types.items() if _named(type_, "Collect"))


def _named(annotation: Any, name: str) -> bool:
    origin = typing.get_origin(annotation)
    return getattr(origin, "__name__", "") == name and str(getattr(origin, "__module__", "")).startswith("hamilton")


def _list_of(*arguments: Any, _callable: Callable[..., Any], **named: Any) -> Any:
    # Under this name of the parameter Hamilton's own adapters find the generator function.
    value = _callable(*arguments, **named)
    if inspect.isawaitable(value) or hasattr(value, "__aiter__"):
        return _listed(value)
    return list(value)


async def _listed(value: Any) -> list[Any]:
    while inspect.isawaitable(value):
        value = await value
    return [item async for item in value] if hasattr(value, "__aiter__") else list(value)


class _Call:
    """One node with its adapters; subclasses differ in where they wait."""

    def __init__(self, node: HamiltonNode, adapters: Adapters, task: Callable[[], str | None]) -> None:
        self.node = node
        if expands(node):
            self.node = node.copy_with(callabl=functools.partial(_list_of, _callable=node.callable))
        self.adapters = adapters
        self._task = task
        self._own_id = str(uuid.uuid4())
        self.is_prompt = is_prompt(node)

    @functools.cached_property
    def _prompt(self) -> Used:
        functions = self.node.originating_functions or (self.node.callable,)
        return Used(PromptUse(self.node.name, "code", closure=closure_hash(functions[0])))

    def noted(self, value: Any) -> Any:
        """``value``, noted as the prompt it is."""
        if isinstance(value, str) and NOTES.get() is not None:
            self._prompt.note(value)
        return value

    def facts(self, execution: Execution | None) -> dict[str, Any]:
        return {
            "run_id": self._own_id if execution is None else execution.run_id,
            "node_": self.node,
            "task_id": self._task(),
        }


class _Coroutine(_Call):
    def as_function(self) -> Callable[..., Any]:
        async def call(**arguments: Any) -> Any:
            execution = EXECUTION.get()
            try:
                value = await self._call(arguments, execution)
                return self.noted(value) if self.is_prompt else value
            except Exception as error:
                if execution is not None:
                    execution.raised.setdefault(self.node.name, error)
                raise

        return call

    async def _call(self, arguments: dict[str, Any], execution: Execution | None) -> Any:
        if not self.adapters:
            return await _settled(self.node.callable(**arguments))
        facts = self.facts(execution)
        for hook in self.adapters.before:
            await _settled(hook(**facts, kwargs=arguments))
        value, error = None, None
        try:
            value = await _settled(self.node.callable(**arguments))
        except Exception as problem:
            error = problem
            raise
        finally:
            for hook in self.adapters.after:
                await _settled(hook(**facts, kwargs=arguments, success=error is None, error=error, result=value))
        return value


async def _settled(value: Any) -> Any:
    while inspect.isawaitable(value):
        value = await value
    return value


class _Blocking(_Call):
    def __init__(self, node: HamiltonNode, adapters: Adapters, task: Callable[[], str | None]) -> None:
        super().__init__(node, adapters, task)
        if adapters.method or adapters.sender:
            # Who runs the node gets a function that returns a value, whatever the node's own is.
            self.node = self.node.copy_with(callabl=_as_plain(self.node.callable))

    def as_function(self) -> Callable[..., Any]:
        node = self.node

        def call(**arguments: Any) -> Any:
            execution = EXECUTION.get()
            try:
                if self.adapters.sender is not None:
                    value = _wait(self._sent(self.adapters.sender, arguments, execution), execution)
                elif self.adapters:
                    value = self._call(arguments, execution)
                elif inspect.isawaitable(value := node.callable(**arguments)):
                    value = _wait(value, execution)
                return self.noted(value) if self.is_prompt else value
            except Exception as error:
                if execution is not None:
                    execution.raised.setdefault(node.name, error)
                raise

        return call

    def _sent(self, sender: Callable[..., Any], arguments: dict[str, Any], execution: Execution | None) -> Any:
        def lifecycle(**values: Any) -> Any:
            return self._call(values, execution)

        return sender(node=self.node, execute_lifecycle_for_node=lifecycle, **arguments)

    def _call(self, arguments: dict[str, Any], execution: Execution | None) -> Any:
        facts = self.facts(execution)
        for hook in self.adapters.before:
            _wait(hook(**facts, kwargs=arguments), execution)
        value, error = None, None
        try:
            if self.adapters.method is not None:
                value = self.adapters.method(**facts, kwargs=arguments)
            else:
                value = self.node.callable(**arguments)
            value = _wait(value, execution)
        except Exception as problem:
            error = problem
            raise
        finally:
            for hook in self.adapters.after:
                answer = hook(**facts, kwargs=arguments, success=error is None, error=error, result=value)
                _wait(answer, execution)
        return value


def _as_plain(function: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(function, functools.partial):
        return functools.partial(_as_plain(function.func), *function.args, **function.keywords)
    if not inspect.iscoroutinefunction(function):
        return function

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        return _wait(function(*arguments, **named), EXECUTION.get())

    return call


def _wait(value: Any, execution: Execution | None) -> Any:
    """Wait, in a thread of a node, for what may be a coroutine; it runs on the loop of whoever asked for the execution."""
    if not inspect.isawaitable(value):
        return value
    loop = execution.loop if execution is not None and execution.loop is not None else background_loop()
    return asyncio.run_coroutine_threadsafe(_settled(value), loop).result()


def task_name(node: HamiltonNode, scope: Sequence[str]) -> Callable[[], str | None]:
    """What Hamilton calls the part of an execution with maps that ``node`` runs in: some of its adapters take it apart.

    Args:
        node: A node of its graph.
        scope: The expanding nodes around it, outermost first.
    """
    gathers = collected(node)
    name = f"collect-{_first_expander(node)}" if gathers else f"expand-{node.name}" if expands(node) else node.name
    if not scope:
        return lambda: name
    last = scope[-1]

    def inside() -> str:
        notes = NOTES.get()
        places = notes.item if notes is not None else ()
        path = ".".join(f"expand-{one}.{place}" for one, place in zip(scope, places, strict=False))
        return f"{path}.block-{last}"

    return inside


def _first_expander(node: HamiltonNode) -> str:
    """The expanding node whose items ``node`` collects."""
    waiting = [dependency for dependency in node.dependencies if dependency.name in collected(node)]
    seen: set[str] = set()
    while waiting:
        one = waiting.pop()
        if expands(one):
            return str(one.name)
        if one.name not in seen:
            seen.add(one.name)
            waiting.extend(one.dependencies)
    return str(node.name)


def no_task() -> str | None:
    """The name of the part where an execution has none."""
    return None


def input_type(annotation: Any) -> str:
    """The flow input type of a parameter's annotation; ``any`` where values stay as they are given."""
    return _INPUT_TYPES.get(typing.get_origin(annotation) or annotation, "any")


_INPUT_TYPES: Mapping[Any, str] = {
    int: "int",
    float: "double",
    bool: "bool",
    str: "string",
    list: "list",
    dict: "object",
}
