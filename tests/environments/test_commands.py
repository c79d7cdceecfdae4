"""Flows of every kind in an environment of their own, from the command line and from Python."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

import penstock as python_api
from penstock.environments.interpreters import host
from penstock.errors import UsageError
from penstock.settings import read_settings

pytestmark = pytest.mark.usefixtures("uv")

FLEX = """import toytool


def tell(text: str) -> str:
    return f"{text} {toytool.VERSION}"
"""
DAG = """inputs:
  text: {type: string, default: hi}
outputs:
  out: {type: string, reference: "${tell.output}"}
nodes:
- name: tell
  type: python
  source: {type: code, path: tell.py}
  inputs: {text: "${inputs.text}"}
"""
CHAT = """inputs:
  question: {type: string, is_chat_input: true}
  chat_history: {type: list, is_chat_history: true}
outputs:
  answer: {type: string, reference: "${talk.output}", is_chat_output: true}
nodes:
- name: talk
  type: python
  source: {type: code, path: talk.py}
  inputs: {question: "${inputs.question}", chat_history: "${inputs.chat_history}"}
"""
TALK = """import toytool
from promptflow.core import tool


@tool
def talk(question: str, chat_history: list):
    yield f"{len(chat_history)} "
    yield f"{toytool.VERSION} {question}"
"""
PROMPT = """inputs:
  text: {type: string, default: hi}
outputs:
  out: {type: string, reference: "${ask.output}"}
nodes:
- name: write
  type: prompt
  source: {type: code, path: write.jinja2}
  inputs: {text: "${inputs.text}"}
- name: ask
  type: llm
  source: {type: code, path: ask.jinja2}
  inputs: {deployment_name: gpt, text: "${write.output}"}
  connection: mine
  api: chat
