"""``Driver`` and ``Builder`` with Hamilton's face and Penstock's executor.

In place of ``from hamilton import driver`` write ``from penstock.compat.hamilton import driver``. Everything that shows or
explains a graph is Hamilton's own; everything that executes one is Penstock's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, Self

from penstock.compat.hamilton import original
from penstock.compat.hamilton.execution import GraphExecutor, check_names, has_maps
from penstock.frontends.hamilton import remote_sentence, unheard_sentence
from penstock.frontends.hamilton_calls import Adapters

logger = logging.getLogger("penstock")
Variable = original.driver.Variable


class Driver:
    """Builds a graph as Hamilton's driver does and executes it with Penstock.

    Functions that do not wait for each other run side by side, coroutine functions and maps need no other driver, and unknown
    or shadowing inputs are refused.

    Args:
        config: What the graph is built with.
        modules: Modules of functions.
        adapter: Lifecycle adapters and result builders, one or a list.
        strict: Refuse inputs and overrides that Hamilton would ignore.
        node_concurrency: Nodes of one execution that may run at once.
        options: More of ``hamilton.driver.Driver``.
    """

    def __init__(
        self,
        config: dict[str, Any],
        *modules: ModuleType,
        adapter: Any = None,
        strict: bool = True,
        node_concurrency: int = 16,
        **options: Any,
    ) -> None:
        self._set_up(original.driver.Driver(config, *modules, adapter=adapter, **options), strict, node_concurrency)

    @classmethod
    def around(cls, driver: Any, *, strict: bool = True, node_concurrency: int = 16) -> Self:
        """A driver of Hamilton's that exists already, executed by Penstock from now on."""
        self = cls.__new__(cls)
        self._set_up(driver, strict, node_concurrency)
        return self

    def _set_up(self, driver: Any, strict: bool, node_concurrency: int) -> None:
        self._driver = driver
        self.strict = strict
        adapters = driver.adapter.adapters
        tasks = isinstance(driver.graph_executor, original.driver.TaskBasedGraphExecutor)
        tasks = tasks or has_maps(driver.graph.nodes)
        found = Adapters(adapters)
        if found.unheard:
            logger.warning(unheard_sentence(found.unheard))
        if found.remote:
            logger.warning(remote_sentence(found.remote))
        else:
            driver.graph_executor = GraphExecutor(adapters, node_concurrency=node_concurrency, tasks=tasks)

    def execute(
        self,
        final_vars: Sequence[str | Callable[..., Any] | Any],
        overrides: Mapping[str, Any] | None = None,
        display_graph: bool = False,
        inputs: Mapping[str, Any] | None = None,
    ) -> Any:
        """The values of ``final_vars`` (names or functions) as the driver's result builder makes them; a dict without one.

        Args:
            final_vars: Functions or their names.
            overrides: Values that stand in for functions.
            display_graph: As in Hamilton.
            inputs: Values of inputs.

        Raises:
            InputError: An input that is unknown or a function, unless the driver is lenient.
            Exception: What a function raised.
        """
        self._check(final_vars, inputs, overrides)
        return self._driver.execute(list(final_vars), overrides=overrides, display_graph=display_graph, inputs=inputs)

    def materialize(
        self,
        *materializers: Any,
        additional_vars: Sequence[Any] | None = None,
        overrides: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
    ) -> Any:
        """As Hamilton's: loads and saves beside the graph; returns what was saved and the values of ``additional_vars``."""
        return self._driver.materialize(
            *materializers,
            additional_vars=None if additional_vars is None else list(additional_vars),
            overrides=overrides,
            inputs=inputs,
        )

    def _check(
        self, final_vars: Sequence[Any], inputs: Mapping[str, Any] | None, overrides: Mapping[str, Any] | None
    ) -> None:
        if self.strict:
            names = [name for name in final_vars if isinstance(name, str)]
            check_names(self._driver.graph, names, inputs or {}, overrides or {})

    def __getattr__(self, name: str) -> Any:
        # Asked for only what is not here: list_available_variables, visualize_execution, cache and all the rest.
        if name.startswith("__") or name == "_driver":
            raise AttributeError(name)
        return getattr(self._driver, name)


class Builder:
    """Hamilton's ``Builder`` whose ``build()`` gives Penstock's ``Driver``; executors need not be chosen any more."""

    def __init__(self) -> None:
        self._builder = original.driver.Builder()
        self._strict = True
        self._node_concurrency = 16

    def with_strict_inputs(self, strict: bool = True) -> Self:
        """Refuse inputs that Hamilton would ignore, or with ``False`` ignore them too."""
        self._strict = strict
        return self

    def with_node_concurrency(self, nodes: int) -> Self:
        """How many nodes of one execution may run at once."""
        self._node_concurrency = nodes
        return self

    def build(self) -> Any:
        """The driver."""
        return Driver.around(self._builder.build(), strict=self._strict, node_concurrency=self._node_concurrency)

    def copy(self) -> Self:
        """A builder that goes on from here on its own."""
        other = type(self)()
        other._builder, other._strict = self._builder.copy(), self._strict
        other._node_concurrency = self._node_concurrency
        return other

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_builder":
            raise AttributeError(name)
        found = getattr(self._builder, name)
        if not callable(found):
            return found

        def chained(*arguments: Any, **options: Any) -> Any:
            answer = found(*arguments, **options)
            return self if answer is self._builder else answer

        return chained
