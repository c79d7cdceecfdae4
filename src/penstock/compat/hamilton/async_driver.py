"""``AsyncDriver`` and its ``Builder`` with Hamilton's face and Penstock's executor.

In place of ``from hamilton import async_driver`` write ``from penstock.compat.hamilton import async_driver``. Functions that
are no coroutines run in threads, so that the event loop is never held up; maps and overrides work as with the other driver.
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from penstock.compat.hamilton import driver as plain
from penstock.compat.hamilton import original
from penstock.compat.hamilton.execution import GraphExecutor, check_names, has_maps
from penstock.errors import UsageError
from penstock.frontends.hamilton import remote_sentence


class AsyncDriver:
    """Builds a graph as Hamilton's driver does and executes it on the running event loop.

    Args:
        config: What the graph is built with.
        modules: Modules of functions.
        result_builder: Makes the result of the values; a dict without one.
        adapters: Lifecycle adapters, with plain or async hooks.
        strict: Refuse inputs and overrides that Hamilton would ignore.
        node_concurrency: Nodes of one execution that may run at once.
        options: More of ``hamilton.driver.Driver``.

    Raises:
        UsageError: An adapter sends nodes to other machines.
    """

    def __init__(
        self,
        config: dict[str, Any],
        *modules: ModuleType,
        result_builder: Any = None,
        adapters: Sequence[Any] | None = None,
        strict: bool = True,
        node_concurrency: int = 16,
        **options: Any,
    ) -> None:
        given = [*(adapters or ()), *([result_builder] if result_builder is not None else [])]
        self._driver = original.driver.Driver(config, *modules, adapter=given, _use_legacy_adapter=False, **options)
        self._executor = GraphExecutor(
            given, node_concurrency=node_concurrency, tasks=has_maps(self._driver.graph.nodes)
        )
        if self._executor.adapters.remote:
            raise UsageError(f"{remote_sentence(self._executor.adapters.remote)} Use Driver with it, not AsyncDriver.")
        self._adapters = given
        self._initialized = False
        self.strict = strict

    async def ainit(self) -> AsyncDriver:
        """Call the hooks that wait for the graph's construction on an event loop."""
        if not self._initialized:
            self._initialized = True
            graph, modules, config = self._driver.graph, self._driver.graph_modules, self._driver.config
            for adapter in self._adapters:
                if inspect.iscoroutinefunction(getattr(adapter, "post_graph_construct", None)):
                    await adapter.post_graph_construct(graph=graph, modules=modules, config=config)
            for adapter in self._adapters:
                if hasattr(adapter, "ainit"):
                    await adapter.ainit()
        return self

    async def raw_execute(
        self,
        final_vars: Sequence[str],
        overrides: Mapping[str, Any] | None = None,
        display_graph: bool = False,
        inputs: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The values of ``final_vars`` by name, without the result builder."""
        if display_graph:
            raise UsageError("display_graph is not for the async driver; call visualize_execution().")
        if self.strict:
            check_names(self._driver.graph, final_vars, inputs or {}, overrides or {})
        return await run(self._driver.graph, self._executor, self._adapters, final_vars, overrides, inputs)

    async def execute(
        self,
        final_vars: Sequence[str | Callable[..., Any] | Any],
        overrides: Mapping[str, Any] | None = None,
        display_graph: bool = False,
        inputs: Mapping[str, Any] | None = None,
    ) -> Any:
        """The values of ``final_vars`` (names or functions) as the result builder makes them; a dict without one.

        Args:
            final_vars: Functions or their names.
            overrides: Values that stand in for functions.
            display_graph: Refused, as in Hamilton.
            inputs: Values of inputs.

        Raises:
            InputError: An input that is unknown or a function, unless the driver is lenient; or one is missing.
            Exception: What a function raised.
        """
        names = [_name(item) for item in final_vars]
        values = await self.raw_execute(names, overrides, display_graph, inputs)
        builders = [adapter.do_build_result for adapter in self._adapters if hasattr(adapter, "do_build_result")]
        return builders[0](outputs=values) if builders else values

    def __getattr__(self, name: str) -> Any:
        # Asked for only what is not here: list_available_variables, visualize_execution and all the rest.
        if name.startswith("__") or name == "_driver":
            raise AttributeError(name)
        return getattr(self._driver, name)


def _name(item: Any) -> str:
    if isinstance(item, str):
        return item
    found = getattr(item, "name", None)
    return str(found) if found else str(item.__name__).partition("__")[0]


async def run(
    graph: Any,
    executor: GraphExecutor,
    adapters: Sequence[Any],
    final_vars: Sequence[str],
    overrides: Mapping[str, Any] | None,
    inputs: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Execute ``graph`` on the running loop and tell adapters of its beginning and end, real values in hand.

    Args:
        graph: Hamilton's function graph.
        executor: Runs it.
        adapters: Those that may have hooks for the graph, plain or async.
        final_vars: Names of nodes or inputs.
        overrides: Values that stand in for nodes.
        inputs: Values of inputs.
    """
    run_id = str(uuid.uuid4())
    await _call(
        adapters,
        "pre_graph_execute",
        run_id=run_id,
        graph=graph,
        final_vars=final_vars,
        inputs=inputs,
        overrides=overrides,
    )
    results, error = None, None
    try:
        results = await executor.execute_async(graph, final_vars, overrides or {}, inputs or {}, run_id)
    except Exception as problem:
        error = problem
        raise
    finally:
        outcome = {"success": error is None, "error": error, "results": results}
        await _call(adapters, "post_graph_execute", run_id=run_id, graph=graph, **outcome)
    return results


async def _call(adapters: Sequence[Any], name: str, **facts: Any) -> None:
    for adapter in adapters:
        hook = getattr(adapter, name, None)
        answer = hook(**facts) if hook is not None else None
        if inspect.isawaitable(answer):
            await answer


class Builder(plain.Builder):
    """Hamilton's async ``Builder``: ``await Builder().with_modules(…).build()``; maps and overrides need no other one."""

    def build_without_init(self) -> AsyncDriver:
        """The driver; adapters that want an event loop at construction are called by ``ainit()``."""
        builder = self._builder
        adapters = [
            *(builder.adapters or ()),
            *([builder.legacy_graph_adapter] if builder.legacy_graph_adapter else ()),
        ]
        options = {"_materializers": builder.materializers} if builder.materializers else {}
        return AsyncDriver(
            builder.config,
            *builder.modules,
            adapters=adapters,
            strict=self._strict,
            node_concurrency=self._node_concurrency,
            **options,
        )

    async def build(self) -> AsyncDriver:
        """The driver, ready."""
        return await self.build_without_init().ainit()
