"""What differs between two runs: data, code, prompt, model."""

import dataclasses

import pytest

from penstock.graph.prompt import text_hash
from penstock.records import LineResult, ModelCall, NodeRun, PromptUse, Run, Status
from penstock.runs.compare import compare

RUN = Run("r", properties={"commit": "abc", "closures": {"fetch": "c" * 64}})


def line(index, *, text="Hello", name="Ann", model="small", temperature=0, output="x"):
    use = PromptUse("greet", "store", text_hash(text), text_hash(f"{text} {name}"), "greet@prod", 1)
    request = {"model": model, "temperature": temperature, "messages": [{"role": "user", "content": f"{text} {name}"}]}
    call = ModelCall("chat", model, request, "yes")
    node = NodeRun("ask", Status.COMPLETED, prompts=(use,), calls=(call,))
    return LineResult(index, Status.COMPLETED, {"name": name}, {"out": output}, nodes=(node,))


def lines(**changes):
    return [line(index, **changes) for index in range(3)]


def axes(first, second, run=RUN):
    return [(change.axis, change.node) for change in compare(RUN, first, run, second).changes]


def test_the_same_run_twice_differs_in_nothing():
    found = compare(RUN, lines(), RUN, lines())
    assert (found.changes, found.lines, found.templates, found.rendered, found.outputs) == ((), 3, (), (), ())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"text": "Hi"}, [("prompt", "ask")]),
        ({"name": "Bob"}, [("data", None)]),
        ({"model": "large"}, [("model", "ask")]),
        ({"temperature": 1}, [("model", "ask")]),
        ({"output": "y"}, []),
        ({"text": "Hi", "model": "large"}, [("prompt", "ask"), ("model", "ask")]),
    ],
)
def test_exactly_what_was_changed_is_told(changes, expected):
    assert axes(lines(), lines(**changes)) == expected


def test_an_input_that_only_one_of_the_flows_has_is_no_change_of_the_data():
    second = [dataclasses.replace(item, inputs={**item.inputs, "words": 20}) for item in lines()]
    assert axes(lines(), second) == axes(second, lines()) == []
    assert axes(lines(name="Bob"), second) == [("data", None)]


def test_changed_code_is_told_by_node():
    run = dataclasses.replace(RUN, properties={"closures": {"fetch": "d" * 64}})
    assert axes(lines(), lines(), run) == [("code", "fetch")]


def test_lines_are_told_whose_template_prompt_or_output_differs():
    second = [line(0, text="Hi"), line(1, name="Bob"), line(2, output="y")]
    found = compare(RUN, lines(), RUN, second)
    assert (found.templates, found.rendered, found.outputs) == ((0,), (0, 1), (2,))


def test_lines_that_only_one_run_has_are_left_out_of_the_count_but_not_of_the_data():
    found = compare(RUN, lines(), RUN, [line(1), line(2), line(9)])
    assert found.lines == 2
    assert [change.axis for change in found.changes] == ["data"]
    assert compare(RUN, lines()[:1], RUN, []).lines == 0


def test_nodes_that_run_once_a_run_count_too():
    whole = LineResult(-1, Status.COMPLETED, nodes=lines(text="Judge")[0].nodes)
    assert axes(lines(), [whole, *lines()]) == [("prompt", "ask")]
