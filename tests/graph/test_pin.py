"""Prompts put into a flow."""

import dataclasses

import pytest

from penstock.errors import LoadError, UsageError
from penstock.graph.flow import Flow, FlowInput, FlowOutput, Source
from penstock.graph.node import Activate, Call, Node
from penstock.graph.pin import asked_prompts, pin_prompts
from penstock.graph.prompt import PinnedPrompt, Pins, text_hash
from penstock.graph.reference import parse

GREET = PinnedPrompt("greet", "Hello {{name}}", "store", "greet@prod", 3, {"temperature": 0, "model": "small"})


def flow(**changes):
    made = Flow(
        name="f",
        inputs={"name": FlowInput("name"), "style": FlowInput("style")},
        outputs={
            "answer": FlowOutput("answer", parse("${ask.output}")),
            "style": FlowOutput("style", parse("${inputs.style}")),
        },
        nodes=(
            Node("ask", Call("llm", "code", "ask.jinja2"), {"temperature": 1, "style": parse("${inputs.style}")}),
            Node("make", Call("python", "code", "make.py"), {"name": parse("${inputs.name}"), "how": "x"}),
            Node("stored", Call("prompt", "prompt", prompt="greet@prod"), {"name": parse("${inputs.name}")}),
        ),
        source=Source("/f/flow.dag.yaml", "dag"),
    )
    return dataclasses.replace(made, **changes)


def pins(**names):
    return Pins(names, {"greet@prod": GREET})


def test_a_node_that_asks_for_a_stored_prompt_gets_the_one_that_was_looked_up():
    assert asked_prompts(flow()) == ("greet@prod",)
    found = pin_prompts(flow(), pins())
    assert found.node("stored").call.prompt is GREET
    assert found.pins == pins()


def test_a_node_that_asks_for_what_was_not_looked_up_is_refused():
    with pytest.raises(LoadError, match="asks for the prompt 'greet@prod', which was not looked up"):
        pin_prompts(flow(), Pins())


def test_a_template_is_replaced_with_its_settings_unless_the_run_was_told_otherwise():
    found = pin_prompts(flow(), pins(ask=GREET)).node("ask")
    assert found.call.prompt is GREET
    assert (found.inputs["temperature"], found.inputs["model"]) == (0, "small")
    told = flow(source=Source("/f/flow.dag.yaml", "dag", connections={"ask": {"model": "large"}}))
    assert "model" not in pin_prompts(told, pins(ask=GREET)).node("ask").inputs


def test_any_other_node_becomes_a_prompt_with_the_same_inputs():
    found = pin_prompts(flow(), pins(make=GREET)).node("make")
    assert (found.call.type, found.call.prompt) == ("prompt", GREET)
    assert found.inputs == flow().node("make").inputs


def test_an_input_is_its_text_wherever_it_was_referred_to():
    when = Activate(parse("${inputs.style}"), "kind")
    made = flow(nodes=(*flow().nodes, Node("last", Call("python", "code", "l.py"), {}, when)))
    kind = PinnedPrompt("style", "kind", "inline")
    found = pin_prompts(made, pins(style=kind))
    assert list(found.inputs) == ["name"]
    assert found.node("ask").inputs["style"] == "kind"
    assert found.node("last").activate.when == "kind"
    assert found.outputs["style"].value == "kind"
    use = found.node("ask").prompts["style"]
    assert (use.name, use.source, use.template) == ("style", "input", text_hash("kind"))


def test_a_stored_prompt_for_an_input_keeps_its_reference():
    use = pin_prompts(flow(), pins(style=GREET)).node("ask").prompts["style"]
    assert (use.source, use.reference, use.version) == ("store", "greet@prod", 3)


def test_one_input_of_a_node_can_be_a_prompt():
    found = pin_prompts(flow(), pins(**{"make.how": GREET})).node("make")
    assert found.inputs["how"] == "Hello {{name}}"
    assert found.prompts["how"].version == 3


def test_a_name_that_is_neither_node_nor_input_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match=r"no node or input 'stile'.*Did you mean 'style'"):
        pin_prompts(flow(), pins(stile=GREET))


def test_a_node_that_gives_a_sequence_is_not_replaced():
    nodes = [dataclasses.replace(node, expands=node.name == "make") for node in flow().nodes]
    with pytest.raises(LoadError, match="gives a sequence"):
        pin_prompts(flow(nodes=tuple(nodes)), pins(make=GREET))


def test_pins_read_back_as_they_were_written():
    full = dataclasses.replace(GREET, variables=("name",), output={"type": "object"}, read=1.5, stale=True, closure="c")
    found = Pins({"a": full, "b": PinnedPrompt("b", "")}, {"greet@prod": GREET})
    assert Pins.from_json(found.to_json()) == found
    assert Pins.from_json({}) == Pins()
