"""A part of a flow: what the asked outputs need, with nodes given from outside."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import UsageError
from penstock.graph.flow import Flow, FlowInput, FlowOutput, Source
from penstock.graph.node import Activate, Call, Node
from penstock.graph.reference import parse
from penstock.graph.slice import handed_on
from penstock.graph.slice import slice as part_of


def flow_of(nodes, outputs=None, inputs=("x", "y")):
    made = [
        Node(name, Call("function"), {key: parse(f"${{{value}}}") for key, value in given.items()})
        for name, given in nodes.items()
    ]
    ports = {name: FlowOutput(name, parse(f"${{{value}}}")) for name, value in (outputs or {}).items()}
    return Flow("f", {name: FlowInput(name) for name in inputs}, ports, tuple(made), Source("f.py", "functions"))


CHAIN = {
    "a": {"p": "inputs.x"},
    "b": {"p": "a.output.key"},
    "c": {"p": "b.output", "q": "inputs.y"},
    "d": {"p": "a.output"},
}


def test_only_what_is_needed_stays():
    flow = part_of(flow_of(CHAIN, {"out": "b.output"}), ["out", "d"])
    assert [node.name for node in flow.nodes] == ["a", "b", "d"]
    assert list(flow.inputs) == ["x"]
    assert list(flow.outputs) == ["out", "d"]


def test_a_condition_counts_as_needed():
    flow = flow_of(CHAIN)
    nodes = [
        dataclasses.replace(n, activate=Activate(parse("${d.output}"), 1)) if n.name == "b" else n for n in flow.nodes
    ]
    assert [node.name for node in part_of(flow.replace_nodes(nodes), ["b"]).nodes] == ["a", "b", "d"]
    given = part_of(flow.replace_nodes(nodes), ["b"], ["d"])
    assert given.node("b").activate.when == parse("${inputs.d}")


def test_a_given_node_becomes_an_input():
    flow = part_of(flow_of(CHAIN), ["c"], ["b"])
    assert [node.name for node in flow.nodes] == ["c"]
    assert str(flow.node("c").inputs["p"]) == "${inputs.b}"
    assert list(flow.inputs) == ["y", "b"]
    assert not flow.inputs["b"].converted


def test_a_given_node_of_which_others_take_a_part_hands_it_on():
    flow = part_of(flow_of(CHAIN), ["b", "d"], ["a"])
    assert flow.node("a").call.function is handed_on
    assert str(flow.node("b").inputs["p"]) == "${a.output.key}"
    assert list(flow.inputs) == ["a"]


def test_a_given_field_leaves_the_rest_alone():
    flow = part_of(flow_of(CHAIN, {"key": "a.output.key"}), ["b", "d"], ["key"])
    assert str(flow.node("b").inputs["p"]) == "${inputs.key}"
    assert [node.name for node in flow.nodes] == ["a", "b", "d"]


def test_a_given_sequence_is_still_one():
    flow = flow_of({"items": {"p": "inputs.x"}, "one": {"p": "items.output"}, "all": {"p": "one.output"}})
    marks = {"items": {"expands": True}, "all": {"collects": frozenset({"p"})}}
    flow = flow.replace_nodes(dataclasses.replace(n, **marks.get(n.name, {})) for n in flow.nodes)
    assert part_of(flow, ["all"], ["items"]).node("items").expands
    inner = part_of(flow, ["all"], ["one"])
    assert str(inner.node("one").inputs["item"]) == "${items.output}"
    assert inner.node("all").collects == {"p"}
    assert sorted(inner.inputs) == ["one", "x"]


def test_a_given_node_may_be_asked_for():
    flow = part_of(flow_of(CHAIN), ["a"], ["a"])
    assert (flow.nodes, str(flow.outputs["a"].value)) == ((), "${inputs.a}")


def test_names_that_are_not_there_are_told():
    with pytest.raises(UsageError, match=r"there is no output 'e'"):
        part_of(flow_of(CHAIN), ["e"])
    with pytest.raises(UsageError, match=r"there is no node 'e' to override"):
        part_of(flow_of(CHAIN), ["d"], ["e"])
    with pytest.raises(UsageError, match=r"'x' is an input of the flow already"):
        part_of(flow_of(CHAIN), ["d"], ["x"])


@given(st.lists(st.sets(st.integers(0, 10)), min_size=1, max_size=11), st.data())
def test_nothing_upstream_of_a_given_node_runs(edges, data):
    nodes = {
        f"n{i}": {f"p{p}": f"n{p}.output" if p < i else "inputs.x" for p in parents} for i, parents in enumerate(edges)
    }
    names = list(nodes)
    asked = data.draw(st.sets(st.sampled_from(names), min_size=1))
    fixed = data.draw(st.sets(st.sampled_from(names)))
    flow = part_of(flow_of(nodes), sorted(asked), sorted(fixed))
    kept = {node.name for node in flow.nodes}
    assert not kept & fixed
    for node in flow.nodes:
        assert {r.name for r in node.references() if r.kind == "node"} <= kept
        assert {r.name for r in node.references() if r.kind == "input"} <= set(flow.inputs)
    assert asked <= kept | fixed
