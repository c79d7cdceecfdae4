"""What people do wrong most often, and the sentence that they read then."""

import pytest

CHAT = """inputs:
  question: {type: string}
outputs:
  answer: {type: string, reference: "${ask.output}"}
nodes:
- name: ask
  type: llm
  source: {type: code, path: ask.jinja2}
  inputs: {deployment_name: gpt-4o, question: "${inputs.question}"}
  connection: my_connection
  api: chat
"""
PROMPT = """inputs:
  text: {type: string, default: hi}
outputs:
  said: {type: string, reference: "${say.output}"}
nodes:
- name: say
  type: prompt
  source: {type: code, path: say.jinja2}
  inputs: {text: "${inputs.text}"}
"""


@pytest.fixture
def flows(work, loud, write):
    write(work / "empty")
    write(work / "chat", flow__dag__yaml=CHAT, ask__jinja2="user:\n{{question}}\n")
    write(work / "prompt", flow__dag__yaml=PROMPT, say__jinja2="one\n{% if text %}two\n")
    write(work, third__jsonl='{"text": "a"}\n{"text": "b"}\n{"text: "c"}\n')
    return work


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        pytest.param(
            "flow test --flow nowhere",
            2,
            "nowhere: there is no such file or folder.",
            id="wrong path",
        ),
        pytest.param(
            "flow test --flow empty",
            2,
            "empty: holds neither flow.dag.yaml nor flow.flex.yaml nor flow.penstock.yaml nor flow.chat.yaml.",
            id="folder without a flow",
        ),
        pytest.param(
            "flow test --flow loud --variant ${loud.variant_9}",
            2,
            "HERE/loud/flow.dag.yaml: node 'loud' has no variants; those that have: none.",
            id="unknown variant",
        ),
        pytest.param(
            "flow test --flow loud",
            1,
            "The input for flow is incorrect. The value for flow input 'text' is not provided in input data. Given: nothing.",
            id="missing input",
        ),
        pytest.param(
            "flow test --flow chat --inputs question=hi",
            2,
            "HERE/chat/flow.dag.yaml:6: Node 'ask': Connection 'my_connection' is not found. There are none. Give it as a"
            ' line my_connection={"type": …} of an env file, or create it with `penstock connection create`.',
            id="missing connection",
        ),
        pytest.param(
            "run create --flow loud --data data.jsonl --column-mapping text=${data.txt} --quiet",
            1,
            "The input for batch run is incorrect. Mapping 'text': 'data' has no column 'txt'; it has: text.",
            id="bad mapping column",
        ),
        pytest.param(
            "run create --flow loud --data third.jsonl --quiet",
            1,
            "HERE/third.jsonl:3: this line is no JSON: Expecting ':' delimiter at column 10.",
            id="bad JSON in line 3",
        ),
        pytest.param(
            "run show -n baes",
            1,
            "There is no run called 'baes'; the nearest are: base.",
            id="unknown run",
        ),
        pytest.param(
            "run create --flow loud --data data.jsonl --name base",
            1,
            "HOME/runs/base already holds a run; choose another name than 'base', or delete that run.",
            id="name taken",
        ),
        pytest.param(
            "flow test --flow prompt",
            2,
            "HERE/prompt/flow.dag.yaml:6: Node 'say': say.jinja2:2: the template cannot be rendered:"
            " Unexpected end of template. Jinja was looking for the following tags: 'elif' or 'else' or 'endif'. The"
            " innermost block that needs to be closed is 'if'. Change the template there.",
            id="template error",
        ),
    ],
)
def test_a_common_mistake_is_one_helpful_sentence(penstock, flows, tmp_path, words, code, sentence):
    if "base" in words or "baes" in words:
        penstock("run", "create", "--flow", "loud", "--data", "data.jsonl", "--name", "base", "--quiet")
    answer = penstock(*words.split())
    said = answer.err.replace(str(flows), "HERE").replace(str(tmp_path / "home"), "HOME")
    assert (answer.code, answer.out, said) == (code, "", f"penstock: {sentence}\n")


def test_a_sample_that_is_not_there_is_told_where_it_is_missed(penstock, work, write):
    header = "model: {configuration: {type: openai, model: m}}\ninputs: {name: {type: string}}\nsample: gone.json\n"
    write(work, a__prompty=f"---\n{header}---\nuser:\n{{{{name}}}}\n", rules__yaml="default: {text: hi}\n")
    answer = penstock("flow", "test", "--flow", "a.prompty", "--offline", "rules.yaml")
    assert answer.err.splitlines()[0] == (
        f"penstock: {work}/a.prompty: Cannot find sample file gone.json: it is looked for beside the prompty."
    )
