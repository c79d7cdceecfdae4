"""Python files and flow.penstock.yaml as flows: here, and described by another process."""

import os
import sys
import textwrap

import pytest

from penstock.errors import LoadError, UsageError
from penstock.frontends.load import load
from penstock.graph.flow_json import pack

YAML = """
    name: shouting
    description: Shouts.
    modules: [prompts.py, logic.py]
    config: {version: v2}
    inputs:
      text: {type: string, default: hello, description: What to shout}
    outputs:
      answer: {function: shout, type: string, is_chat_output: true}
      size: size
    environment_variables: {GREETING: hi}
    prompts: {note: "text:short"}
"""
LOGIC = """
    import os
    import helper

    GREETING = os.environ["GREETING"]

    def size(text: str) -> int:
        return len(text) + helper.EXTRA

    def shout(text: str, note: str) -> str:
        return f"{GREETING} {text.upper()} {note}"
"""
PROMPTS = """
    from penstock import prompt, when

    @when(version="v1")
    @prompt
    def note__v1() -> str:
        return "one"

    @when(version="v2")
    @prompt
    def note__v2() -> str:
        return "two"
"""


@pytest.fixture
def folder(tmp_path):
    def write(files):
        for name, text in files.items():
            (tmp_path / name).write_text(textwrap.dedent(text).lstrip())
        return tmp_path

    return write


@pytest.fixture
def flow_folder(folder):
    return folder({"flow.penstock.yaml": YAML, "logic.py": LOGIC, "prompts.py": PROMPTS, "helper.py": "EXTRA = 1\n"})


@pytest.mark.parametrize("here", [True, False])
def test_a_file_says_what_its_modules_are_called_by(flow_folder, here):
    flow = load(flow_folder, here=here)
    assert (flow.name, flow.description) == ("shouting", "Shouts.")
    assert [node.name for node in flow.nodes] == ["note", "size", "shout"]
    assert flow.node("note").call.prompt.text == "two"
    assert (flow.inputs["text"].default, flow.inputs["text"].description) == ("hello", "What to shout")
    assert {name: str(port.value) for name, port in flow.outputs.items()} == {
        "answer": "${shout.output}",
        "size": "${size.output}",
    }
    assert flow.chat_output.name == "answer"
    assert flow.environment_variables == {"GREETING": "hi"}
    assert flow.prompts == {"note": "text:short"}
    assert (flow.source.format, flow.source.file) == ("functions", str(flow_folder / "flow.penstock.yaml"))
    assert not flow.diagnostics


def test_what_is_chosen_at_load_wins_over_the_file(flow_folder):
    flow = load(flow_folder, config={"version": "v1"}, outputs=("note",))
    assert flow.node("note").call.prompt.text == "one"
    assert list(flow.outputs) == ["note"]
    assert flow.source.config == {"version": "v1"}
    assert load(flow_folder, variants=("config.version=v1",)).choices["version"].chosen == "v1"
    with pytest.raises(UsageError, match="a graph of functions has no variant"):
        load(flow_folder, variants=("${note.v1}",))


def test_looking_at_a_flow_runs_none_of_its_code_here(folder):
    place = folder(
        {"noisy.py": "import os, sys\nprint('hello')\nos.environ['SEEN'] = '1'\ndef f(x: int) -> int: ...\n"}
    )
    flow = load(place / "noisy.py")
    assert "SEEN" not in os.environ
    assert "noisy" not in sys.modules
    assert flow.node("f").call.function is None
    assert flow.inputs["x"].type == "int"


def test_both_ways_give_the_same_flow(flow_folder):
    assert pack(load(flow_folder, here=True)) == pack(load(flow_folder))


def test_modules_and_what_they_bring_are_kept_apart(flow_folder):
    path, modules = list(sys.path), set(sys.modules)
    flow = load(flow_folder, here=True)
    assert sys.path == path
    assert not {"logic", "prompts", "helper"} & (sys.modules.keys() - modules)
    assert {"logic", "prompts", "helper"} <= set(flow.loaded)
    assert flow.node("size").call.function.__globals__["helper"] is flow.loaded["helper"]


