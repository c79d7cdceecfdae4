"""Executes what a module of Hamilton functions defines, once with each executor, with inputs made up from their types.

``python module_shadow.py RESULTS MODULE.py`` builds a graph for each way the module's alternatives can be chosen, asks for all
its last functions and then for each function alone, and appends what came of it to RESULTS as ``shadow.py`` does. With
nothing in RESULTS the module could not be loaded, or defines no graph; standard error says why.
"""

import asyncio
import importlib
import inspect
import itertools
import json
import sys
import typing
from pathlib import Path

import hamilton.contrib
import numpy
import pandas
from shadow import Log, shadow

from hamilton import async_driver, driver
from penstock.frontends.hamilton_calls import collected, expands
from penstock.frontends.hamilton_choices import unchosen
from penstock.frontends.hamilton_nodes import is_input, leaves

_CONFIGS = 6
_FUNCTIONS = 80


def loaded(file):
    """The module, with the packages of a checkout's ``contrib`` folder findable under the names they have there."""
    parts = file.absolute().parts
    if "contrib" in parts and "examples" not in parts:
        contrib = Path(*parts[: parts.index("contrib") + 1])
        hamilton.contrib.__path__.append(str(contrib / "hamilton" / "contrib"))
        inner = file.absolute().relative_to(contrib).with_suffix("")
        return importlib.import_module(".".join(inner.parts).removesuffix(".__init__"))
    sys.path[0] = str(file.absolute().parent)
    return importlib.import_module(file.stem)


def configs(module, file):
    """Nothing, each value of each key, and what lies beside the module."""
    yield {}
    choices = {}
    for known in unchosen([module], {}).values():
        choices.update(known)
    longest = max(map(len, choices.values()), default=0)
    for place in range(min(longest, _CONFIGS)):
        yield {key: values[min(place, len(values) - 1)] for key, values in choices.items()}
    beside = file.with_name("valid_configs.jsonl")
    if beside.exists():
        for line in itertools.islice(beside.read_text(encoding="utf-8").splitlines(), _CONFIGS):
            if line.strip() and (found := json.loads(line)):
                yield found


def made_up(annotation):
    """A small value of a type; None where nobody knows one."""
    origin = typing.get_origin(annotation) or annotation
    if origin in (typing.Union, type(int | str)):
        return made_up(next(one for one in typing.get_args(annotation) if one is not type(None)))
    if origin is typing.Literal:
        return typing.get_args(annotation)[0]
    inner = typing.get_args(annotation)
    if origin in (list, set, tuple):
        return origin([made_up(inner[0]) if inner and inner[0] is not ... else "one", *([] if inner else ["two"])])
    made = {
        int: lambda: 3,
        float: lambda: 0.5,
        bool: lambda: True,
        str: lambda: "some text",
        bytes: lambda: b"some text",
        dict: lambda: {"key": made_up(inner[1]) if inner else "value"},
        pandas.Series: lambda: pandas.Series([1.0, 2.0, 3.0, 5.0]),
        pandas.DataFrame: lambda: pandas.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 7.0]}),
        numpy.ndarray: lambda: numpy.arange(6.0),
    }
    return made[origin]() if origin in made else None


def built(module, config):
    coroutines = any(inspect.iscoroutinefunction(value) for value in vars(module).values())
    if coroutines:
        return asyncio.run(async_driver.Builder().with_modules(module).with_config(config).build())
    builder = driver.Builder().with_modules(module).with_config(config)
    if "Parallelizable" in vars(module):
        builder = builder.enable_dynamic_execution(allow_experimental_mode=True)
        builder = builder.with_remote_executor(driver.executors.SynchronousLocalTaskExecutor())
    return builder.build()


def within_maps(nodes):
    """Functions inside of maps, which Hamilton cannot be asked for: it gives what one of the items gave."""
    found = set()
    waiting = [node for node in nodes.values() if expands(node)]
    while waiting:
        node = waiting.pop()
        for other in node.depended_on_by:
            if node.name not in collected(other) and other.name not in found:
                found.add(other.name)
                waiting.append(other)
    return found


def execute(made, names, inputs):
    """What it gives or raises is in the log; what Hamilton refuses before it executes anything is the same for both."""
    try:
        answer = made.execute(names, inputs=inputs)
        if inspect.isawaitable(answer):
            asyncio.run(answer)
    except Exception as error:
        return error
    return None


def compare(module, file):
    for config in configs(module, file):
        made = built(module, config)
        nodes = made.graph.nodes
        inputs = {
            name: made_up(node.type)
            for name, node in nodes.items()
            if is_input(node) and name not in config and made_up(node.type) is not None
        }
        inside = within_maps(nodes)
        last = [name for name in leaves(nodes) if name not in inside]
        functions = [name for name, node in nodes.items() if not is_input(node) and name not in inside]
        for names in (last, *([name] for name in functions[:_FUNCTIONS])):
            needed, _ = made.graph.get_upstream_nodes(names, inputs)
            execute(made, names, {key: value for key, value in inputs.items() if any(n.name == key for n in needed)})


if __name__ == "__main__":
    results, source = sys.argv[1], Path(sys.argv[2])
    shadow(Log(results))
    compare(loaded(source), source)
