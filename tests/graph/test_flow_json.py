"""Flows across a pipe."""

import dataclasses
import json
import math

from hypothesis import given
from hypothesis import strategies as st

from penstock.frontends.load import load
from penstock.graph.choice import Choice
from penstock.graph.flow import Flow, Source
from penstock.graph.flow_json import pack, unpack
from penstock.graph.node import Call, Node
from penstock.graph.reference import Reference, parse
from penstock.records import PromptUse

FLOW = """
description: Everything.
inputs:
  text: {type: string, default: hi}
outputs:
  out: {type: string, reference: "${a.output.key['x'][0]}"}
nodes:
- name: a
  use_variants: true
- name: b
  type: llm
  source: {type: code, path: b.jinja2}
  connection: c
  api: chat
  inputs: {model: m, text: "${inputs.text}", n: 1.5, list: [1, {a: null}]}
  activate: {when: "${a.output}", is: [1]}
  aggregation: true
node_variants:
  a:
    default_variant_id: one
    variants:
      one: {node: {type: python, source: {type: code, path: a.py}, inputs: {x: 1}}}
"""


def test_a_flow_comes_back_as_it_was(write_flow):
    flow = load(write_flow(FLOW, {"a.py": "def a(x): ...\n", "b.jinja2": "x"}))
    assert unpack(json.loads(json.dumps(pack(flow)))) == flow


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(st.text(), inner), st.lists(inner).map(tuple), st.frozensets(st.text())
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.text(), VALUES | st.text().map(lambda name: Reference("node", name)) | st.just(parse("${a.output.b[0]}"))
    )
)
def test_any_plain_input_comes_back(inputs):
    node = Node("n", Call("function"), inputs, collects=frozenset(["p"]), prompts={"p": PromptUse("p", "input")})
    flow = Flow("f", {}, {}, (node,), Source("f", "functions"), choices={"k": Choice("k", ("a", 1))})
    assert unpack(json.loads(json.dumps(pack(flow)))) == flow


def test_numbers_that_json_does_not_know_come_back():
    assert unpack(json.loads(json.dumps(pack([math.inf, -math.inf])))) == [math.inf, -math.inf]
    assert math.isnan(unpack(pack(math.nan)))


def test_what_json_cannot_say_becomes_its_text():
    assert unpack(pack({"x": {1, 2}.__class__})) == {"x": "<class 'set'>"}


def test_functions_stay_behind():
    node = Node("n", Call("function", function=print))
    back = unpack(json.loads(json.dumps(pack(node))))
    assert back.call.function is None
    assert dataclasses.replace(back, call=node.call) == node
