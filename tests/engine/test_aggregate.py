import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from penstock.engine.aggregate import Columns, aggregate, needed
from penstock.engine.host import LoopHost
from penstock.records import Status

SCORE = """
inputs: {q: {type: int, default: 3}, unused: {type: string, default: u}}
outputs: {y: {type: object, reference: "${double.output}"}}
nodes:
- {name: double, type: python, source: {type: code, path: double.py}, inputs: {x: "${inputs.q}"}}
- {name: off, type: python, source: {type: code, path: double.py}, inputs: {x: 1}, activate: {when: 1, is: 2}}
- name: total
  type: python
  source: {type: code, path: total.py}
  aggregation: true
  inputs: {values: "${double.output}", questions: "${inputs.q}", off: "${off.output}", literal: [1, 2]}
- {name: after, type: python, source: {type: code, path: after.py}, reduce: true, inputs: {x: "${total.output}"}}
"""
FILES = {
    "double.py": "def double(x): return 2 * x\n",
    "total.py": "def total(**given): return given\n",
    "after.py": "def after(x): return x['values']\n",
}


@pytest.fixture
def columns_of(open_flow):
    """``columns_of(yaml, files, inputs, outputs, lines)`` aggregates these columns."""

    def run(yaml, files, inputs, outputs, lines, **options):
        flow = open_flow(yaml, files)
        program = flow.inline.program

        async def story():
            with ThreadPoolExecutor(4) as pool:
                return await aggregate(program, Columns(inputs, outputs, lines), LoopHost(pool, 4), **options)

        return asyncio.run(story())

    return run


def test_a_test_call_aggregates_lists_of_one_element(open_flow):
    flow = open_flow(SCORE, FILES)
    result = flow.invoke({"q": 5})
    assert [run.node for run in result.nodes] == ["double", "off"]
    total, after = flow.inline.aggregate(result).nodes
    assert total.output == {"values": [10], "questions": [5], "off": [None], "literal": [1, 2]}
    assert after.output == [10]  # the value of another aggregation node is that value, no list of it


def test_columns_are_lists_over_the_lines(columns_of):
    outputs = {"double": [2, 4, 6], "off": [None, None, None]}
    found = columns_of(SCORE, FILES, {"q": [1, 2, 3]}, outputs, 3)
    assert [run.output for run in found.nodes] == [
        {"values": [2, 4, 6], "questions": [1, 2, 3], "off": [None] * 3, "literal": [1, 2]},
        [2, 4, 6],
    ]


def test_only_the_columns_that_are_read_are_needed(open_flow):
    assert needed(open_flow(SCORE, FILES).inline.program) == ({"q"}, {"double", "off"})


def metrics_flow(code):
    text = "nodes: [{name: m, type: python, aggregation: true, source: {type: code, path: m.py}}]\n"
    return text, {"m.py": code}


def test_metrics_are_collected_from_whatever_thread(columns_of):
    code = """
        import threading

        from promptflow.core import log_metric, tool


        @tool
        def m():
            log_metric("a", 1)
            log_metric(key="a", value=2, variant_id="v")
            thread = threading.Thread(target=log_metric, args=("b", 0.5))
            thread.start()
            thread.join()
    """
    found = columns_of(*metrics_flow(code), {}, {}, 4)
    assert [(metric.name, metric.value, metric.lines) for metric in found.metrics] == [("a", 2, 4), ("b", 0.5, 4)]


def test_a_failed_aggregation_keeps_its_metrics_and_stops_only_those_that_refer_to_it(columns_of):
    text = """
        nodes:
        - {name: bad, type: python, aggregation: true, source: {type: code, path: bad.py}}
        - {name: after, type: python, aggregation: true, source: {type: code, path: ok.py}, inputs: {x: "${bad.output}"}}
        - {name: later, type: python, aggregation: true, source: {type: code, path: ok.py}, inputs: {x: "${after.output}"}}
        - {name: other, type: python, aggregation: true, source: {type: code, path: ok.py}, inputs: {x: 1}}
    """
    bad = """
        from promptflow.core import log_metric, tool


        @tool
        def bad():
            log_metric("a", 1)
            raise ValueError("no")
    """
    found = columns_of(text, {"bad.py": bad, "ok.py": "def ok(x): return x\n"}, {}, {}, 1)
    assert [(run.node, run.status) for run in found.nodes] == [("bad", Status.FAILED), ("other", Status.COMPLETED)]
    assert found.nodes[0].failure.message == "Execution failure in 'bad': (ValueError) no"
    assert [metric.name for metric in found.metrics] == ["a"]


def test_an_aggregation_node_may_be_bypassed_and_bypass_others(columns_of):
    text = """
        inputs: {q: {type: int, default: 1}}
        nodes:
        - name: off
          {node}
          activate: {when: 1, is: 2}
        - {name: after, type: python, aggregation: true, source: {type: code, path: ok.py}, inputs: {x: "${off.output}"}}
    """.replace("{node}", "type: python\n          aggregation: true\n          source: {type: code, path: ok.py}")
    found = columns_of(text, {"ok.py": "def ok(x=1): return x\n"}, {}, {}, 1)
    assert [(run.node, run.status) for run in found.nodes] == [("off", Status.BYPASSED), ("after", Status.BYPASSED)]


def test_an_async_aggregation_is_awaited(columns_of):
    found = columns_of(*metrics_flow("async def m(): return 5\n"), {}, {}, 0)
    assert found.nodes[0].output == 5
