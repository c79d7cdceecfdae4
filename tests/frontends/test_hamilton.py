"""Hamilton modules, unchanged, as flows."""

import importlib.util
import os
import sys
import threading

import pytest

import penstock
from penstock.errors import LoadError, PenstockError, UsageError
from penstock.frontends.load import load

pytest.importorskip("hamilton", reason="apache-hamilton is not installed: pip install 'penstock[hamilton]'")

from penstock.frontends import hamilton as frontend

PROMPTS = """
from hamilton.function_modifiers import config, tag

@config.when(version="v1")
def greeting_prompt__v1(name: str) -> str:
    return f"Greet {name}."

@config.when(version="v2")
def greeting_prompt__v2(name: str) -> str:
    return f"Greet {name} at length."

def shouted(greeting_prompt: str, mark: str = "!") -> str:
    '''Loud.

    Very.'''
    return greeting_prompt.upper() + mark
"""

MAP = """
from hamilton.htypes import Collect, Parallelizable

def row(rows: int) -> Parallelizable[int]:
    yield from range(rows)

def cell(row: int, columns: int = 2) -> Parallelizable[tuple]:
    return [(row, column) for column in range(columns)]

def value(cell: tuple) -> int:
    return cell[0] * 10 + cell[1]

def row_sum(value: Collect[int], row: int) -> int:
    return sum(value) + 1000 * row

def total(row_sum: Collect[int]) -> int:
    return sum(row_sum)

def straight(row: Collect[int]) -> list:
    return list(row)

def twice(row_sum: Collect[int], row: Collect[int]) -> list:
    return [*row_sum, *row]
"""


