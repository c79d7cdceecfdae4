"""What every front end must do, whatever format it reads: a flow, or a sentence."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import LoadError, PenstockError
from penstock.frontends.load import load
from penstock.graph.check import check
from penstock.graph.flow import Flow

# File name → a flow in that format which names everything that its format can name.
FLOWS = {
    "flow.dag.yaml": """
name: all
description: what it does
environment_variables: {A: 1}
additional_includes: [../shared]
message_format: openai-vision
inputs:
  q: {type: string, default: hi, is_chat_input: true}
  chat_history: {type: list}
outputs:
  y: {type: string, reference: "${b.output.k}", is_chat_output: true}
nodes:
- name: a
  use_variants: true
- name: b
  type: llm
  source: {type: code, path: b.jinja2}
  connection: c
  api: chat
  inputs: {x: "${a.output}", n: 3, deep: {x: [1]}}
  activate: {when: "${inputs.q}", is: hi}
- {name: s, type: python, aggregation: true, source: {type: code, path: s.py}, inputs: {x: "${b.output}"}}
node_variants:
  a:
    default_variant_id: one
    variants:
      one: {node: {type: python, source: {type: code, path: one.py}}}
      two: {node: {type: python, source: {type: code, path: two.py}}}
""",
}
NAMES = list(FLOWS)


@pytest.fixture(params=NAMES)
def file(request, tmp_path):
    """The file of a sound flow; nothing else that it names is there."""
    path = tmp_path / "flow" / request.param
    path.parent.mkdir()
    path.write_text(FLOWS[request.param])
    return path


def test_a_sound_flow_has_no_findings(file):
    flow = load(file)
    assert isinstance(flow, Flow)
    assert (flow.diagnostics, check(flow)) == ((), [])


def test_nothing_but_the_file_itself_is_read(file):
    # Neither code nor templates nor includes are there; loading does not ask for them.
    assert [node.name for node in load(file).nodes] == ["a", "b", "s"]


def test_a_flow_can_be_loaded_again_from_its_source(file):
    flow = load(file, variants=("${a.two}",), connections={"b": {"connection": "other"}})
    again = load(flow.source.file, variants=flow.source.variants, connections=flow.source.connections)
    assert again == flow
    assert again.node("a").call.path == "two.py"
    assert again.node("b").call.connection == "other"


def test_a_flow_is_a_value_that_cannot_be_changed(file):
    flow = load(file)
    with pytest.raises(dataclasses.FrozenInstanceError):
        flow.name = "other"
    assert load(file) == flow


def test_every_finding_has_file_and_line(file):
    text = file.read_text().replace("api: chat", "apis: chat").replace("type: list", "type: lists")
    file.write_text(text)
    found = load(file).diagnostics
    assert {item.code for item in found} == {"UnknownKey", "InvalidType"}
    lines = text.splitlines()
    for item in found:
        assert item.file == str(file)
        assert any(word in lines[item.line - 1] for word in ("apis", "lists", "chat_history"))


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(file):
    before = load(file)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_text().replace("\n", "\r\n").encode())
    assert load(file) == before


pieces = st.lists(
    st.sampled_from(
        [
            "inputs:",
            "outputs:",
            "nodes:",
            "- name: a",
            "  type: python",
            "  source: {type: code, path: a.py}",
            "  q:",
            "- 1",
            "node_variants:",
            "  inputs: {x: '${a.output}'}",
            "  activate: {when: 1}",
            "  use_variants: true",
            "    type: int",
            "  y: {type: string, reference: '${a.output}'}",
            "name: [1]",
            "tools: {a: 1}",
            "message_format: {}",
            "\t",
            "&a [*a]",
            "additional_includes: {x: y}",
            "environment_variables: [1]",
            "language: 5",
            "? [a, b]",
            "- {}",
            "- {name: {a: 1}}",
            "- {name: a, type: [1], source: {type: {}, path: [1]}, inputs: [], activate: {when: {}, is: []}, aggregation: x}",
            "  a: {default_variant_id: [1], variants: {1: {node: {type: {}}}, null: null, [x]: 1}}",
            "  ~: {type: int}",
            "  1.5: 3",
        ]
    )
    | st.text(max_size=12),
    max_size=12,
).map("\n".join)


OTHERS = {
    "flow.flex.yaml": [
        "entry: app:ask",
        "entry: [1]",
        "entry: nowhere:f",
        "entry: app:Missing",
        "entry: app.py:f",
        "inputs:",
        "outputs:",
        "init:",
        "  q: {type: string}",
        "  q: {type: image}",
        "  a: {type: AzureOpenAIConnection}",
        "sample: {inputs: {q: 1}}",
        "sample: ${file:sample.json}",
        "sample: [1]",
        "environment_variables: {A: ${x.y}}",
        "environment: {python_requirements_txt: r.txt}",
        "nodes: []",
        "code: ..",
        "language: csharp",
        "additional_includes: [1]",
        "- 1",
        "? {}",
        "&a [*a]",
    ],
    "flow.penstock.yaml": [
        "modules: [app.py]",
        "modules: app.py",
        "modules: [nowhere]",
        "modules: {}",
        "modules: [1]",
        "config: {v: 1}",
        "config: [1]",
        "outputs: [ask]",
        "outputs: ask",
        "outputs: {a: 1}",
        "inputs:",
        "  q: {type: string, default: 1}",
        "  q: 5",
        "  zzz: {type: int}",
        "description: [1]",
        "environment_variables: 1",
        "prompts: {ask: hi}",
        "prompts: [1]",
        "adapters: [x:y]",
        "strict: maybe",
        "- 1",
        "&a [*a]",
    ],
    "flow.chat.yaml": [
        "type: chat_group",
        "type: [1]",
        "roles:",
        "- {role: a, path: x.yaml}",
        "- {role: a}",
        "- 1",
        "roles: {}",
        "max_turns: 0",
        "max_turns: x",
        "stop_signal: [1]",
        "inputs: {q: {type: string}}",
        "inputs: [1]",
        "speak_order: LLM",
        "outputs: {}",
        "? {}",
        "&a [*a]",
    ],
    "ask.prompty": [
        "---",
        "--- ",
        "----",
        "name: x",
        "model:",
        "  api: chat",
        "  api: [1]",
        "  configuration: {type: openai, model: m}",
        "  configuration: 5",
        "  parameters: {stream: true}",
        "  parameters:",
        "  response: some",
        "inputs:",
        "  q: {type: string}",
        "  q: hi",
        "outputs: {a: {type: string}}",
        "sample: {q: 1}",
        "sample: s.json",
        "sample: ${file:none.json}",
        "name: ${env:NOWHERE}x",
        "user:",
        "{{q}}",
        "{% for",
        "system:",
        "![image]({{q}})",
        "\t- {",
        "model: {api: chat}",
        "template: {type: mustache}",
        "&a [*a]",
    ],
}


@pytest.mark.parametrize("name", list(OTHERS))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_text_of_another_format_is_a_flow_or_a_sentence_too(tmp_path, name, data):
    text = data.draw(st.lists(st.sampled_from(OTHERS[name]) | st.text(max_size=12), max_size=10).map("\n".join))
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    (tmp_path / "app.py").write_text("def ask(q: str = 'x') -> str:\n    return q\n")
    try:
        flow = load(file)
    except PenstockError as error:
        assert error.message  # ruff: ignore[pytest-assert-in-except]  both ends are right, each in its way
        return
    for item in (*flow.diagnostics, *check(flow)):
        assert item.severity in ("error", "warning", "note")
        assert item.message


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=pieces)
def test_any_text_is_a_flow_with_findings_or_a_sentence(tmp_path, name, text):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    try:
        flow = load(file)
    except LoadError as error:
        assert str(tmp_path) in error.message  # ruff: ignore[pytest-assert-in-except]  both ends are right, each in its way
        return
    for item in (*flow.diagnostics, *check(flow)):
        assert item.severity in ("error", "warning", "note")
        assert item.message
