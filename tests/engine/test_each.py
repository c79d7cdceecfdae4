"""Maps: nodes that run once an item of a sequence, and those that collect what they gave."""

import asyncio
import dataclasses
import threading
import time

import pytest

from penstock.connections.resolve import Connections
from penstock.engine.inline import Inline
from penstock.errors import LoadError
from penstock.frontends.load import load
from penstock.models.pool import Models
from penstock.records import Status
from penstock.settings import read_settings

HEAD = "import asyncio, threading, time\nfrom promptflow.core import tool\n\n\n@tool\n"


@pytest.fixture
def inline(tmp_path):
    """``inline(nodes, expands=…, collects=…)``: nodes are ``name: (code, inputs)``; those that expand and collect are named."""
    made = []

    def build(nodes, *, expands=(), collects=None, outputs=(), inputs="n: {type: int}", concurrency=16):
        lines = []
        for name, (code, references) in nodes.items():
            (tmp_path / f"{name}.py").write_text(HEAD + code)
            given = ", ".join(f'{parameter}: "${{{reference}}}"' for parameter, reference in references.items())
            lines.append(
                f"- {{name: {name}, type: python, source: {{type: code, path: {name}.py}}, inputs: {{{given}}}}}"
            )
        asked = ", ".join(f'{name}: {{type: object, reference: "${{{name}.output}}"}}' for name in outputs)
        text = f"inputs: {{{inputs}}}\noutputs: {{{asked}}}\nnodes:\n" + "\n".join(lines) + "\n"
        (tmp_path / "flow.dag.yaml").write_text(text)
        flow = load(tmp_path)
        flow = flow.replace_nodes(
            dataclasses.replace(
                node,
                expands=node.name in expands,
                collects=frozenset((collects or {}).get(node.name, ())),
            )
            for node in flow.nodes
        )
        settings = read_settings()
        found = Inline(
            flow, connections=Connections.open(settings), models=Models(settings, None), node_concurrency=concurrency
        )
        made.append(found)
        return found

    yield build
    for one in made:
        one.close()


COUNT = ("def count(n):\n    yield from range(n)\n", {"n": "inputs.n"})
TWICE = ("def twice(x):\n    return 2 * x\n", {"x": "count.output"})
TOTAL = ("def total(xs):\n    return sum(xs)\n", {"xs": "twice.output"})
PLAIN = {"count": COUNT, "twice": TWICE, "total": TOTAL}


@pytest.mark.parametrize("concurrency", [1, 2, 16])
def test_a_node_runs_once_an_item_and_its_values_are_collected_in_order(inline, concurrency):
    nodes = {**PLAIN, "total": ("def total(xs):\n    return xs\n", {"xs": "twice.output"})}
    flow = inline(nodes, expands=["count"], collects={"total": ["xs"]}, outputs=["total"], concurrency=concurrency)
    result = flow.call({"n": 50})
    assert result.output == {"total": [2 * n for n in range(50)]}
    assert [run.label for run in result.nodes][:4] == ["count", "twice[0]", "twice[1]", "twice[2]"]
    assert result.nodes[0].output == list(range(50))


def test_an_event_loop_runs_the_same_map(inline):
    flow = inline(PLAIN, expands=["count"], collects={"total": ["xs"]}, outputs=["total"])
    assert asyncio.run(flow.call_async({"n": 20})).output == {"total": 380}


def test_no_item_gives_an_empty_list(inline):
    flow = inline(PLAIN, expands=["count"], collects={"total": ["xs"]}, outputs=["total"])
    assert flow.call({"n": 0}).output == {"total": 0}


def test_a_sequence_can_be_collected_as_it_is(inline):
    nodes = {"count": COUNT, "all": ("def all(xs):\n    return xs\n", {"xs": "count.output"})}
    flow = inline(nodes, expands=["count"], collects={"all": ["xs"]}, outputs=["all"])
    assert flow.call({"n": 3}).output == {"all": [0, 1, 2]}


def test_a_block_may_be_collected_several_times(inline):
    nodes = {
        **PLAIN,
        "thrice": ("def thrice(x, y):\n    return x + y\n", {"x": "count.output", "y": "twice.output"}),
        "most": ("def most(xs, ys):\n    return [max(xs), max(ys)]\n", {"xs": "thrice.output", "ys": "twice.output"}),
    }
    flow = inline(nodes, expands=["count"], collects={"total": ["xs"], "most": ["xs", "ys"]}, outputs=["total", "most"])
    assert flow.call({"n": 4}).output == {"total": 12, "most": [9, 6]}


def test_maps_nest(inline):
    nodes = {
        "count": COUNT,
        "below": ("def below(k):\n    return list(range(k))\n", {"k": "count.output"}),
        "pair": (
            "def pair(k, j, n):\n    return (n, k, j)\n",
            {"k": "count.output", "j": "below.output", "n": "inputs.n"},
        ),
        "row": ("def row(ps):\n    return len(ps)\n", {"ps": "pair.output"}),
        "rows": ("def rows(rs):\n    return rs\n", {"rs": "row.output"}),
    }
    flow = inline(nodes, expands=["count", "below"], collects={"row": ["ps"], "rows": ["rs"]}, outputs=["rows", "pair"])
    result = flow.call({"n": 4})
    assert result.output == {
        "rows": [0, 1, 2, 3],
        "pair": [[], [(4, 1, 0)], [(4, 2, 0), (4, 2, 1)], [(4, 3, 0), (4, 3, 1), (4, 3, 2)]],
    }
    assert "pair[3][2]" in [run.label for run in result.nodes]
    assert asyncio.run(flow.call_async({"n": 4})).output == result.output