@pytest.mark.parametrize("here", [True, False])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:\n", r"bad.py:1: bad.py cannot be imported: \(SyntaxError\)"),
        ("x = 1\ny = 1 / 0\n", r"bad.py:2: bad.py cannot be imported: \(ZeroDivisionError\)"),
        (
            "import nowhere_at_all\n",
            r"bad.py:1: bad.py cannot be imported: \(ModuleNotFoundError\) No module named 'nowhere",
        ),
        ("raise SystemExit(3)\n", r"bad.py:1: bad.py cannot be imported: \(SystemExit\)"),
        ("x = 1\n", r"bad.py: there is no public function here"),
        ("def f(): ...\ndef f(): ...\n", r"bad.py:2: f\(\) is defined in line 1 already"),
    ],
)
def test_a_module_that_is_none_is_told_with_its_line(folder, text, message, here):
    with pytest.raises(LoadError, match=message):
        load(folder({"bad.py": text}) / "bad.py", here=here)


def test_a_process_that_ends_while_it_imports_is_told(folder):
    with pytest.raises(LoadError, match=r"bad.py: the process that imports it ended with 3"):
        load(folder({"bad.py": "import os\nos._exit(3)\n"}) / "bad.py")


def test_a_file_called_like_a_module_of_the_library_is_imported_as_itself(folder):
    place = folder({"json.py": "import decimal\ndef f(x: int) -> int: ...\n"})
    assert list(load(place / "json.py", here=True).inputs) == ["x"]
    assert sys.modules["json"].__file__ != str(place / "json.py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "modulse: [a.py]\n",
            r"flow.penstock.yaml:1: The flow has the unknown key 'modulse'. Did you mean 'modules'\?",
        ),
        ("modules: []\n", "modules must name at least one file"),
        ("modules: [a.py, a.py]\n", "A module stands twice"),
        ("modules: [../a.py]\n", r"flow.penstock.yaml:1: The module '../a.py' is outside of the flow's folder"),
        ("modules: [a.py]\ninputs: {x: {typ: int}}\n", "Input 'x' has the unknown key 'typ'. Did you mean 'type'"),
        ("modules: [a.py]\ninputs: {x: {type: integer}}\n", "Input 'x' has the unknown type 'integer'"),
        ("modules: [a.py]\noutputs: {x: {type: text}}\n", "Output 'x' has the unknown type 'text'"),
        ("modules: [a.py]\nprompts: {x: 3}\n", "The prompt 'x' must be text"),
        ("modules: [a.py]\nmessage_format: odd\n", "message_format is basic or openai-vision, not 'odd'"),
        ("modules: [a.py]\nconfig: [1]\n", "config must be a map"),
        ("[1]\n", "a flow file must be a map|no flow"),
    ],
)
def test_a_file_with_mistakes_is_refused_with_their_lines(folder, text, message):
    with pytest.raises(LoadError, match=message):
        load(folder({"flow.penstock.yaml": text, "a.py": "def f(): ...\n"}))


def test_a_module_that_is_not_there_is_told(folder):
    place = folder({"flow.penstock.yaml": "modules: [gone.py]\n"})
    with pytest.raises(LoadError, match=r"gone.py: there is no such file"):
        load(place, here=True)
    place = folder({"flow.penstock.yaml": "modules: [gone]\n"})
    with pytest.raises(LoadError, match=r"There is no module 'gone'.*gone.py"):
        load(place, here=True)


def test_an_output_that_no_function_gives_is_told_with_its_line(folder):
    place = folder({"flow.penstock.yaml": "modules: [a.py]\noutputs:\n  x: fuction\n", "a.py": "def function(): ...\n"})
    with pytest.raises(
        LoadError, match=r"flow.penstock.yaml:3: output 'x': no function is called 'fuction'. Did you mean"
    ):
        load(place)
