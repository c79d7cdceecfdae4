import pytest

from penstock.frontends.load import load
from penstock.graph.flow import Flow, FlowInput, FlowOutput, Source
from penstock.graph.node import Call, Node
from penstock.graph.reference import parse

DAG = """description: Answers a question about a page.
inputs:
  url: {type: string, default: "https://a.example/?a=1&b=<2>"}
  history: {type: list, default: [], is_chat_history: true}
outputs:
  answer: {type: string, reference: "${answer.output.text}"}
nodes:
- name: fetch
  type: python
  source: {type: code, path: fetch.py}
  inputs: {url: "${inputs.url}"}
- name: summarize
  use_variants: true
- name: translate
  type: llm
  source: {type: code, path: translate.jinja2}
  inputs: {deployment_name: gpt-4o, text: "${summarize.output}"}
  connection: azure_open_ai
  api: chat
  activate: {when: "${fetch.output.language}", is: de}
- name: answer
  type: prompt
  source: {type: code, path: answer.jinja2}
  inputs: {history: "${inputs.history}", text: "${summarize.output}", other: "${translate.output}"}
- name: count
  type: python
  source: {type: code, path: count.py}
  inputs: {answers: "${answer.output}"}
  aggregation: true
node_variants:
  summarize:
    default_variant_id: short
    variants:
      short:
        node:
          type: llm
          source: {type: code, path: short.jinja2}
          inputs: {model: m, text: "${fetch.output}"}
          connection: c
          api: chat
      long:
        node:
          type: llm
          source: {type: code, path: long.jinja2}
          inputs: {model: m, text: "${fetch.output}"}
          connection: c
          api: chat
"""


@pytest.fixture
def folder(tmp_path):
    """A flow with a condition, variants and an aggregation node."""
    (tmp_path / "flow.dag.yaml").write_text(DAG, encoding="utf-8")
    return tmp_path


@pytest.fixture
def flow(folder):
    return load(folder)


@pytest.fixture
def make():
    """A flow of nodes given as name → references by parameter, or as ready nodes."""

    def made(*nodes, name="made", inputs=("text",), outputs=()):
        return Flow(
            name,
            {own: FlowInput(own, "string") for own in inputs},
            {own: FlowOutput(own, parse(value)) for own, value in dict(outputs).items()},
            tuple(nodes),
            Source("/nowhere/flow.dag.yaml", "dag"),
        )

    return made


@pytest.fixture
def node():
    def made(name, type="python", path=None, **references):
        fields = {key: references.pop(key) for key in ("expands", "collects", "scope", "activate") if key in references}
        given = {key: parse(value) or value for key, value in references.items()}
        return Node(name, Call(type, "code", path or f"{name}.py"), given, **fields)

    return made


@pytest.fixture
def mapped(make, node):
    """Two sequences, one inside the other, both collected."""
    return make(
        node("split", text="${inputs.text}", expands=True),
        node("clean", part="${split.output}"),
        node("words", part="${clean.output}", expands=True),
        node("stem", word="${words.output}", language="${inputs.text}"),
        node("rejoin", words="${stem.output}", collects=frozenset({"words"})),
        node("join", parts="${rejoin.output}", collects=frozenset({"parts"})),
        outputs={"result": "${join.output}"},
    )