"""


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "data.jsonl"
    file.write_text("".join(json.dumps({"text": f"t{number}"}) + "\n" for number in range(6)), encoding="utf-8")
    return file


def column(text):
    return ("--column-mapping", f"text=${{data.{text}}}")


def test_flow_is_tested_in_its_environment(penstock, flow):
    first = penstock("flow", "test", "--flow", flow, "--env", "auto", "--inputs", "text=hello")
    root = penstock("env", "path", flow).out.strip()
    assert json.loads(first.out) == {"out": f"hello 1.0 {root}"}
    assert first.err.count("building environment") == 1
    again = penstock("flow", "test", "--flow", flow, "--env", "auto", "--json")
    assert again.json["output"] == {"out": f"hi 1.0 {root}"}
    assert again.err == ""
    node = penstock(
        "flow", "test", "--flow", flow, "--env", Path(root).name, "--node", "tell", "--inputs", "text=x", "--json"
    )
    assert node.json["nodes"]["tell"]["output"] == f"x 1.0 {root}"


def test_without_the_flag_a_note_says_what_is_unmet(penstock, flow):
    said = penstock("flow", "test", "--flow", flow, code=2).err
    assert "requirements.txt asks for toytool==1.0 (not installed); --env auto runs the flow in an environment" in said
    assert (
        "line 3: (ModuleNotFoundError) No module named 'toytool'. requirements.txt asks for it: run with --env auto"
        in said
    )
    assert "asks for toytool==1.0" not in penstock("flow", "test", "--flow", flow, "--env", "none", code=2).err


def test_failed_call_and_failed_build_leave_with_their_codes(penstock, flow, make_flow):
    other = make_flow("other", tell="from promptflow.core import tool\n@tool\ndef tell(text: str):\n    return 1 / 0\n")
    assert penstock("flow", "test", "--flow", other, "--env", "auto", "--json", code=1).json["status"] == "Failed"
    (flow / "requirements.txt").write_text("toytool==7\n", encoding="utf-8")
    failed = penstock("flow", "test", "--flow", flow, "--env", "auto", "--json", code=2)
    assert failed.json["error"]["code"] == "EnvironmentNotBuilt"
    assert "toytool==7" in failed.json["error"]["message"]


def test_conversation_streams_from_the_environment(penstock, make_flow):
    chat = make_flow("chat", CHAT, talk=TALK)
    done = penstock("flow", "test", "--flow", chat, "--env", "auto", "--interactive", stdin="one\n\ntwo\n")
    assert done.out == "Bot: 0 1.0 one\nBot: 1 1.0 two\n"


def test_batch_runs_in_the_environment_and_records_it(penstock, flow, data):
    run = ("run", "create", "--flow", flow, "--data", data, *column("text"), "--name", "r", "--json")
    found = penstock(*run, "--env", "auto").json
    kept = found["properties"]["environment"]
    shown = penstock("env", "show", kept["id"], "--json").json
    assert found["status"] == "Completed"
    assert kept["packages"] == shown["packages"]
    assert "toytool==1.0" in kept["packages"]
    assert (kept["python"], kept["requirements"]) == (host().version, shown["digest"])
    rows = penstock("run", "show-details", "-n", "r", "--json").json
    assert f"t5 1.0 {shown['root']}" in json.dumps(rows)


def test_resumed_run_keeps_its_environment_and_says_if_it_changed(penstock, flow, data):
    create = ("run", "create", "--quiet", "--json")
    start = (
        *create,
        "--flow",
        flow,
        "--data",
        data,
        *column("text"),
        "--name",
        "r",
        "--env",
        "auto",
        "--max-lines",
        "2",
    )
    penstock(*start, code=1)
    (flow / "requirements.txt").write_text("toytool==2.0\n", encoding="utf-8")
    found = penstock(*create, "--resume-from", "r", "--name", "r").json
    assert "toytool==2.0" in found["properties"]["environment"]["packages"]
    assert "The lines kept of run 'r' were made in another environment than this one." in found["notes"]
    rows = json.dumps(penstock("run", "show-details", "-n", "r", "--json").json)
    assert "t0 1.0" in rows
    assert "t5 2.0" in rows


def test_run_file_names_the_environment(penstock, flow, data, tmp_path):
    file = tmp_path / "run.yml"
    file.write_text(
        f"flow: {flow}\ndata: {data}\nname: r\nenvironment: auto\ncolumn_mapping: {{text: '${{data.text}}'}}\n",
        encoding="utf-8",
    )
    assert penstock("run", "create", "--file", file, "--json").json["properties"]["env"] == "auto"


def test_class_and_function_flows_run_there_too(penstock, make_flow, data):
    flex = make_flow("flex", None, m=FLEX)
    (flex / "flow.dag.yaml").unlink(missing_ok=True)
    (flex / "flow.flex.yaml").write_text("entry: m:tell\n", encoding="utf-8")
    assert "hi 1.0" in penstock("flow", "test", "--flow", flex, "--env", "auto", "--inputs", "text=hi").out
    run = penstock("run", "create", "--flow", flex, "--data", data, "--env", "auto", "--name", "r", "--json").json
    assert run["properties"]["system_metrics"]["lines"]["completed"] == 6
    function = ("--flow", flex / "m.py", "--env", "auto", "--outputs", "tell")
    assert penstock("flow", "test", *function, "--inputs", "text=hi", "--json").json["output"] == {"tell": "hi 1.0"}
    run = penstock("run", "create", *function, "--data", data, "--name", "s", "--json").json
    assert run["properties"]["system_metrics"]["lines"]["completed"] == 6


def test_templates_models_and_stored_connections_work_there(penstock, make_flow, tmp_path):
    flow = make_flow("asks", PROMPT)
    (flow / "write.jinja2").write_text("{{ text | upper }}", encoding="utf-8")
    (flow / "ask.jinja2").write_text("# user:\n{{ text }}", encoding="utf-8")
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules:\n- {when: {contains: HI}, answer: {text: yes indeed}}\n", encoding="utf-8")
    connection = tmp_path / "mine.yaml"
    connection.write_text("name: mine\ntype: open_ai\napi_key: key-of-nobody-at-all\n", encoding="utf-8")
    penstock("connection", "create", "--file", connection)
    done = penstock("flow", "test", "--flow", flow, "--env", "auto", "--offline", rules)
    assert json.loads(done.out) == {"out": "yes indeed"}


def test_requirements_that_are_missing_are_a_note_unless_they_are_asked_for(penstock, make_flow):
    tool = "from promptflow.core import tool\n@tool\ndef tell(text: str):\n    return 1\n"
    flow = make_flow("named", DAG + "environment: {python_requirements_txt: gone.txt}\n", None, tell=tool)
    done = penstock("flow", "test", "--flow", flow)
    assert json.loads(done.out) == {"out": 1}
    assert "names 'gone.txt', which is not there" in done.err
    assert "names 'gone.txt'" in penstock("flow", "test", "--flow", flow, "--env", "auto", code=2).err


def test_environment_of_ones_own_is_used_as_it_is(penstock, flow, make_flow, tmp_path):
    root = Path(penstock("env", "path", flow).out.strip())
    done = penstock("flow", "test", "--flow", flow, "--env", root)
    assert json.loads(done.out)["out"].startswith("hi 1.0")
    bare = tmp_path / "bare"
    import venv

    venv.create(bare, with_pip=False, symlinks=True)
    said = penstock("flow", "test", "--flow", flow, "--env", bare, code=2).err
    assert "it lacks what Penstock needs beside a flow's code (aiohttp>=3.8, jinja2>=3.0,<3.2, pyyaml>=5.4)" in said
    said = penstock("flow", "test", "--flow", flow, "--env", "K=V", code=2).err
    assert "'K=V' is nothing of these" in said


def test_child_processes_of_flow_code_see_the_environment(penstock, make_flow):
    flow = make_flow(
        "children",
        tell="import subprocess\nfrom multiprocessing import get_context\nfrom promptflow.core import tool\n\n\n@tool\n"
        "def tell(text: str) -> str:\n"
        "    code = 'import toytool; print(toytool.VERSION)'\n"
        "    done = subprocess.run(['python', '-c', code], capture_output=True, text=True, check=True)\n"
        "    with get_context('spawn').Pool(1) as pool:\n"
        "        return done.stdout.strip() + pool.apply(str, (5,))\n",
    )
    assert json.loads(penstock("flow", "test", "--flow", flow, "--env", "auto").out) == {"out": "1.05"}
    penstock("env", "list")


def test_environments_are_listed_shown_and_removed(penstock, flow, make_flow):
    assert "No environments yet" in penstock("env", "list").out
    built = penstock("env", "build", flow, "--json").json
    other = penstock(
        "env", "build", make_flow("other", requirements="toytool==2.0\n") / "requirements.txt", "--json"
    ).json
    listed = penstock("env", "list").out
    assert built["id"] in listed
    assert "toytool==2.0" in listed
    assert "  toytool==1.0" in penstock("env", "show", built["id"][:10]).out
    assert penstock("env", "remove", "--unused", "1").out == "Nothing to remove.\n"
    assert penstock("env", "remove", built["id"][:10]).out == f"Removed {built['id']}.\n"
    assert [item["id"] for item in penstock("env", "list", "--json").json] == [other["id"]]
    assert penstock("env", "remove", "--all", "--json").json == {"removed": [other["id"]]}
    assert "Say which" in penstock("env", "remove", code=2).err
    assert "no requirements.txt" in penstock("env", "build", make_flow("bare", requirements=None), code=2).err


def test_flow_without_requirements_runs_here_and_says_so(penstock, make_flow):
    flow = make_flow(
        "bare", requirements=None, tell="from promptflow.core import tool\n@tool\ndef tell(text: str):\n    return 1\n"
    )
    done = penstock("flow", "test", "--flow", flow, "--env", "auto")
    assert json.loads(done.out) == {"out": 1}
    assert "has no requirements.txt, so the flow runs in this interpreter" in done.err


@pytest.fixture
def settings(env, tmp_path, monkeypatch):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return read_settings(env, tmp_path)


def test_python_calls_a_flow_in_its_environment(flow, settings):
    function = python_api.load(flow, environment="auto", settings=settings)
    assert function(text="a")["out"].startswith("a 1.0")
    assert asyncio.run(function.call_async(text="b"))["out"].startswith("b 1.0")
    assert [name for name, _ in function.stream(text="c")] == ["out"]
    with pytest.raises(UsageError, match="flow test --node tell"):
        function.node("tell", text="d")
    function.close()
    run = python_api.run(flow, data=[{"text": "e"}], environment="auto", settings=settings)
    assert (run.completed, "toytool==1.0" in run.properties["environment"]["packages"]) == (1, True)


OLD = pytest.mark.skipif(
    not os.environ.get("PENSTOCK_TEST_INDEX"), reason="needs a package index: PENSTOCK_TEST_INDEX=1"
)


@OLD
@pytest.mark.parametrize(
    ("requirements", "code", "answer"),
    [
        ("openai==0.28.1", "import openai, openai.error\nsaid = openai.VERSION", "0.28.1"),
        ("langchain==0.0.200", "from langchain.chains import LLMChain\nsaid = LLMChain.__name__", "LLMChain"),
        ("jinja2==3.0.3", "from jinja2 import contextfilter, __version__ as said", "3.0.3"),
        ("pydantic<2", "import pydantic\nsaid = pydantic.VERSION[:1]", "1"),
        ("promptflow==1.12.0\npromptflow-tools", "import openai\nsaid = openai.__name__", "openai"),
    ],
)
def test_old_pins_of_a_real_index_are_met(make_flow, tmp_path, requirements, code, answer):
    tool = f"{code}\nfrom promptflow.core import tool\n\n\n@tool\ndef tell(text: str) -> str:\n    return said\n"
    flow = make_flow("old", requirements=requirements + "\n", tell=tool)
    settings = read_settings({**os.environ, "PENSTOCK_HOME": str(tmp_path / "home")}, tmp_path)
    function = python_api.load(flow, environment="auto", settings=settings)
    assert function(text="x") == {"out": answer}
    function.close()
    assert sys.version_info[:2] >= (3, 11)