def write(tmp_path, text, name="greet.py"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def module_of(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where Hamilton's decorators look for it while it is imported
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[path.stem]
    return module


def flow_of(tmp_path, text, config=None, outputs=(), adapters=()):
    return frontend.load_modules([module_of(write(tmp_path, text))], config or {}, outputs, adapters)


def values(path, outputs, inputs, config=None):
    flow = penstock.load(path, outputs=tuple(outputs), config=config or {})
    try:
        return flow(**inputs)
    finally:
        flow.close()


def test_a_module_with_its_decorators_is_told_from_a_plain_one(tmp_path):
    plain = module_of(write(tmp_path, "def double(x: int) -> int:\n    return 2 * x\n", "plain.py"))
    assert not frontend.is_hamilton([plain])
    assert frontend.is_hamilton([plain, module_of(write(tmp_path, PROMPTS))])
    assert frontend.is_hamilton([module_of(write(tmp_path, MAP, "mapped.py"))])


@pytest.mark.parametrize(("version", "text"), [("v1", "GREET ADA.!"), ("v2", "GREET ADA AT LENGTH.!")])
def test_config_chooses_the_version_of_a_prompt(tmp_path, version, text):
    assert values(write(tmp_path, PROMPTS), ["shouted"], {"name": "Ada"}, {"version": version}) == {"shouted": text}


def test_a_version_that_is_not_there_lists_those_that_are(tmp_path):
    with pytest.raises(
        LoadError, match=r"greet.py:\d+: no alternative of 'greeting_prompt' fits config version='v3'"
    ) as found:
        flow_of(tmp_path, PROMPTS, {"version": "v3"})
    assert "there are: 'v1', 'v2'" in found.value.message


def test_the_choices_of_a_module_are_listed_with_the_one_in_force(tmp_path):
    (tmp_path / "prompts.py").write_text(PROMPTS)
    (choice,) = load(tmp_path / "prompts.py", config={"version": "v2"}).choices.values()
    assert (choice.key, choice.values, choice.chosen) == ("version", ("v1", "v2"), "v2")
    assert choice.nodes == ("greeting_prompt",)


def test_a_key_that_nothing_decides_by_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(UsageError, match=r"nothing decides by config .verison. or takes it. Did you mean .version."):
        flow_of(tmp_path, PROMPTS, {"verison": "v1"})


def test_a_choice_that_is_not_made_leaves_an_input_and_says_how_to_make_it(tmp_path):
    flow = flow_of(tmp_path, PROMPTS)
    assert set(flow.inputs) == {"greeting_prompt", "mark"}
    [warning] = [item for item in flow.diagnostics if item.code == "AlternativeNotChosen"]
    assert "--config version=v1 or --config version=v2" in warning.message


def test_a_number_in_the_module_is_found_by_its_text(tmp_path):
    text = PROMPTS.replace('"v1"', "1").replace('"v2"', "2")
    assert flow_of(tmp_path, text, {"version": "2"}).source.config == {"version": 2}


def test_config_that_is_an_input_is_given_already(tmp_path):
    assert set(flow_of(tmp_path, PROMPTS, {"version": "v1", "name": "Ada"}).inputs) == {"mark"}


def test_inputs_have_the_types_of_their_parameters_and_may_be_left_out_where_those_have_defaults(tmp_path):
    flow = flow_of(tmp_path, PROMPTS, {"version": "v1"})
    assert flow.inputs["name"].type == "string"
    assert not flow.inputs["name"].optional
    assert flow.inputs["mark"].optional


def test_without_outputs_what_nobody_takes_is_given(tmp_path):
    assert list(flow_of(tmp_path, PROMPTS, {"version": "v1"}).outputs) == ["shouted"]


def test_any_function_in_between_may_be_asked_for(tmp_path):
    path = write(tmp_path, PROMPTS)
    assert values(path, ["greeting_prompt"], {"name": "Ada"}, {"version": "v1"}) == {"greeting_prompt": "Greet Ada."}


def test_a_function_that_is_not_there_is_told_with_the_nearest(tmp_path):
    with pytest.raises(UsageError, match=r"there is no function 'shouted_'. Did you mean 'shouted'"):
        flow_of(tmp_path, PROMPTS, {"version": "v1"}, ["shouted_"])


def test_an_input_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(PenstockError, match="The flow has no input 'nam'"):
        values(write(tmp_path, PROMPTS), ["shouted"], {"name": "Ada", "nam": 1}, {"version": "v1"})


def test_nodes_carry_their_first_sentence_line_and_tags(tmp_path):
    flow = flow_of(tmp_path, PROMPTS.replace("def shouted", '@tag(team="x")\ndef shouted'), {"version": "v1"})
    node = flow.node("shouted")
    assert node.description == "Loud."
    assert node.tags["team"] == "x"
    assert node.line


def test_the_prompt_that_was_used_is_noted_with_its_text_and_its_code(tmp_path):
    path = write(tmp_path, PROMPTS)
    flow = penstock.load(path, outputs=("shouted",), config={"version": "v1"})
    result = flow.invoke({"name": "Ada"})
    flow.close()
    [use] = next(node.prompts for node in result.nodes if node.node == "greeting_prompt")
    assert (use.name, use.source) == ("greeting_prompt", "code")
    assert len(use.rendered) == len(use.closure) == 64


def test_maps_nest_and_are_collected_more_than_once(tmp_path):
    path = write(tmp_path, MAP)
    found = values(path, ["total", "straight", "twice", "value"], {"rows": 3})
    assert found == {
        "total": 1 + 1021 + 2041,
        "straight": [0, 1, 2],
        "twice": [1, 1021, 2041, 0, 1, 2],
        "value": [[0, 1], [10, 11], [20, 21]],
    }


def test_an_item_of_a_map_is_a_node_run_of_its_own(tmp_path):
    flow = penstock.load(write(tmp_path, MAP), outputs=("total",))
    result = flow.invoke({"rows": 2})
    flow.close()
    assert [node.label for node in result.nodes if node.node == "value"] == [
        f"value[{row}][{column}]" for row in range(2) for column in range(2)
    ]


MODIFIERS = """
import asyncio
from hamilton.function_modifiers import (
    config, does, extract_fields, inject, parameterize, pipe_input, source, step, subdag, tag, unpack_fields, value,
)

async def start(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1

@extract_fields({"low": int, "high": int})
async def both(start: int) -> dict:
    return {"low": start - 1, "high": start + 1}

@parameterize(plus_one={"n": value(1)}, plus_low={"n": source("low")})
async def plus(start: int, n: int) -> int:
    return start + n

@inject(other=source("high"))
async def injected(start: int, other: int) -> int:
    return start * other

async def _total(**numbers: int) -> int:
    return sum(numbers.values())

@does(_total)
def done(low: int, high: int) -> int: ...

def _doubled(n: int) -> int:
    return 2 * n

@pipe_input(step(_doubled), step(_doubled))
async def piped(start: int) -> int:
    return start

@tag(owner="me")
@config.when(on="yes")
async def chosen__yes(start: int) -> int:
    return -start

async def inner(x: int) -> int:
    return 100 * x

@subdag(inner, inputs={"x": source("start")})
async def outer(inner: int) -> int:
    return inner + 1
"""


def test_coroutines_work_with_every_modifier(tmp_path):
    names = ["low", "high", "plus_one", "plus_low", "injected", "done", "piped", "chosen", "outer"]
    assert values(write(tmp_path, MODIFIERS), names, {"x": 1}, {"on": "yes"}) == {
        "low": 1,
        "high": 3,
        "plus_one": 3,
        "plus_low": 3,
        "injected": 6,
        "done": 4,
        "piped": 8,
        "chosen": -2,
        "outer": 201,
    }


FOREIGN = """
import functools
from hamilton.function_modifiers import extract_fields

def _observe(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        seen.append(function.__name__)
        return function(*args, **kwargs)
    return call

_ = None
seen: list = []

@_observe
@extract_fields({"a": int})
def parts(x: int) -> dict:
    return {"a": x}

@_observe
async def later(a: int) -> int:
    return a + len(seen)
"""


def test_foreign_decorators_above_modifiers_stay_in_place(tmp_path):
    assert values(write(tmp_path, FOREIGN), ["later"], {"x": 5}) == {"later": 7}


def test_a_text_of_pieces_is_joined_as_in_every_flow(tmp_path):
    text = """
from collections.abc import Iterator
from hamilton.function_modifiers import tag

@tag(a="b")
def words(x: str) -> Iterator[str]:
    yield from x.split()
"""
    assert values(write(tmp_path, text), ["words"], {"x": "a b"}) == {"words": "ab"}


class Hook:
    """Of the node lifecycle, in Hamilton's terms."""

    def __init__(self):
        self.seen = []
        self.lock = threading.Lock()

    def pre_node_execute(self, *, run_id, node_, kwargs, task_id=None):
        with self.lock:
            self.seen.append(("before", node_.name, dict(kwargs), task_id))

    def post_node_execute(self, *, run_id, node_, kwargs, success, error, result, task_id=None):
        with self.lock:
            self.seen.append(("after", node_.name, result, success))


def run(flow, inputs):
    from penstock.connections.resolve import Connections
    from penstock.engine.inline import Inline
    from penstock.models.pool import Models
    from penstock.settings import read_settings

    settings = read_settings()
    inline = Inline(flow, connections=Connections.open(settings), models=Models(settings))
    try:
        return inline.call(inputs)
    finally:
        inline.close()


def test_node_hooks_see_values_and_items(tmp_path):
    hook = Hook()
    result = run(flow_of(tmp_path, MAP, outputs=["straight", "row_sum"], adapters=[hook]), {"rows": 1, "columns": 1})
    assert result.output == {"straight": [0], "row_sum": [0]}
    assert ("before", "value", {"cell": (0, 0)}, "expand-row.0.expand-cell.0.block-cell") in hook.seen
    assert ("after", "row", [0], True) in hook.seen


def test_hooks_see_what_coroutines_gave(tmp_path):
    hook = Hook()
    run(flow_of(tmp_path, MODIFIERS, {"on": "yes"}, ["injected"], [hook]), {"x": 1})
    assert ("after", "start", 2, True) in hook.seen
    assert ("before", "injected", {"start": 2, "high": 3}, "injected") in hook.seen


def test_a_method_that_runs_nodes_gets_functions_that_give_values(tmp_path):
    class Doubles:
        def do_node_execute(self, *, run_id, node_, kwargs, task_id=None):
            return node_.callable(**kwargs) * 2

    flow = flow_of(tmp_path, MODIFIERS, {"on": "yes"}, ["chosen"], [Doubles()])
    assert run(flow, {"x": 1}).output == {"chosen": -8}


def test_adapters_that_hear_nothing_in_a_flow_are_named(tmp_path):
    class Tasks:
        def pre_task_execute(self, **facts): ...

    flow = flow_of(tmp_path, PROMPTS, {"version": "v1"}, adapters=[Tasks()])
    said = [item.message for item in flow.diagnostics if item.code == "AdapterNotHeard"]
    assert [message.split()[0] for message in said] == ["Tasks"]


GRAPH_HOOKS = """
from hamilton.lifecycle import GraphExecutionHook, NodeExecutionHook
from hamilton.lifecycle.base import BasePostGraphExecuteAsync
from pathlib import Path


def note(*facts):
    with Path(__file__).with_name("seen.txt").open("a") as file:
        print(*facts, file=file)


class Watch(GraphExecutionHook, NodeExecutionHook):
    def run_before_graph_execution(self, *, final_vars, inputs, execution_path, run_id, **_):
        note("before", run_id, final_vars, inputs, sorted(execution_path))

    def run_after_graph_execution(self, *, success, error, results, run_id, **_):
        note("after", run_id, success, type(error).__name__, results)

    def run_before_node_execution(self, *, node_name, run_id, **_):
        note("node", run_id, node_name)

    def run_after_node_execution(self, **_): ...


class Refuses(GraphExecutionHook):
    def run_before_graph_execution(self, *, inputs, **_):
        raise ValueError("not this one")

    def run_after_graph_execution(self, **_): ...


class Later(BasePostGraphExecuteAsync):
    async def post_graph_execute(self, *, results, **_):
        note("later", results)


watch = Watch()
"""
DIVIDING = """
from hamilton.function_modifiers import tag

@tag(kind="x")
def half(x: int) -> float:
    return 1 / x

async def quarter(half: float) -> float:
    return half / 2
"""


def watched(tmp_path, adapters):
    write(tmp_path, DIVIDING, "half.py")
    write(tmp_path, GRAPH_HOOKS, "hooks.py")
    text = f"modules: [half.py]\noutputs: [quarter]\nadapters: [{adapters}]\n"
    return load(write(tmp_path, text, "flow.penstock.yaml"), here=True)


def seen(tmp_path):
    return (tmp_path / "seen.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", ["Watch", "watch"])
def test_graph_hooks_hear_of_each_line_with_one_id_for_all_its_nodes(tmp_path, name):
    flow = watched(tmp_path, f"hooks.py:{name}, hooks.py:Later")
    assert run(flow, {"x": 2}).output == {"quarter": 0.25}
    said = seen(tmp_path)
    [run_id] = {line.split()[1] for line in said if not line.startswith("later")}
    assert [line.replace(f"{run_id} ", "") for line in said] == [
        "before ['quarter'] {'x': 2} ['half', 'quarter']",
        "node half",
        "node quarter",
        "after True NoneType {'quarter': 0.25}",
        "later {'quarter': 0.25}",
    ]


def test_graph_hooks_hear_what_a_line_failed_with(tmp_path):
    result = run(watched(tmp_path, "hooks.py:Watch"), {"x": 0})
    assert result.failure.node == "half"
    assert seen(tmp_path)[-1].split(" ", 2)[2] == "False ZeroDivisionError None"


def test_a_graph_hook_that_fails_fails_the_line(tmp_path):
    result = run(watched(tmp_path, "hooks.py:Refuses"), {"x": 2})
    assert result.output is None
    assert "not this one" in result.failure.message


def test_an_adapter_that_is_not_there_is_named(tmp_path):
    with pytest.raises(LoadError, match=r"Wach.*Watch"):
        watched(tmp_path, "hooks.py:Wach")


@pytest.mark.parametrize("adapters", ["hooks.py", "../hooks.py:Watch", "/hooks.py:Watch", "1"])
def test_adapters_are_named_by_file_and_name(tmp_path, adapters):
    with pytest.raises(LoadError, match=r"adapters must be a list|outside of the flow's folder"):
        watched(tmp_path, adapters)


def test_adapters_need_a_module_of_hamilton(tmp_path):
    write(tmp_path, "def one() -> int:\n    return 1\n", "plain.py")
    write(tmp_path, "class Watch: ...\n", "hooks.py")
    path = write(tmp_path, "modules: [plain.py]\nadapters: [hooks.py:Watch]\n", "flow.penstock.yaml")
    with pytest.raises(LoadError, match="none of the modules uses Hamilton"):
        load(path, here=True)


def test_an_adapter_that_sends_nodes_elsewhere_runs_the_driver_as_one_node_and_says_so(tmp_path):
    from hamilton.lifecycle.base import BaseDoRemoteExecute

    from hamilton import base

    class Cluster(BaseDoRemoteExecute, base.DictResult):
        __module__ = "hamilton.plugins.h_ray"

        def do_remote_execute(self, *, node, execute_lifecycle_for_node, **kwargs):
            return execute_lifecycle_for_node(**kwargs)

    flow = flow_of(tmp_path, PROMPTS, {"version": "v1"}, ["greeting_prompt", "shouted"], [Cluster()])
    assert [node.name for node in flow.nodes] == ["hamilton_driver"]
    assert any("Cluster sends nodes to other machines" in item.message for item in flow.diagnostics)
    assert run(flow, {"name": "Ada"}).output == {"greeting_prompt": "Greet Ada.", "shouted": "GREET ADA.!"}


def test_looking_at_a_module_imports_none_of_it_here(tmp_path):
    path = write(tmp_path, "import sys\nsys.imported_here = True\n" + PROMPTS)
    flow = load(path, config={"version": "v1"}, outputs=("shouted",))
    assert [node.name for node in flow.nodes] == ["greeting_prompt", "shouted"]
    assert not hasattr(sys, "imported_here")


def test_columns_are_extracted_from_frames(tmp_path):
    pytest.importorskip("pandas")
    text = """
import pandas as pd
from hamilton.function_modifiers import extract_columns

@extract_columns("a", "b")
def frame(n: int) -> pd.DataFrame:
    return pd.DataFrame({"a": range(n), "b": range(n, 2 * n)})

def total(a: pd.Series, b: pd.Series) -> int:
    return int((a + b).sum())
"""
    assert values(write(tmp_path, text, "columns.py"), ["total"], {"n": 3}) == {"total": 15}


def test_no_data_library_is_loaded_for_modules_that_need_none(tmp_path, monkeypatch):
    monkeypatch.delenv("HAMILTON_AUTOLOAD_EXTENSIONS", raising=False)
    frontend.skip_extensions([write(tmp_path, "from hamilton.function_modifiers import extract_columns\n", "e.py")])
    assert "HAMILTON_AUTOLOAD_EXTENSIONS" not in os.environ
    frontend.skip_extensions([write(tmp_path, "def plain(x: int) -> int: return x\n", "p.py")])
    assert "HAMILTON_AUTOLOAD_EXTENSIONS" not in os.environ
    frontend.skip_extensions([write(tmp_path, PROMPTS)])
    assert os.environ["HAMILTON_AUTOLOAD_EXTENSIONS"] == "0"


def test_a_module_that_hamilton_refuses_is_told_in_one_sentence(tmp_path):
    text = PROMPTS + "\ndef broken(shouted: int) -> int:\n    return 1\n"
    with pytest.raises(LoadError, match=r"greet.py: Hamilton cannot make a graph of it"):
        flow_of(tmp_path, text, {"version": "v1"})


def test_an_awaitable_that_no_signature_tells_of_is_awaited(tmp_path):
    text = """
import asyncio
from hamilton.function_modifiers import tag

@tag(a="b")
def surprise(x: int) -> int:
    return asyncio.sleep(0, x + 1)

async def after(surprise: int) -> int:
    return surprise + 1
"""
    assert values(write(tmp_path, text), ["after"], {"x": 1}) == {"after": 3}
