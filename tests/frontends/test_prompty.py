import json

import pytest

from penstock.connections.resolve import Connections
from penstock.errors import LoadError, UsageError
from penstock.frontends.load import load
from penstock.frontends.prompty import answering
from penstock.frontends.validate import validate_files
from penstock.graph.check import check, require
from penstock.graph.flow import FlowInput
from penstock.graph.reference import Reference
from penstock.prompts.prompty import OVERRIDES

ASK = """---
name: My prompt
description: Asks
model:
  api: chat
  configuration: {type: openai, model: gpt-4o, connection: "oai"}
  parameters: {temperature: 0}
inputs:
  q: {type: string, description: What is asked., is_chat_input: true}
  h: {type: list, is_chat_history: true, default: []}
  n: {type: integer, default: 3}
  i: {type: image, default: null}
  e: {type: string, default: "${env:LATER}"}
environment_variables: {A: 1}
sample: {q: hi}
---
user:
{{q}} {{h}} {{n}} {{i}} {{e}}
"""


@pytest.fixture
def ask(tmp_path):
    (tmp_path / "my ask.prompty").write_text(ASK)
    return tmp_path / "my ask.prompty"


def test_a_prompty_is_a_flow_of_one_node_whose_value_is_all_it_gives(ask):
    flow = load(ask)
    (node,) = flow.nodes
    assert (flow.name, flow.whole, flow.sample, flow.chat_style) == ("My prompt", "my_ask", {"q": "hi"}, "messages")
    assert (node.name, node.call.type, node.call.path, node.call.connection) == ("my_ask", "prompty", ask.name, "oai")
    assert node.inputs == {name: Reference("input", name) for name in "qhnie"}
    assert dict(flow.environment_variables) == {"A": 1}
    assert (flow.source.file, flow.source.format) == (str(ask), "prompty")
    assert (flow.diagnostics, check(flow)) == ((), [])
    require(flow)


def test_inputs_keep_what_the_header_says(ask):
    inputs = load(ask).inputs
    assert [inputs[name].line for name in "qhnie"] == [9, 10, 11, 12, 13]
    assert inputs["q"].description == "What is asked."
    assert inputs["q"].is_chat_input
    assert load(ask).chat_history == inputs["h"]
    assert (inputs["n"].type, inputs["n"].default, inputs["n"].has_default) == ("int", 3, True)
    # A default of null is one, a default out of a variable is filled in where the flow runs, and pictures stay texts.
    assert {name: (inputs[name].optional, inputs[name].default) for name in "ie"} == {
        "i": (True, None),
        "e": (True, None),
    }
    assert inputs["i"].type == "object"
    assert not inputs["q"].optional


def test_the_header_can_be_changed_by_dotted_names(ask):
    flow = load(
        ask,
        config={"model.parameters.temperature": "0.5", "model.parameters.stop": '["a"]', "name": "Other"},
        connections={"my_ask": {"connection": "mine", "deployment_name": "d"}},
    )
    (node,) = flow.nodes
    assert (flow.name, node.call.connection) == ("Other", "mine")
    assert node.inputs[OVERRIDES] == {
        "model": {
            "parameters": {"temperature": 0.5, "stop": ["a"]},
            "configuration": {"connection": "mine", "azure_deployment": "d"},
        },
        "name": "Other",
    }
    again = load(flow.source.file, config=flow.source.config, connections=flow.source.connections)
    assert again == flow


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"variants": ("${a.b}",)}, "a prompty varies by its header"),
        ({"init": {"a": 1}}, "init is for flows whose entry is a class; this one is a prompty"),
        ({"outputs": ("a",)}, "outputs is for modules of functions"),
        ({"connections": {"other": {"connection": "c"}}}, "this prompty's one node is called 'my_ask'"),
        ({"connections": {"my_ask": {"api_base": "c"}}}, "a prompty takes connection, deployment_name, model"),
        ({"config": {"model.configuration.api_key": "sk"}}, "keys are not told this way"),
        ({"config": {"modl.parameters.n": 1}}, "a prompty has no 'modl'. Did you mean 'model'?"),
        ({"config": {"model": "m", "model.parameters.n": 1}}, "is given a value of its own, too"),
    ],
)
def test_what_a_prompty_does_not_have_is_refused(ask, options, said):
    with pytest.raises(UsageError) as caught:
        load(ask, **options)
    assert said in caught.value.message


def test_a_key_may_be_a_variable_s(ask, monkeypatch):
    monkeypatch.setenv("MY_KEY", "k")
    changes = {"model.configuration.api_key": "${env:MY_KEY}", "model.configuration.connection": "null"}
    assert load(ask, config=changes).nodes[0].call.connection is None


def test_a_sample_gives_inputs_where_none_are_declared(tmp_path):
    header = "model: {configuration: {type: openai, model: m}, parameters: {}}\nsample: s.json"
    (tmp_path / "x.prompty").write_text(f"---\n{header}\n---\nuser:\n{{{{q}}}}\n")
    with pytest.raises(LoadError, match=r"Cannot find sample file s.json"):
        load(tmp_path / "x.prompty")
    (tmp_path / "s.json").write_text(json.dumps({"q": "hi", "n": 2}))
    flow = load(tmp_path / "x.prompty")
    assert flow.inputs == {"q": FlowInput("q", "string"), "n": FlowInput("n", "int")}
    assert flow.sample == {"q": "hi", "n": 2}


def test_a_sample_that_is_not_there_is_a_warning_where_inputs_are_declared(ask):
    ask.write_text(ASK.replace("sample: {q: hi}", "sample: s.json"))
    flow = load(ask)
    assert [(item.severity, item.code) for item in flow.diagnostics] == [("warning", "InvalidSampleError")]
    assert flow.sample == {}


def findings(path, connections=None):
    flow = load(path)
    return [
        (item.severity, item.code)
        for item in (*flow.diagnostics, *validate_files(flow, connections or Connections([])))
    ]


def test_validation_tells_what_is_missing_here(ask, tmp_path, monkeypatch):
    for name in ("OPENAI_API_KEY", "LATER"):
        monkeypatch.delenv(name, raising=False)
    assert findings(ask) == [("warning", "ConnectionNotFound"), ("warning", "EnvironmentVariableNotFound")]
    other = tmp_path / "x.prompty"
    header = "model: {configuration: {type: openai, model: m}, parameters: {}}"
    other.write_text(f"---\n{header}\n---\nuser:\n{{{{q}}}}\n")
    assert findings(other) == [
        ("warning", "TemplateVariable"),
        ("warning", "RequiredEnvironmentVariablesNotSetError"),
    ]
    other.write_text(f"---\n{header}\n---\nuser:\n{{{{q\n")
    assert findings(other)[0] == ("error", "JinjaTemplateError")
    other.write_text("user:\n{{q}}\n")
    assert findings(other)[0] == ("error", "InvalidPrompty")


def test_a_conversation_takes_the_first_choice(ask):
    ask.write_text(ASK.replace("  parameters:", "  response: all\n  parameters:"))
    flow = load(ask)
    assert answering(flow).nodes[0].inputs[OVERRIDES] == {"model": {"response": "first"}}
    ask.write_text(ASK)
    flow = load(ask)
    assert answering(flow) is flow
