import pytest

from penstock.errors import LoadError
from penstock.frontends.dag import load
from penstock.graph.reference import Reference
from penstock.yaml import parse

NODE = "{name: a, type: python, source: {type: code, path: a.py}}"


def read(text, **options):
    return load(parse(text, "/flows/my-flow/flow.dag.yaml"), **options)


def findings(text):
    return [(item.severity, item.code, item.line) for item in read(text).diagnostics]


def test_every_key_of_the_format_is_read():
    flow = read("""
        $schema: https://example.com/schema
        id: x
        name: shown
        display_name: Shown
        description: What it does
        tags: {a: b}
        type: chat
        language: python
        environment: {python_requirements_txt: requirements.txt}
        environment_variables: {A: 1}
        additional_includes: [../shared, ../x.py]
        message_format: openai-vision
        sample: {inputs: {}}
        tools: [{name: t, module: some.module}, {name: u}]
        inputs:
          question: {type: string, default: hi, description: asked, is_chat_input: true, enum: [hi]}
          chat_history: {type: list, is_chat_history: true}
        outputs:
          answer: {type: string, reference: "${a.output}", description: said, is_chat_output: true, evaluation_only: true}
        nodes:
        - name: a
          type: llm
          source: {type: code, path: a.jinja2}
          inputs: {q: "${inputs.question}", n: 3, nothing: null, deep: {x: "${b.output}"}}
          connection: c
          api: chat
          provider: AzureOpenAI
          module: promptflow.tools.aoai
          activate: {when: "${inputs.question}", is: hi}
          enable_cache: true
          comment: why
    """)
    assert flow.diagnostics == ()
    assert (flow.name, flow.description, flow.message_format, flow.modules) == (
        "shown", "What it does", "openai-vision", ("some.module",),
    )  # fmt: skip
    assert flow.environment_variables == {"A": 1}
    assert flow.additional_includes == ("../shared", "../x.py")
    assert flow.chat_input.default == "hi"
    assert flow.chat_history.name == "chat_history"
    assert flow.chat_output.evaluation_only
    (node,) = flow.nodes
    assert node.inputs == {
        "q": Reference("input", "question"), "n": 3, "nothing": None, "deep": {"x": "${b.output}"},
    }  # fmt: skip
    assert (node.call.connection, node.call.api, node.call.module) == ("c", "chat", "promptflow.tools.aoai")
    assert (node.activate.when, node.activate.equals) == (Reference("input", "question"), "hi")
    assert node.cache


def test_a_flow_without_a_name_has_its_folders():
    assert read("nodes: []").name == "my_flow"


def test_unknown_keys_are_notes_with_their_lines():
    text = (
        "a: 1\ninputs:\n  x: {type: int, minimum: 1}\noutputs:\n  y:\n    reference: z\n    type: int\n    kind: w\n"
        "nodes:\n- name: n\n  type: python\n  source: {path: n.py}\n  retries: 3\n"
    )
    assert findings(text) == [
        ("note", "UnknownKey", 1),
        ("note", "UnknownKey", 13),
        ("note", "UnknownKey", 3),
        ("note", "UnknownKey", 8),
    ]


@pytest.mark.parametrize("key", ["skip: {when: x, is: y, return: z}", "tool: t"])
def test_keys_without_effect_are_notes(key):
    text = f"nodes:\n- name: n\n  type: python\n  source: {{path: n.py}}\n  {key}\n"
    assert findings(text) == [("note", "NoEffect", 5)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("inputs: {x: {}}", "MissingType"),
        ("inputs: {x: {type: String}}", "InvalidType"),
        ("inputs: {x: {type: [int]}}", "InvalidType"),
        ("inputs: [x]", "FlowDefinitionError"),
        ("inputs: {x: int}", "FlowDefinitionError"),
        ("outputs: {y: {type: string}}", "EmptyOutputReference"),
        ("outputs: {y: {type: object, reference: ''}}", "EmptyOutputReference"),
        ("outputs: {y: {reference: x}}", "MissingType"),
        ("outputs: {y: {type: text, reference: x}}", "InvalidType"),
        ("nodes: {a: 1}", "FlowDefinitionError"),
        ("nodes: [3]", "FlowDefinitionError"),
        ("nodes: [{type: python}]", "FlowDefinitionError"),
        ("nodes: [{name: a, source: {path: a.py}}]", "MissingType"),
        ("nodes: [{name: a, type: csharp, source: {path: a.py}}]", "InvalidType"),
        ("nodes: [{name: a, type: python}]", "InvalidSource"),
        ("nodes: [{name: a, type: python, source: a.py}]", "InvalidSource"),
        ("nodes: [{name: a, type: python, source: {type: web}}]", "InvalidSource"),
        ("nodes: [{name: a, type: python, source: {path: a.py}, inputs: [1]}]", "FlowDefinitionError"),
        ("nodes: [{name: a, type: python, source: {path: a.py}, activate: {when: x}}]", "FlowDefinitionError"),
        ("nodes: [{name: a, type: python, source: {path: a.py}, activate: {is: x}}]", "FlowDefinitionError"),
        ("nodes: [{name: a, type: python, source: {path: a.py}, activate: x}]", "FlowDefinitionError"),
        ("message_format: html", "InvalidMessageFormatType"),
        ("language: csharp", "UnsupportedLanguage"),
        ("additional_includes: x", "InvalidInclude"),
        ("additional_includes: [1]", "InvalidInclude"),
        ("nodes: [{name: a, use_variants: true}]", "InvalidFlow"),
    ],
)
def test_what_cannot_run_is_an_error(text, code):
    errors = [item for item in read(text).diagnostics if item.severity == "error"]
    assert code in {item.code for item in errors}
    assert all(item.line for item in errors)


