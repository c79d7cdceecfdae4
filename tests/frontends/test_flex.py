"""flow.flex.yaml and bare entries as flows."""

import json

import pytest

from penstock.connections.resolve import Connections
from penstock.errors import LoadError, UsageError
from penstock.frontends.load import load
from penstock.frontends.validate import validate_files
from penstock.graph.check import require
from penstock.settings import read_settings

CODE = """
raise RuntimeError("this file was imported")
class Entry:
    def __init__(self, size: int, name: str = "n", config: "AzureOpenAIModelConfiguration" = None): ...
    def __call__(self, text: str, count: int = 2, note: str = None) -> str: ...
    def __aggregate__(self, lines): ...
def plain(text): ...
"""


@pytest.fixture
def flex(tmp_path):
    def write(yaml, **files):
        for name, text in {"flow.flex.yaml": yaml, "m.py": CODE, **files}.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write


def problems(flow):
    return [f"{item.line}: {item.message} {item.hint}".rstrip() for item in flow.diagnostics]


def test_a_flow_is_one_node_and_one_that_sums_up(flex):
    flow = load(flex("entry: m:Entry\n"), init={"size": "3"})

    assert [(node.name, node.scope, node.call.target) for node in flow.nodes] == [
        ("Entry", "line", "m:Entry"),
        ("__aggregate__", "run", "m:Entry.__aggregate__"),
    ]
    assert flow.whole == "Entry"
    assert {name: (port.type, port.optional) for name, port in flow.inputs.items()} == {
        "text": ("string", False),
        "count": ("int", True),
        "note": ("string", True),
    }
    assert flow.nodes[0].call.init == {"size": 3}
    assert list(flow.outputs) == ["output"]
    assert not flow.diagnostics


def test_a_bare_entry_is_a_flow_of_the_folder_before_it(flex):
    folder = flex("entry: m:Entry\n")

    flow = load(folder / "m:plain")

    assert list(flow.inputs) == ["text"]
    assert flow.source.file == str(folder / "m:plain")


def test_the_file_says_more_about_inputs_and_init(flex):
    flow = load(
        flex(
            "entry: m:Entry\n"
            "inputs:\n  text: {type: string, description: d, is_chat_input: true}\n  count: {type: int, default: 7}\n"
            "init:\n  size: {type: int, default: 4}\n  name: {type: string, default: ''}\n"
        )
    )

    assert flow.inputs["text"].description == "d"
    assert flow.chat_input is flow.inputs["text"]
    assert flow.inputs["count"].default == 7
    assert flow.nodes[0].call.init == {"size": 4}


def test_an_empty_default_leaves_it_to_the_code(flex):
    flow = load(
        flex("entry: m:Entry\ninputs:\n  count: {type: int, default: ''}\n  text: {type: string, default: ''}\n")
    )

    assert not flow.inputs["count"].has_default
    assert not flow.inputs["count"].converted
    assert flow.inputs["text"].default == ""  # where the code has none, the text itself is the default


def test_samples_stand_in_where_nothing_is_given(flex):
    folder = flex(
        "entry: m:Entry\nsample:\n  inputs: ${file:inputs.json}\n  init: {size: 5}\n",
        **{"inputs.json": json.dumps({"text": "t"})},
    )

    assert load(folder).sample == {"text": "t"}
    assert load(folder).nodes[0].call.init == {"size": 5}
    assert load(folder, init={"name": "x"}).nodes[0].call.init == {"name": "x"}


def test_a_whole_sample_may_be_in_a_file(flex):
    folder = flex("entry: m:Entry\nsample: ${file:s.yaml}\n", **{"s.yaml": "inputs: {text: t}\n"})

    assert load(folder).sample == {"text": "t"}


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("nodes: []", "2: The flow has the unknown key 'nodes'."),
        ("inptus: {}", "2: The flow has the unknown key 'inptus'. Did you mean 'inputs'?"),
        ("inputs:\n  txet: {type: string}", "has no parameter 'txet'. Did you mean 'text'?"),
        ("inputs:\n  text: {type: image}", "unknown type 'image'"),
        ("inputs:\n  text: {description: d}", "has no type"),
        ("inputs:\n  count: {type: int, default: many}", "does not match the expected type 'int': 'many'"),
        ("init:\n  sise: {type: int}", "constructor has no parameter 'sise'. Did you mean 'size'?"),
        ("init:\n  size: {type: AzureConnection}", "unknown type 'AzureConnection'"),
        ("sample: {input: {}}", "unknown key 'input'. Did you mean 'inputs'?"),
        ("sample: ${file:nowhere.json}", "Cannot read the reference file"),
        ("code: nowhere", "there is no folder 'nowhere'"),
        ("inputs: [a]", "inputs must be a map"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(flex, yaml, said):
    try:
        found = problems(load(flex(f"entry: m:Entry\n{yaml}\n")))
    except LoadError as error:  # without its code there is no flow
        found = [error.message]

    assert any(said in line for line in found), found


def test_a_text_that_is_no_value_of_inits_type_is_told(flex):
    said = "flow.flex.yaml:1: Init 'size' takes a value of type int, not 'two'."
    with pytest.raises(LoadError, match=said):
        require(load(flex("entry: m:Entry\n"), init={"size": "two"}))


def test_errors_keep_it_from_running(flex):
    with pytest.raises(LoadError, match=r"flow.flex.yaml:2: The flow has the unknown key 'nodes'"):
        require(load(flex("entry: m:Entry\nnodes: []\n")))


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("entry: plain\n", r"flow.flex.yaml:1: Entry function plain is not valid"),
        ("entry: m:Enty\n", r"m.py has no 'Enty'. Did you mean 'Entry'\?"),
        ("entry: nowhere:f\n", "No module named 'nowhere'"),
        ("entry: (a)B.C\nlanguage: csharp\n", "written in 'csharp'"),
    ],
)
def test_an_entry_that_is_not_there_leaves_no_flow(flex, yaml, said):
    with pytest.raises(LoadError, match=said):
        load(flex(yaml))


def test_what_such_a_flow_does_not_have_cannot_be_chosen(flex):
    folder = flex("entry: m:plain\n")

    with pytest.raises(UsageError, match="variants are for graphs of nodes"):
        load(folder, variants=("${a.b}",))
    with pytest.raises(UsageError, match="'plain' is a function"):
        load(folder, init={"a": 1})
    with pytest.raises(UsageError, match="config is for modules of functions"):
        load(folder, config={"a": 1})


def test_code_in_another_folder_is_read_there(flex, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "other.py").write_text("def run(a: int): ...\n", encoding="utf-8")

    flow = load(flex("entry: other:run\ncode: ./src\n"))

    assert flow.inputs["a"].type == "int"


def test_a_connection_that_is_not_there_is_a_warning(flex):
    flow = load(flex("entry: m:Entry\n"), init={"size": 1, "config": {"azure_deployment": "d", "connection": "az"}})

    found = validate_files(flow, Connections.open(read_settings({"HOME": "/nowhere"})))

    assert [(item.severity, item.line) for item in found] == [("warning", 1)]
    assert "there is no connection 'az'" in found[0].message
