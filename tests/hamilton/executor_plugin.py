"""Hamilton's own tests on Penstock's executor: replaces the execute methods of Hamilton's three engines.

Use over a checkout of Hamilton, from its root folder::

    python -m pytest -p executor_plugin tests/test_end_to_end.py …

With ``PENSTOCK_HAMILTON_COUNT=FILE`` is written there what was executed, as JSON: how many graphs, and the outcome of each test
that executed one. So nobody takes a run for good in which the executor was not asked.
"""

import json
import os
from pathlib import Path

import pytest

from hamilton import async_driver, driver
from penstock.compat.hamilton.async_driver import run
from penstock.compat.hamilton.execution import GraphExecutor
from penstock.errors import InputError

_EXECUTED = {"graphs": 0, "nodes": 0, "tests": {}}
_BEFORE = [0]


def _executor(owner, adapters, tasks):
    found = owner.__dict__.get("_penstock")
    if found is None:
        found = owner.__dict__["_penstock"] = GraphExecutor(adapters, tasks=tasks)
    return found


def _checked(graph, final_vars, inputs, overrides):
    """What Hamilton's own executors raise before or instead of executing."""
    nodes, user_nodes = graph.get_upstream_nodes(final_vars, inputs, overrides)
    if graph.has_cycles(nodes, user_nodes):
        raise RecursionError("the graph has cycles")
    _EXECUTED["graphs"] += 1
    _EXECUTED["nodes"] += len(nodes)


def _execute(self, fg, final_vars, overrides, inputs, run_id, *, tasks):
    _checked(fg, final_vars, inputs, overrides)
    adapter = self.adapter or driver.Driver.normalize_adapter_input(None)
    try:
        return _executor(self, adapter.adapters, tasks).execute(fg, final_vars, overrides, inputs, run_id)
    except InputError as error:
        raise ValueError(error.message) from error


def _default(self, fg, final_vars, overrides, inputs, run_id):
    return _execute(self, fg, final_vars, overrides, inputs, run_id, tasks=False)


def _task_based(self, fg, final_vars, overrides, inputs, run_id):
    return _execute(self, fg, final_vars, overrides, inputs, run_id, tasks=True)


async def _raw_execute(self, final_vars, overrides=None, display_graph=False, inputs=None, _fn_graph=None):
    _checked(self.graph, final_vars, inputs, overrides)
    adapters = self.adapter.adapters
    return await run(self.graph, _executor(self, adapters, False), adapters, final_vars, overrides, inputs)


def pytest_configure(config):
    driver.DefaultGraphExecutor.execute = _default
    driver.TaskBasedGraphExecutor.execute = _task_based
    async_driver.AsyncDriver.raw_execute = _raw_execute


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" and _EXECUTED["graphs"] > _BEFORE[0]:
        _EXECUTED["tests"][item.nodeid] = report.outcome
    return report


def pytest_runtest_setup(item):
    _BEFORE[0] = _EXECUTED["graphs"]


def pytest_sessionfinish(session):
    target = os.environ.get("PENSTOCK_HAMILTON_COUNT")
    if target:
        Path(target).write_text(json.dumps(_EXECUTED), encoding="utf-8")
