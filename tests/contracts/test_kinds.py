"""The same application written in every way there is: above the front ends nobody can tell which way it was.

It asks a model for a line about a topic and says it loudly; about one topic it cannot.
"""

import importlib.util
import json

import pytest

import penstock
from penstock import api
from penstock.cli.main import main
from penstock.records import Status

RULES = """
rules:
- {when: {contains: about forbidden}, error: {status: 400, message: no words for that}}
default: {text: "drops; {{last}}"}
"""
PROMPT = "user:\nA line about {{topic}}.\n"
PROMPTY = """---
model:
  api: chat
  configuration: {type: openai, model: gpt-4o-mini, connection: open_ai_connection}
  parameters: {temperature: 0}
inputs:
  topic: {type: string}
---
user:
A line about {{topic}}.
"""
FUNCTION = '''
from promptflow.core import Prompty
from promptflow.tracing import trace


@trace
def loud(text: str) -> str:
    return text.upper()


def ask(topic: str) -> dict:
    """A line about a topic, loudly."""
    return {"line": loud(Prompty.load("ask.prompty")(topic=topic))}


async def ask_async(topic: str) -> dict:
    return ask_plain(topic)


def ask_plain(topic):
    return {"line": loud(Prompty.load("ask.prompty")(topic=topic))}


class Asker:
    def __init__(self, suffix: str = "") -> None:
        self.suffix = suffix

    def __call__(self, topic: str) -> dict:
        return {"line": loud(Prompty.load("ask.prompty")(topic=topic)) + self.suffix}
'''
FUNCTIONS = """
from penstock.functions import llm


@llm(connection="open_ai_connection", model="gpt-4o-mini", temperature=0)
def drops(topic: str) -> str:
    return f"A line about {topic}."


def line(drops: str) -> str:
    return drops.upper()
"""
HAMILTON = """
from hamilton.function_modifiers import tag
from openai import OpenAI


def client() -> OpenAI:
    return OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1", max_retries=0)


@tag(kind="model")
def drops(client: OpenAI, topic: str) -> str:
    asked = [{"role": "user", "content": f"A line about {topic}."}]
    return client.chat.completions.create(model="gpt-4o-mini", messages=asked, temperature=0).choices[0].message.content


def line(drops: str) -> str:
    return drops.upper()
"""
DAG = """
inputs: {topic: {type: string}}
outputs: {line: {type: string, reference: "${line.output}"}}
nodes:
- name: drops
  type: llm
  source: {type: code, path: ask.jinja2}
  connection: open_ai_connection
  api: chat
  inputs: {model: gpt-4o-mini, temperature: 0, topic: "${inputs.topic}"}
- {name: line, type: python, source: {type: code, path: line.py}, inputs: {drops: "${drops.output}"}}
"""
LINE = "from promptflow.core import tool\n\n\n@tool\ndef line(drops: str) -> str:\n    return drops.upper()\n"
FLEX = "inputs: {topic: {type: string}}\noutputs: {line: {type: string}}\nentry: app:"
SAID = {"line": "DROPS; A LINE ABOUT RIVERS."}

# Kind → its files, the flow to name, what to ask for, and the output for "rivers".
KINDS = {
    "dag": ({"flow.dag.yaml": DAG, "ask.jinja2": PROMPT, "line.py": LINE}, ".", {}, SAID),
    "flex function": ({"flow.flex.yaml": FLEX + "ask\n", "app.py": FUNCTION, "ask.prompty": PROMPTY}, ".", {}, SAID),
    "flex class": (
        {"flow.flex.yaml": FLEX + "Asker\n", "app.py": FUNCTION, "ask.prompty": PROMPTY},
        "flow.flex.yaml",
        {"init": {"suffix": "!"}},
        {"line": SAID["line"] + "!"},
    ),
    "bare entry": ({"app.py": FUNCTION, "ask.prompty": PROMPTY}, "app:ask", {}, SAID),
    "prompty": ({"ask.prompty": PROMPTY}, "ask.prompty", {}, {"output": "drops; A line about rivers."}),
    "functions": ({"app.py": FUNCTIONS}, "app.py", {"outputs": ("line",)}, SAID),
    "functions by file": (
        {"app.py": FUNCTIONS, "flow.penstock.yaml": "modules: [app.py]\noutputs: [line]\n"},
        ".",
        {},
        SAID,
    ),
    "hamilton": ({"app.py": HAMILTON}, "app.py", {"outputs": ("line",)}, SAID),
}
NEEDS = {"hamilton": ("hamilton", "openai")}


