"""Entries of flex flows: made once, called for each line, told apart by how they fail."""

import asyncio
import json
import threading

import pytest

from penstock.api.flows import FlowError
from penstock.connections.kinds import AzureOpenAIConnection
from penstock.connections.model_configuration import AzureOpenAIModelConfiguration
from penstock.engine.jsonable import Encoder
from penstock.errors import LoadError

AZURE = {"az": {"type": "azure_open_ai", "api_key": "secret-key", "api_base": "https://a.example"}}


@pytest.fixture
def open_flex(open_flow, write_flow, settings):
    """``open_flex(code, **options)``: the flow whose entry is ``entry`` in that code."""

    def open_it(code, yaml="", **options):
        return open_flow("", {"flow.flex.yaml": f"entry: m:entry\n{yaml}", "m.py": "\n" + code}, **options)

    return open_it


@pytest.fixture
def write_flow(write_flow):
    def write(yaml, files, folder="flow"):
        place = write_flow(yaml, files, folder)
        (place / "flow.dag.yaml").unlink()
        return place

    return write


def test_what_it_returns_comes_back_as_it_is(open_flex):
    assert open_flex("def entry(a: int): return a + 1")(a="2") == 3
    assert open_flex("def entry(a): return {'b': a}", folder="f2")(a="x") == {"b": "x"}
    assert open_flex("def entry(): return None", folder="f3")() is None


def test_a_run_holds_it_under_the_name_output(open_flex):
    result = open_flex("def entry(a): return a * 2").invoke({"a": "x"})
    assert result.output == {"output": "xx"}
    assert [run.node for run in result.nodes] == ["entry"]


def test_a_dataclass_stays_one(open_flex):
    flow = open_flex(
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\nclass R:\n    a: str\n    b: object\n"
        "def entry(): return R('x', (c for c in 'yz'))"
    )
    found = flow()
    assert (type(found).__name__, found.a, found.b) == ("R", "x", "yz")
    assert flow.invoke({}).output == {"a": "x", "b": "yz"}


def test_streams_in_a_dataclass_are_texts_in_the_record_too(open_flex):
    code = (
        "from dataclasses import dataclass\n@dataclass\nclass R:\n    a: object\ndef entry(): return R(c for c in 'yz')"
    )
    (node,) = open_flex(code).invoke({}).nodes
    assert json.loads(Encoder().encode(node.output)) == {"a": "yz"}


@pytest.mark.parametrize(
    "code",
    [
        "async def entry(n: int):\n    return 'ab' * n",
        "def entry(n: int):\n    for _ in range(n):\n        yield 'ab'",
        "async def entry(n: int):\n    for _ in range(n):\n        yield 'ab'",
        "class entry:\n    async def __call__(self, n: int):\n        return 'ab' * n",
        "class entry:\n    def __call__(self, n: int):\n        for _ in range(n):\n            yield 'ab'",
        "from promptflow.tracing import trace\nclass entry:\n    @trace\n    async def __call__(self, n: int):\n"
        "        return 'ab' * n",
    ],
)
def test_every_kind_of_function_is_called_as_it_wants(open_flex, code):
    flow = open_flex(code)
    assert flow(n=2) == "abab"
    assert asyncio.run(flow.call_async(n=3)) == "ababab"


def test_a_generator_may_be_taken_piece_by_piece(open_flex):
    flow = open_flex("def entry():\n    yield 'a'\n    yield 'b'")
    assert list(flow.stream()) == [("output", "a"), ("output", "b")]


