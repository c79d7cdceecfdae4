"""``penstock.load``: a flow as a function, with everything that a call can change about it."""

import asyncio
import threading

import pytest

import penstock
from penstock.api.flows import FlowError, load
from penstock.errors import LoadError, UsageError

TEXT = """
environment_variables: {GREETING: hello, KEY: "${mine.key}", LEVEL: 3}
inputs:
  name: {type: string, default: you}
outputs:
  text: {type: string, reference: "${greet.output}"}
nodes:
- name: greet
  use_variants: true
- name: shout
  type: python
  source: {type: code, path: shout.py}
  inputs: {text: "${greet.output}"}
node_variants:
  greet:
    default_variant_id: plain
    variants:
      plain:
        node: {type: python, source: {type: code, path: greet.py}, inputs: {name: "${inputs.name}", mark: "."}}
      loud:
        node: {type: python, source: {type: code, path: greet.py}, inputs: {name: "${inputs.name}", mark: "!"}}
"""
FILES = {
    "greet.py": """
        import os
        from promptflow.core import tool

        @tool
        def greet(name, mark):
            return f"{os.environ['GREETING']} {name}{mark} {os.environ.get('KEY')} {os.environ['LEVEL']}"
    """,
    "shout.py": "def shout(text): return text.upper()\n",
}
MINE = {"mine": {"type": "custom", "secrets": {"key": "k"}}}


def test_a_flow_is_a_function_of_its_inputs(open_flow):
    flow = open_flow(TEXT, FILES, connections=MINE)
    assert flow() == {"text": "hello you. k 3"}
    assert flow(name="me") == {"text": "hello me. k 3"}


def test_it_may_be_awaited(open_flow):
    flow = open_flow(TEXT, FILES, connections=MINE)
    assert asyncio.run(flow.call_async(name="me")) == {"text": "hello me. k 3"}


def test_a_variant_may_be_chosen(open_flow):
    assert open_flow(TEXT, FILES, connections=MINE, variant="${greet.loud}")() == {"text": "hello you! k 3"}
    assert open_flow(TEXT, FILES, connections=MINE, variant=("${greet.loud}",))() == {"text": "hello you! k 3"}
    with pytest.raises(LoadError, match="no variant 'soft'; it has: plain, loud"):
        open_flow(TEXT, FILES, variant="${greet.soft}")


def test_variables_of_the_call_beat_those_of_the_flow(open_flow):
    flow = open_flow(TEXT, FILES, env={"GREETING": "hi", "LEVEL": {"a": 1}}, connections=MINE)
    assert flow() == {"text": 'hi you. k {"a": 1}'}


def test_a_variable_whose_connection_is_not_there_is_noted(open_flow):
    flow = open_flow(TEXT, FILES)
    assert flow() == {"text": "hello you. None 3"}
    assert "'KEY' is not set" in flow.notes[0]


def test_an_env_file_gives_connections_and_variables(open_flow, tmp_path):
    (tmp_path / ".env").write_text('mine={"type": "custom", "secrets": {"key": "from file"}}\nGREETING=hey\nOTHER=1\n')
    flow = open_flow(TEXT, FILES, env_file=tmp_path / ".env")
    # The flow's own variables beat the file's, as they beat the process's.
    assert flow() == {"text": "hello you. from file 3"}


def test_node_inputs_may_be_replaced(open_flow):
    flow = open_flow(TEXT, FILES, connections=MINE, inputs={"nodes.greet.inputs.mark": "?"})
    assert flow() == {"text": "hello you? k 3"}
    with pytest.raises(LoadError, match="no node 'gret' to override"):
        open_flow(TEXT, FILES, inputs={"nodes.gret.inputs.mark": "?"})
    with pytest.raises(UsageError):
        open_flow(TEXT, FILES, inputs={"mark": "?"})


def test_one_node_may_be_run_alone(open_flow):
    run = open_flow(TEXT, FILES).node("shout", text="quiet")
    assert (run.node, run.output) == ("shout", "QUIET")