def test_all_errors_are_found_at_once():
    text = "inputs:\n  x: {}\noutputs:\n  y: {}\nnodes:\n- name: a\n"
    assert sorted((line, code) for _, code, line in findings(text)) == [
        (2, "MissingType"),
        (4, "EmptyOutputReference"),
        (4, "MissingType"),
        (6, "InvalidSource"),
        (6, "MissingType"),
    ]


def test_an_empty_condition_is_only_a_warning():
    text = f"nodes: [{NODE[:-1]}, activate: {{when: null, is: null}}}}]"
    assert [(item.severity, item.code) for item in read(text).diagnostics] == [("warning", "EmptyActivate")]


@pytest.mark.parametrize("key", ["aggregation", "reduce"])
def test_aggregation_has_an_older_name(key):
    assert read(f"nodes: [{NODE[:-1]}, {key}: true}}]").nodes[0].scope == "run"


@pytest.mark.parametrize("text", ["[1]", "text", "3"])
def test_a_file_that_is_no_map_is_no_flow(text):
    with pytest.raises(LoadError, match=r"flow\.dag\.yaml:1: a flow file must be a map"):
        read(text)


def test_an_output_may_be_a_literal():
    text = "outputs: {y: {type: object, reference: plain}, z: {type: object, reference: 3}}"
    assert [port.value for port in read(text).outputs.values()] == ["plain", 3]


VARIANTS = """
nodes:
- name: a
  use_variants: true
  type: ignored
- name: b
  use_variants: true
node_variants:
  a:
    default_variant_id: v0
    variants:
      v0: {node: {type: python, source: {type: code, path: a0.py}}, description: first}
      v1: {node: {type: python, source: {type: code, path: a1.py}, name: ignored}}
  b:
    default_variant_id: 0
    variants:
      0: {node: {type: python, source: {type: code, path: b0.py}}}
      1: {node: {type: python, source: {type: code, path: b1.py}}}
"""


def paths(**options):
    return [(node.name, node.call.path) for node in read(VARIANTS, **options).nodes]


def test_without_a_choice_the_default_variants_stand_in():
    assert paths() == [("a", "a0.py"), ("b", "b0.py")]


def test_one_node_may_be_tuned_and_the_others_keep_their_defaults():
    assert paths(variants=("${a.v1}",)) == [("a", "a1.py"), ("b", "b0.py")]


def test_several_nodes_may_be_tuned_at_once():
    assert paths(variants=("${a.v1}", "${b.1}")) == [("a", "a1.py"), ("b", "b1.py")]


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("a.v1", r"write \$\{NODE\.VARIANT\}"),
        ("${a}", r"write \$\{NODE\.VARIANT\}"),
        ("x${a.v1}", r"write \$\{NODE\.VARIANT\}"),
        ("${c.v1}", "node 'c' has no variants; those that have: a, b"),
        ("${a.v9}", r"flow\.dag\.yaml:9: node 'a' has no variant 'v9'; it has: v0, v1"),
    ],
)
def test_a_choice_that_cannot_be_made_lists_what_there_is(choice, said):
    with pytest.raises(LoadError, match=said):
        read(VARIANTS, variants=(choice,))


def test_variants_without_a_default_are_an_error():
    text = VARIANTS.replace("default_variant_id: v0", "description: none")
    assert "InvalidFlow" in {item.code for item in read(text).diagnostics if item.severity == "error"}
    assert [item.severity for item in read(text, variants=("${a.v0}",)).diagnostics] == []


LLM = "nodes: [{name: a, type: llm, source: {path: a.jinja2}, connection: old, inputs: {deployment_name: x, q: 1}}]"


def test_the_endpoint_of_an_llm_node_can_be_overridden():
    (node,) = read(LLM, connections={"a": {"connection": "new", "deployment_name": "y", "model": "m"}}).nodes
    assert (node.call.connection, node.inputs) == ("new", {"deployment_name": "y", "q": 1, "model": "m"})


def test_a_connection_input_of_another_node_can_be_overridden():
    (node,) = read(f"nodes: [{NODE}]", connections={"a": {"conn": "new"}}).nodes
    assert node.inputs == {"conn": "new"}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ({"b": {"connection": "c"}}, "no node 'b' to override; nodes are: a"),
        ({"a": {"api": "c"}}, "api cannot be overridden"),
    ],
)
def test_an_override_of_what_is_not_there_is_refused(override, said):
    with pytest.raises(LoadError, match=said):
        read(LLM, connections=override)