def test_what_runs_once_is_seen_by_every_item(inline):
    nodes = {
        "base": ("def base(n):\n    return 100 * n\n", {"n": "inputs.n"}),
        "count": COUNT,
        "twice": ("def twice(x, base):\n    return base + x\n", {"x": "count.output", "base": "base.output"}),
        "total": TOTAL,
    }
    flow = inline(nodes, expands=["count"], collects={"total": ["xs"]}, outputs=["total"])
    assert flow.call({"n": 3}).output == {"total": 903}
    assert [run.node for run in flow.call({"n": 3}).nodes].count("base") == 1


def test_items_run_at_once_as_many_as_nodes_may(inline):
    code = """def twice(x, now=[0], most=[0], lock=threading.Lock()):
    with lock:
        now[0] += 1
        most[0] = max(most[0], now[0])
    time.sleep(0.01)
    with lock:
        now[0] -= 1
    return most[0]
"""
    nodes = {**PLAIN, "twice": (code, TWICE[1])}
    flow = inline(nodes, expands=["count"], collects={"total": ["xs"]}, outputs=["twice"], concurrency=4)
    assert max(flow.call({"n": 40}).output["twice"]) == 4


def test_coroutines_of_a_map_run_side_by_side(inline):
    nodes = {**PLAIN, "twice": ("async def twice(x):\n    await asyncio.sleep(0.05)\n    return x\n", TWICE[1])}
    flow = inline(nodes, expands=["count"], collects={"total": ["xs"]}, outputs=["total"])
    began = time.monotonic()
    assert flow.call({"n": 16}).output == {"total": 120}
    assert time.monotonic() - began < 16 * 0.05


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_the_first_failed_item_ends_the_line(inline, kind):
    nodes = {**PLAIN, "twice": (f"{kind} twice(x):\n    time.sleep(0.001)\n    return 1 // (x - 5)\n", TWICE[1])}
    flow = inline(nodes, expands=["count"], collects={"total": ["xs"]}, outputs=["total"])
    result = flow.call({"n": 2000})
    assert result.status is Status.FAILED
    assert result.failure.node == "twice"
    assert "ZeroDivisionError" in result.failure.message
    failed = [run for run in result.nodes if run.status is Status.FAILED]
    assert [run.item for run in failed] == [(5,)]
    assert sum(run.node == "twice" for run in result.nodes) < 2000


def test_many_maps_at_once_in_threads_never_wait_for_each_other(inline):
    nodes = {"count": COUNT}
    for place in range(12):
        nodes[f"slow{place}"] = (
            f"def slow{place}(x):\n    time.sleep(0.002)\n    return x\n",
            {"x": f"each{place}.output"},
        )
        nodes[f"each{place}"] = (f"def each{place}(n):\n    return list(range(n))\n", {"n": "inputs.n"})
        nodes[f"all{place}"] = (f"def all{place}(xs):\n    return len(xs)\n", {"xs": f"slow{place}.output"})
    flow = inline(
        nodes,
        expands=[name for name in nodes if name.startswith("each")],
        collects={name: ["xs"] for name in nodes if name.startswith("all")},
        outputs=["all0", "all11"],
    )
    results = []
    callers = [threading.Thread(target=lambda: results.append(flow.call({"n": 20}).output)) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert results == [{"all0": 20, "all11": 20}] * 6


def test_what_is_no_sequence_is_said_to_be_none(inline):
    flow = inline(
        {**PLAIN, "count": ("def count(n):\n    return n\n", COUNT[1])},
        expands=["count"],
        collects={"total": ["xs"]},
        outputs=["total"],
    )
    assert "must give a list or a generator, not int" in flow.call({"n": 3}).failure.message


@pytest.mark.parametrize(
    ("nodes", "expands", "collects", "said"),
    [
        (
            {
                "count": COUNT,
                "other": COUNT,
                "both": ("def both(a, b): ...\n", {"a": "count.output", "b": "other.output"}),
            },
            ["count", "other"],
            {},
            "neither is inside the other",
        ),
        ({"count": COUNT, "twice": TWICE}, [], {"twice": ["x"]}, "runs once and is no item"),
        (
            {"count": COUNT, "both": ("def both(a, b): ...\n", {"a": "count.output", "b": "count.output"})},
            ["count"],
            {"both": ["a"]},
            "both collects the items of 'count' and takes one",
        ),
        (
            {**PLAIN, "late": ("def late(x, t): ...\n", {"x": "count.output", "t": "total.output"})},
            ["count"],
            {"total": ["xs"]},
            "wait for a list of themselves",
        ),
    ],
)
def test_a_map_that_makes_no_sense_is_refused(inline, nodes, expands, collects, said):
    with pytest.raises(LoadError, match=said):
        _ = inline(nodes, expands=expands, collects=collects).program