@pytest.fixture(params=list(KINDS))
def kind(request, tmp_path, monkeypatch):
    """Files in place, the working directory among them; gives the flow to name, the choices and the output."""
    missing = [name for name in NEEDS.get(request.param, ()) if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"install {', '.join(missing)} to run this kind")
    files, source, chosen, said = KINDS[request.param]
    folder = tmp_path / "app"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(RULES)
    rows = [{"topic": topic} for topic in ("rivers", "forbidden", "lakes")]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("open_ai_connection", '{"type": "open_ai", "api_key": "sk-canary-secret"}')
    monkeypatch.chdir(folder)
    return source, chosen, said


@pytest.fixture
def offline(tmp_path):
    return f"scripted:{tmp_path / 'rules.yaml'}"


def flags(chosen):
    given = [f"{key}={value}" for key, value in chosen.get("init", {}).items()]
    return [*(["--init", *given] if given else []), *(["--outputs", *chosen["outputs"]] if "outputs" in chosen else [])]


def calls_of(nodes):
    return [call for node in nodes for call in node.calls]


def test_a_call_gives_the_output_and_notes_the_model_call(kind, offline):
    source, chosen, said = kind
    flow = penstock.load(source, offline=offline, **chosen)
    try:
        result = flow.invoke({"topic": "rivers"})
    finally:
        flow.close()
    assert (result.status, result.output) == (Status.COMPLETED, said)
    (call,) = calls_of(result.nodes)
    assert call.request["messages"] == [{"role": "user", "content": "A line about rivers."}]
    assert (call.model, call.request["temperature"], call.offline) == ("gpt-4o-mini", 0, True)
    assert result.usage.calls == 1


def test_a_failure_is_in_the_result_and_names_a_node(kind, offline):
    source, chosen, _ = kind
    flow = penstock.load(source, offline=offline, **chosen)
    try:
        result = flow.invoke({"topic": "forbidden"})
    finally:
        flow.close()
    assert result.status is Status.FAILED
    assert "no words for that" in result.failure.message
    assert result.failure.node in [run.node for run in result.nodes]


def test_a_batch_keeps_what_completed_and_goes_on_where_it_failed(kind, offline, tmp_path):
    source, chosen, said = kind
    run = penstock.run(source, data=tmp_path / "data.jsonl", offline=offline, name="first", **chosen)
    assert (run.status, run.completed, run.failed) == (Status.COMPLETED, 2, 1)
    assert run.usage.calls >= 2
    first, second, third = sorted(api.lines(run), key=lambda line: line.index)
    assert first.output == said
    assert third.output == {
        key: value.replace("rivers", "lakes").replace("RIVERS", "LAKES") for key, value in said.items()
    }
    assert "no words for that" in second.failure.message
    (tmp_path / "rules.yaml").write_text(RULES.replace("about forbidden", "about nothing"))
    again = penstock.run(resume_from="first", name="second", offline=offline)
    assert (again.completed, again.failed) == (3, 0)


def test_the_command_line_treats_it_like_any_other_flow(kind, offline, tmp_path, capsys):
    source, chosen, said = kind
    rules = offline.removeprefix("scripted:")
    assert (
        main(
            ["flow", "test", "--flow", source, "--inputs", "topic=rivers", "--offline", rules, "--json", *flags(chosen)]
        )
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert told["output"] in (said, said.get("output"))
    assert told["usage"]["calls"] == 1
    assert main(["flow", "validate", source]) == 0
    capsys.readouterr()
    assert main(["flow", "show", source, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert "topic" in shown["inputs"]
    assert shown["nodes"]
    code = main(
        [
            "run",
            "create",
            "--flow",
            source,
            "--data",
            str(tmp_path / "data.jsonl"),
            "--name",
            "cli",
            "--offline",
            rules,
            "--quiet",
            *flags(chosen),
        ]
    )
    assert code == 1  # a line failed
    capsys.readouterr()
    assert main(["run", "show-details", "-n", "cli"]) == 0
    assert "rivers" in "".join(capsys.readouterr())
    page = tmp_path / "page.html"
    assert main(["run", "visualize", "-n", "cli", "--html-path", str(page)]) == 0
    assert "A line about rivers." in page.read_text()


def test_no_key_is_written_anywhere(kind, offline, tmp_path):
    source, chosen, _ = kind
    penstock.run(source, data=tmp_path / "data.jsonl", offline=offline, name="first", **chosen)
    written = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if b"sk-canary-secret" in path.read_bytes()] == []
