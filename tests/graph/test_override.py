import pytest

from penstock.errors import LoadError, UsageError
from penstock.graph.flow import Flow, Source
from penstock.graph.node import Call, Node
from penstock.graph.override import override_inputs
from penstock.graph.reference import Reference

FLOW = Flow("f", {}, {}, (Node("fetch", Call("python"), {"url": "a", "n": 1}),), Source("f", "dag"))


def test_a_node_input_is_replaced_and_the_others_stay():
    assert override_inputs(FLOW, {"nodes.fetch.inputs.url": "b"}).nodes[0].inputs == {"url": "b", "n": 1}
    assert FLOW.nodes[0].inputs["url"] == "a"


def test_a_new_input_may_be_a_reference_and_its_name_may_have_dots():
    inputs = override_inputs(FLOW, {"nodes.fetch.inputs.a.b": "${inputs.x}"}).nodes[0].inputs
    assert inputs["a.b"] == Reference("input", "x")


def test_an_override_of_an_unknown_node_names_the_nearest():
    with pytest.raises(LoadError, match=r"no node 'fetsh' to override\. Did you mean 'fetch'"):
        override_inputs(FLOW, {"nodes.fetsh.inputs.url": "b"})


@pytest.mark.parametrize("key", ["fetch.url", "nodes.fetch.url", "nodes.fetch", ""])
def test_a_key_of_another_form_is_refused(key):
    with pytest.raises(UsageError, match=r"nodes\.NODE\.inputs\.INPUT"):
        override_inputs(FLOW, {key: "b"})


def test_two_nodes_of_one_name_stay_two():
    twice = FLOW.replace_nodes(FLOW.nodes * 2)
    assert override_inputs(twice, {}).nodes == twice.nodes
    assert len(override_inputs(twice, {"nodes.fetch.inputs.n": 2}).nodes) == 2