def test_one_instance_serves_all_calls(open_flex):
    flow = open_flex(
        "class entry:\n    made = 0\n    def __init__(self): entry.made += 1\n    def __call__(self): return self.made"
    )
    threads = [threading.Thread(target=flow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert flow() == 1


def test_the_codes_own_defaults_apply(open_flex):
    flow = open_flex("def entry(a, b=('x',), c=None): return [a, list(b), c]")
    assert flow(a="1") == [1, ["x"], None]  # without annotation a text that is JSON is taken as such, as in prompt flow
    assert flow(a="a", c="5") == ["a", ["x"], "5"]


def test_nested_calls_are_its_spans(open_flex):
    flow = open_flex(
        "from promptflow.tracing import trace\n@trace\ndef inner(x): return x * 2\ndef entry(x: int): return inner(x)"
    )
    (node,) = flow.invoke({"x": 4}).nodes
    assert [(span.name, span.output) for span in node.spans] == [("inner", 8)]


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_connections_and_configurations_are_given_by_name(open_flex, future):
    flow = open_flex(
        f"{future}from promptflow.connections import AzureOpenAIConnection\n"
        "from promptflow.core import AzureOpenAIModelConfiguration\n"
        "class entry:\n"
        "    def __init__(self, c: AzureOpenAIConnection, m: AzureOpenAIModelConfiguration,"
        " o: AzureOpenAIConnection | None = None, p: AzureOpenAIModelConfiguration = None):\n"
        "        self.all = [c.api_base, m.azure_endpoint, m.api_key == c.api_key, m.connection, o, p]\n"
        "        assert isinstance(m, AzureOpenAIModelConfiguration)\n"
        "    def __call__(self): return self.all",
        connections=AZURE,
        init={"c": "az", "m": {"azure_deployment": "d", "connection": "az"}},
    )
    assert flow() == ["https://a.example", "https://a.example", True, None, None, None]


def test_they_may_be_objects(open_flex):
    flow = open_flex(
        "from promptflow.core import AzureOpenAIModelConfiguration\n"
        "class entry:\n    def __init__(self, c, m: AzureOpenAIModelConfiguration):\n"
        "        self.all = [c.api_base, m.azure_deployment]\n"
        "    def __call__(self): return self.all",
        init={"c": AzureOpenAIConnection(api_key="k", api_base="b"), "m": AzureOpenAIModelConfiguration("d")},
    )
    assert flow() == ["b", "d"]


def test_the_file_may_say_that_a_parameter_takes_a_connection(open_flex):
    flow = open_flex(
        "class entry:\n    def __init__(self, c): self.c = c\n    def __call__(self): return self.c.api_base",
        "init:\n  c: {type: AzureOpenAIConnection}\n",
        connections=AZURE,
        init={"c": "az"},
    )
    assert flow() == "https://a.example"


@pytest.mark.parametrize(
    ("code", "options", "said"),
    [
        (
            "class entry:\n    def __init__(self, a): ...\n    def __call__(self): ...",
            {},
            "Failed to initialize flow entry with '{}', ex:'TypeError",
        ),
        (
            "class entry:\n    def __init__(self): raise OSError('no disk')\n    def __call__(self): ...",
            {},
            "ex:'OSError: no disk'",
        ),
        (
            "from promptflow.connections import OpenAIConnection\n"
            "class entry:\n    def __init__(self, c: OpenAIConnection): ...\n    def __call__(self): ...",
            {"init": {"c": "az"}, "connections": AZURE},
            "takes OpenAIConnection, but connection 'az' is AzureOpenAIConnection",
        ),
        (
            "from promptflow.core import OpenAIModelConfiguration\n"
            "class entry:\n    def __init__(self, m: OpenAIModelConfiguration): ...\n    def __call__(self): ...",
            {"init": {"m": {"model": "m", "api_key": "secret-key", "base_url": 1, "nonsense": 2}}},
            "does not know 'nonsense'",
        ),
    ],
)
def test_a_constructor_that_fails_is_named(open_flex, code, options, said):
    with pytest.raises(LoadError) as caught:
        open_flex(code, **options)()
    assert caught.value.code == "FlowEntryInitializationError"
    assert "flow.flex.yaml:1" in caught.value.message
    assert said in caught.value.message
    assert "secret-key" not in caught.value.message


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_thing\ndef entry(): ...", "m.py:1: (ModuleNotFoundError) No module named 'no_such_thing'"),
        ("if True:\n    def entry(): ...\nentry = 5", "got 5"),
    ],
)
def test_code_that_is_no_entry_is_refused_when_it_is_bound(open_flex, code, said):
    with pytest.raises(LoadError) as caught:
        open_flex(code)()
    assert said in caught.value.message


def test_a_call_that_fails_names_the_entry(open_flex):
    with pytest.raises(FlowError, match=r"Execution failure in 'entry': \(ValueError\) bad a"):
        open_flex("def entry(a): raise ValueError(f'bad {a}')")(a="a")


def test_an_input_that_is_missing_is_named(open_flex):
    with pytest.raises(FlowError, match="flow input 'b' is not provided"):
        open_flex("def entry(a, b): ...")(a=1)


def test_a_module_named_like_one_of_pythons_is_the_flows(open_flow, write_flow):
    files = {"flow.flex.yaml": "entry: calendar:entry\n", "calendar.py": "\ndef entry(): return 'mine'\n"}
    assert open_flow("", files)() == "mine"
