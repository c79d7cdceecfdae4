import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import LoadError
from penstock.graph.check import check, nearest, order, require
from penstock.graph.flow import Flow, FlowInput, FlowOutput, Source
from penstock.graph.node import Activate, Call, Node
from penstock.graph.reference import parse


def node(name, *, scope="line", when=None, line=None, **inputs):
    activate = None if when is None else Activate(parse(when) or when, True)
    given_inputs = {key: parse(value) or value for key, value in inputs.items()}
    return Node(name, Call("python", "code", f"{name}.py"), given_inputs, activate, scope, line=line)


def flow(*nodes, inputs=(), **outputs):
    return Flow(
        "f",
        {name: FlowInput(name, "string") for name in inputs},
        {name: FlowOutput(name, parse(value) or value) for name, value in outputs.items()},
        nodes,
        Source("/f/flow.dag.yaml", "dag"),
    )


def codes(a_flow):
    return [(item.severity, item.code) for item in check(a_flow)]


def test_a_sound_flow_has_no_findings():
    sound = flow(
        node("a", x="${inputs.t}"), node("b", x="${a.output}"), inputs=["t"], out="${b.output}", same="${inputs.t}"
    )
    assert check(sound) == []
    require(sound)


def test_two_nodes_of_one_name_are_an_error():
    assert codes(flow(node("a"), node("a"))) == [("error", "DuplicateNodeName")]


@pytest.mark.parametrize(
    ("a_flow", "code", "said"),
    [
        (flow(node("a", x="${inputs.quest}"), inputs=["question"]), "InputReferenceNotFound", "'quest'"),
        (flow(node("a", x="${inputs.a.b}"), inputs=["a"]), "InputReferenceNotFound", "'a.b'"),
        (flow(node("a", x="${fetsh.output}"), node("fetch")), "NodeReferenceNotFound", "'fetsh'"),
        (flow(node("a", when="${gone.output}")), "NodeReferenceNotFound", "'gone'"),
        (flow(node("a"), out="${b.output}"), "OutputReferenceNotFound", "'b'"),
        (flow(node("a"), out="${inputs.b}"), "OutputReferenceNotFound", "'b'"),
    ],
)
def test_a_reference_to_nothing_is_an_error(a_flow, code, said):
    (found,) = check(a_flow)
    assert (found.severity, found.code) == ("error", code)
    assert said in found.message


def test_the_nearest_name_is_suggested():
    (found,) = check(flow(node("a", x="${fetsh.output}"), node("fetch")))
    assert found.hint == "Did you mean 'fetch'?"
    assert nearest("zzz", ["a", "b"]) == "There are: a, b."
    assert nearest("zzz", []) == "There are none."


def test_a_condition_on_an_unknown_flow_input_is_found_only_when_the_line_runs():
    assert check(flow(node("a", when="${inputs.gone}"))) == []


def test_a_normal_node_may_not_refer_to_an_aggregation_node():
    assert codes(flow(node("sum", scope="run"), node("a", x="${sum.output}"))) == [("error", "InvalidNodeReference")]
    assert codes(flow(node("sum", scope="run"), node("a", when="${sum.output}"))) == [("error", "InvalidNodeReference")]


def test_an_aggregation_node_may_refer_to_both_kinds():
    assert (
        check(flow(node("a"), node("s", scope="run", x="${a.output}"), node("t", scope="run", x="${s.output}"))) == []
    )


def test_the_condition_of_an_aggregation_node_may_not_refer_to_a_normal_node():
    assert codes(flow(node("a"), node("s", scope="run", when="${a.output}"))) == [("error", "InvalidNodeReference")]
    assert check(flow(node("s", scope="run"), node("t", scope="run", when="${s.output}"))) == []


def test_an_output_of_an_aggregation_node_is_a_warning():
    found = codes(flow(node("s", scope="run"), out="${s.output}"))
    assert found == [("warning", "AggregationOutput")]


def test_a_circle_names_the_nodes_that_wait():
    around = flow(node("d", x="${c.output}"), node("b", x="${c.output}"), node("c", x="${b.output}"), node("a"))
    (found,) = check(around)
    assert found.code == "NodeCircularDependency"
    assert "The nodes b, c, d wait" in found.message


def test_a_node_that_waits_for_itself_is_a_circle():
    assert codes(flow(node("a", x="${a.output}"))) == [("error", "NodeCircularDependency")]
    assert codes(flow(node("a", when="${a.output}"))) == [("error", "NodeCircularDependency")]


def test_more_than_one_chat_input_or_output_is_a_warning():
    ports = {name: FlowInput(name, "string", is_chat_input=True) for name in "ab"}
    answers = {name: FlowOutput(name, "x", is_chat_output=True) for name in "cd"}
    two = Flow("f", ports, answers, (), Source("f", "dag"))
    assert codes(two) == [("warning", "ChatInputs"), ("warning", "ChatOutputs")]


def test_all_errors_are_raised_at_once_each_with_its_line():
    broken = flow(node("a", x="${b.output}", line=3), node("c", x="${inputs.d}", line=7), out="${e.output}")
    with pytest.raises(LoadError) as caught:
        require(broken)
    lines = caught.value.message.splitlines()
    assert [line.split(" ")[0] for line in lines[:2]] == ["/f/flow.dag.yaml:3:", "/f/flow.dag.yaml:7:"]
    assert len(lines) == len(caught.value.diagnostics) == 3
    assert caught.value.code == "NodeReferenceNotFound"


def first_fit(nodes):
    """The order in prompt flow's words: again and again the first node of the file whose parents are placed."""
    result, rest = [], list(nodes)
    while rest:
        chosen = next(item for item in rest if item.parents() <= {other.name for other in result})
        rest.remove(chosen)
        result.append(chosen)
    return result


@given(st.integers(0, 12), st.randoms(use_true_random=False))
def test_the_order_is_the_files_as_far_as_references_allow(count, chance: random.Random):
    nodes = [
        node(f"n{i}", **{f"x{j}": f"${{n{j}.output}}" for j in range(i) if chance.random() < 0.3}) for i in range(count)
    ]
    chance.shuffle(nodes)
    assert order(nodes) == first_fit(nodes)


def test_thousands_of_nodes_in_the_worst_order_are_sorted_at_once():
    chain = [node(f"n{i}", x=f"${{n{i - 1}.output}}") if i else node("n0") for i in range(5000)]
    assert order(chain[::-1]) == chain