def test_a_result_tells_everything(open_flow):
    result = open_flow(TEXT, FILES, connections=MINE).invoke({"name": "me"})
    assert result.inputs == {"name": "me"}
    assert [(run.node, run.inputs) for run in result.nodes] == [
        ("greet", {"name": "me", "mark": "."}),
        ("shout", {"text": "hello me. k 3"}),
    ]


def test_a_failed_call_is_an_error_that_holds_the_result(open_flow):
    flow = open_flow(TEXT, {**FILES, "shout.py": "def shout(text): raise ValueError('no')\n"}, connections=MINE)
    for call in (flow, lambda: asyncio.run(flow.call_async()), lambda: list(flow.stream())):
        with pytest.raises(FlowError, match=r"Execution failure in 'shout': \(ValueError\) no") as caught:
            call()
        assert caught.value.code == caught.value.failure.kind == "ToolExecutionError"
        assert [run.node for run in caught.value.result.nodes] == ["greet", "shout"]


def test_refused_inputs_are_an_error_too(open_flow):
    flow = open_flow("inputs: {n: {type: int}}\nnodes: []\n")
    with pytest.raises(FlowError, match="'n' is not provided"):
        flow()


def test_a_flow_that_cannot_run_says_all_that_is_wrong_with_it(open_flow):
    flow = open_flow(
        "nodes:\n- {name: a, type: python, source: {path: a.py}, inputs: {x: '${b.output}', y: '${inputs.q}'}}\n"
    )
    with pytest.raises(LoadError) as caught:
        flow()
    assert len(caught.value.message.splitlines()) == 2


def test_loading_reads_no_code(open_flow):
    assert open_flow(TEXT, {"greet.py": "raise SystemExit('read')"}).flow.name == "flow"


def test_a_flow_may_be_named_by_folder_or_by_file(write_flow, settings):
    folder = write_flow("outputs: {y: {type: int, reference: 5}}\nnodes: []\n")
    for source in (folder, str(folder), folder / "flow.dag.yaml"):
        assert load(source, settings=settings)() == {"y": 5}
    with pytest.raises(LoadError, match="no such file or folder"):
        load(folder / "gone", settings=settings)


def test_the_public_name_is_the_same():
    assert penstock.load is load
    assert penstock.FlowError is FlowError


def test_a_chat_flow_takes_its_history(open_flow, tmp_path):
    text = """
        inputs:
          question: {type: string, is_chat_input: true}
          chat_history: {type: list, is_chat_history: true, default: []}
        outputs: {answer: {type: string, reference: "${chat.output}", is_chat_output: true}}
        nodes:
        - name: chat
          type: llm
          source: {type: code, path: chat.jinja2}
          inputs: {model: m, question: "${inputs.question}", chat_history: "${inputs.chat_history}"}
          connection: c
          api: chat
    """
    template = """
        system:
        Help.
        {% for item in chat_history %}
        user:
        {{item.inputs.question}}
        assistant:
        {{item.outputs.answer}}
        {% endfor %}
        user:
        {{question}}
    """
    rules = tmp_path / "rules.yaml"
    rules.write_text("default: {text: '{{ count }}: {{ last }}'}\n")
    flow = open_flow(text, {"chat.jinja2": template}, offline=str(rules))
    history = [{"inputs": {"question": "one"}, "outputs": {"answer": "1"}}]
    result = flow.invoke({"question": "two", "chat_history": history})
    messages = result.nodes[0].calls[0].request["messages"]
    assert [(message["role"], message["content"]) for message in messages] == [
        ("system", "Help."),
        ("user", "one"),
        ("assistant", "1"),
        ("user", "two"),
    ]
    assert result.output["answer"].endswith(": two")


def test_closing_frees_its_threads(open_flow):
    flow = open_flow(TEXT, FILES, connections=MINE)
    flow()
    asyncio.run(flow.call_async())
    flow.close()
    own = [thread for thread in threading.enumerate() if thread.name.startswith("penstock-node")]
    for thread in own:
        thread.join(5)
    assert not [thread for thread in own if thread.is_alive()]
