"""One node on its own."""

import pytest

from penstock.errors import InputError, LoadError, UsageError
from penstock.records import Status

TEXT = """
inputs:
  q: {type: int}
  d: {type: string, default: 5}
  pic: {type: image, default: a.png}
outputs: {y: {type: object, reference: "${gone.output}"}}
nodes:
- {name: a, type: python, source: {type: code, path: gone.py}}
- name: b
  type: python
  source: {type: code, path: b.py}
  inputs: {x: "${inputs.q}", d: "${inputs.d}", part: "${a.output.k[0]}", lit: "1", n: 7}
  activate: {when: "${a.output}", is: nothing}
- {name: sum, type: python, aggregation: true, source: {type: code, path: b.py}, inputs: {x: "${b.output}", d: "${inputs.q}"}}
- {name: pic, type: python, source: {type: code, path: pic.py}, inputs: {x: "${inputs.pic}"}}
- {name: last, type: python, aggregation: true, source: {type: code, path: b.py}, inputs: {x: "${sum.output}"}}
"""
FILES = {
    "b.py": "def b(x, d=None, part=None, lit=None, n=0): return [x, d, part, lit, n]\n",
    "pic.py": "def pic(x): return x.mime_type\n",
    "a.png": b"\x89PNG\r\n\x1a\n",
}


@pytest.fixture
def flow(open_flow):
    return open_flow(TEXT.replace("${gone.output}", "${b.output}"), FILES)


def node(flow, name, **values):
    run = flow.inline.call_node(name, values)
    assert run.status is Status.COMPLETED, run.failure
    return run.output


@pytest.mark.parametrize("key", ["inputs.q", "q", "x"])
@pytest.mark.parametrize("part", ["a.output", "a.output.k[0]", "part"])
def test_what_a_node_refers_to_may_be_given_in_several_spellings(flow, key, part):
    given = {"a.output": {"k": [9]}, "a.output.k[0]": 9, "part": 9}[part]
    assert node(flow, "b", **{key: "3", part: given}) == [3, "5", 9, 1, 7]


def test_what_another_node_gave_may_be_written_as_json(flow):
    assert node(flow, "b", q=1, **{"a.output": '{"k": ["text"]}'})[2] == "text"
    assert node(flow, "b", q=1, part="[1, 2]")[2] == [1, 2]
    assert node(flow, "b", q=1, part="no json [")[2] == "no json ["


def test_literal_inputs_may_be_replaced(flow):
    assert node(flow, "b", q=1, part=0, lit="x", n="8") == [1, "5", 0, "x", 8]


def test_neither_other_nodes_nor_its_own_condition_matter(flow):
    # Node a's file is not even there, and the condition of b is not met.
    assert node(flow, "b", q=1, part=0)[0] == 1


def test_an_aggregation_node_gets_lists_of_one(flow):
    assert node(flow, "sum", q=4, **{"b.output": '"r"'}) == [["r"], [4], None, None, 0]
    assert node(flow, "last", **{"sum.output": "5"})[0] == 5


def test_a_default_is_converted_like_a_given_value(flow):
    assert node(flow, "pic") == "image/png"


def test_a_missing_value_is_named(flow):
    with pytest.raises(InputError, match=r"Input 'part' of node 'b' needs \$\{a\.output\.k\[0\]\}") as caught:
        node(flow, "b", q=1)
    assert caught.value.code == "InputNotFound"


def test_a_value_that_does_not_fit_is_refused_in_a_sentence(flow):
    with pytest.raises(InputError, match="does not match the expected type 'int'") as caught:
        node(flow, "b", q="x", part=0)
    assert caught.value.code == "InputTypeError"


def test_an_unknown_node_is_answered_with_the_nearest(flow):
    with pytest.raises(UsageError, match=r"no node 'pick'\. Did you mean 'pic'\?"):
        flow.node("pick")


def test_a_node_that_cannot_be_made_ready_is_refused(flow):
    with pytest.raises(LoadError, match=r"'gone\.py' is not in"):
        flow.node("a")


def test_a_failed_node_is_in_its_record(open_flow):
    flow = open_flow(
        "nodes: [{name: a, type: python, source: {type: code, path: a.py}}]",
        {"a.py": "def a(): raise ValueError('no')\n"},
    )
    run = flow.node("a")
    assert (run.status, run.failure.message) == (Status.FAILED, "Execution failure in 'a': (ValueError) no")
