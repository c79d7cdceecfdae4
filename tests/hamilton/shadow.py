"""Runs a script that uses Hamilton, and executes each of its graphs twice: with Hamilton's executor and with Penstock's.

``python shadow.py RESULTS SCRIPT [ARGUMENTS]`` appends a line of JSON to RESULTS for each graph: the names asked for and
``equal``, ``both raise`` (the same), ``both raise, another first``, ``unstable`` (two executions by Hamilton itself differ)
or ``different``.
"""

import json
import runpy
import sys
import types
from concurrent.futures import Future
from pathlib import Path

from hamilton import async_driver, driver
from penstock.compat.hamilton.async_driver import run
from penstock.compat.hamilton.execution import GraphExecutor


def alike(one, other):
    if isinstance(other, Future):  # Hamilton's FutureAdapter has its driver wait for these afterwards
        other = other.result()
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, (types.GeneratorType, types.AsyncGeneratorType)):
        return one.__name__ == other.__name__
    if hasattr(one, "equals"):
        return bool(one.equals(other))
    try:
        if bool(one == other):
            return True
    except Exception:
        if hasattr(one, "shape"):
            return one.shape == other.shape and bool(((one == other) | ((one != one) & (other != other))).all())
    if type(one).__eq__ is object.__eq__ or one != one:
        # Nothing says when two of these are equal; what they hold does.
        mine, theirs = getattr(one, "__dict__", None), getattr(other, "__dict__", None)
        return (mine is None and one != one) or (mine is not None and mine.keys() == theirs.keys())
    return False


class Log:
    def __init__(self, path):
        self.path = Path(path)

    def add(self, names, verdict, detail=""):
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"asked": list(map(str, names)), "verdict": verdict, "detail": detail}) + "\n")


def outcome(call):
    try:
        return call(), None
    except Exception as error:
        return None, error


async def outcome_of(work):
    try:
        return await work, None
    except Exception as error:
        return None, error


def verdict(mine, theirs):
    """Of (value, error) pairs: Penstock's and Hamilton's."""
    if theirs[1] is not None:
        if mine[1] is None:
            return "different", f"only Hamilton raises {theirs[1]!r}"[:300]
        if type(mine[1]) is type(theirs[1]):
            return "both raise", f"{type(theirs[1]).__name__}: {theirs[1]}"[:200]
        # Penstock runs side by side what Hamilton runs in turn, so of several that fail another may be the first.
        return "both raise, another first", f"Hamilton raises {theirs[1]!r}, Penstock {mine[1]!r}"[:300]
    if mine[1] is not None:
        return "different", f"only Penstock raises {mine[1]!r}"[:300]
    wrong = [name for name in theirs[0] if not alike(mine[0].get(name), theirs[0][name])]
    return ("different" if wrong else "equal"), ", ".join(wrong)[:300]


def settled(found, theirs, again):
    """A difference is none of Penstock's where Hamilton's second execution differs from its first as well."""
    name, detail = found
    if name == "different" and verdict(again, theirs)[0] == "different":
        return "unstable", detail
    return name, detail


def shadow(log):
    # Pictures need a program that may not be there, and say nothing about execution.
    for name in ("display_all_functions", "visualize_execution", "visualize_materialization", "display_upstream_of"):
        setattr(driver.Driver, name, lambda self, *arguments, **named: None)

    def shadowed(original, tasks):
        def execute(self, fg, final_vars, overrides, inputs, run_id):
            def theirs():
                return original(self, fg, final_vars, overrides, inputs, run_id)

            mine = outcome(
                lambda: GraphExecutor(self.adapter.adapters, tasks=tasks).execute(
                    fg, final_vars, overrides, inputs, run_id
                )
            )
            found = outcome(theirs)
            said = verdict(mine, found)
            log.add(final_vars, *(settled(said, found, outcome(theirs)) if said[0] == "different" else said))
            if found[1] is not None:
                raise found[1]
            return found[0]

        return execute

    for owner, tasks in ((driver.DefaultGraphExecutor, False), (driver.TaskBasedGraphExecutor, True)):
        owner.execute = shadowed(owner.execute, tasks)
    raw = async_driver.AsyncDriver.raw_execute

    async def raw_execute(self, final_vars, overrides=None, display_graph=False, inputs=None, **more):
        adapters = self.adapter.adapters
        mine = await outcome_of(run(self.graph, GraphExecutor(adapters), adapters, final_vars, overrides, inputs))

        async def theirs():
            return await raw(self, final_vars, overrides, display_graph, inputs=inputs)

        found = await outcome_of(theirs())
        said = verdict(mine, found)
        log.add(final_vars, *(settled(said, found, await outcome_of(theirs())) if said[0] == "different" else said))
        if found[1] is not None:
            raise found[1]
        return found[0]

    async_driver.AsyncDriver.raw_execute = raw_execute


if __name__ == "__main__":
    results, script = sys.argv[1:3]
    sys.argv[:] = sys.argv[2:]
    sys.path[0] = str(Path(script).resolve().parent)
    shadow(Log(results))
    runpy.run_path(script, run_name="__main__")
