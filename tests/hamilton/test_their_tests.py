"""Hamilton's own tests, those that execute graphs, on Penstock's executor; over a checkout that is not part of this project.

``PENSTOCK_HAMILTON`` is the folder of the checkout, ``PENSTOCK_HAMILTON_PYTHON`` an interpreter with its test requirements
(pytest, pytest-asyncio, pandas<3, polars, networkx, typer) and Penstock; this one unless told.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = os.environ.get("PENSTOCK_HAMILTON", "")
FILES = (
    "tests/test_end_to_end.py",
    "tests/caching/test_integration.py",
    "tests/execution/test_executors.py",
    "tests/test_hamilton_driver.py",
    "tests/lifecycle",
    "tests/function_modifiers/test_macros.py",
    "tests/function_modifiers/test_adapters.py",
    "tests/test_async_driver.py",
    "tests/test_parallel_graceful.py",
    "tests/test_caching.py",
)
# Penstock runs nodes, not tasks, so that nobody is told of tasks.
EXPECTED = {
    f"tests/lifecycle/test_lifecycle_adapters_end_to_end_task_based.py::{name}"
    for name in (
        "test_individual_post_task_execute_hook_task_based",
        "test_individual_post_task_execute_hook_with_exception",
        "test_individual_post_task_group_hook",
        "test_individual_post_task_expand_hook",
        "test_individual_pre_task_submission_hook",
        "test_individual_post_task_return_hook",
        "test_multi_hook",
    )
}


@pytest.mark.skipif(not CHECKOUT, reason="PENSTOCK_HAMILTON names no checkout of Hamilton")
def test_hamiltons_tests_pass_on_this_executor(tmp_path):
    count = tmp_path / "count.json"
    python = os.environ.get("PENSTOCK_HAMILTON_PYTHON", sys.executable)
    command = [python, "-m", "pytest", "-q", "-p", "executor_plugin", "-p", "no:cacheprovider", *FILES]
    env = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent),
        "PENSTOCK_HAMILTON_COUNT": str(count),
        "HAMILTON_TELEMETRY_ENABLED": "false",
    }
    done = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert count.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads(count.read_text(encoding="utf-8"))
    failed = {name for name, outcome in found["tests"].items() if outcome == "failed"}
    assert failed - EXPECTED == set(), done.stdout[-5000:]
    assert found["graphs"] >= 200
    assert sum(outcome == "passed" for outcome in found["tests"].values()) >= 149
