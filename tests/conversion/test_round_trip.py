"""A flow written the other way does the same; where it would not, the conversion says so, node by node."""

import json
import os
from pathlib import Path

import pytest

import penstock
from penstock.cli.main import main
from penstock.frontends.load import load

ROOT = Path(__file__).parents[2]
PROMPT_FLOW = os.environ.get("PENSTOCK_TEST_PROMPTFLOW")
# Sample flows of prompt flow that run offline and have nothing that the other way of writing cannot say.
SAMPLES = [
    "examples/flows/standard/web-classification",
    "examples/flows/standard/maths-to-code",
    "examples/flows/chat/chat-basic",
]


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text("rules: []\ndefault: {text: 'echo {{ prompt }}'}\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def convert(work, capsys):
    def done(source, *words):
        capsys.readouterr()
        code = main(["flow", "convert", str(source), *words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return done


def written(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def outcome(flow, inputs, work, **options):
    return penstock.load(flow, offline=str(work / "rules.yaml"), **options)(**inputs)


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("hello", {"name": "grace  hopper", "loud": True}),
        ("hello", {}),
        ("named-entity", {"text": "Ines Calder opened the lock."}),
        ("chat", {"question": "When?", "chat_history": []}),
    ],
)
def test_example_gives_the_same_as_functions_and_as_a_graph_again(convert, work, name, inputs):
    assert convert(ROOT / "examples" / name, "-o", "fn")[1]["exact"]
    assert convert("fn", "-o", "again")[1]["exact"]
    first = outcome(ROOT / "examples" / name, inputs, work)
    assert outcome(work / "fn", inputs, work) == first
    assert outcome(work / "again", inputs, work) == first


@pytest.mark.skipif(not PROMPT_FLOW, reason="no checkout of prompt flow (PENSTOCK_TEST_PROMPTFLOW)")
@pytest.mark.parametrize("name", SAMPLES)
def test_sample_of_prompt_flow_gives_the_same(convert, work, name):
    source = Path(PROMPT_FLOW) / name
    code, said = convert(source, "-o", "fn")
    assert code == 0, said
    taken = load(work / "fn").inputs
    inputs = {key: port.default for key, port in load(source).inputs.items() if key in taken and port.has_default}
    inputs |= {key: "some text" for key in taken if key not in inputs}
    first = outcome(source, inputs, work)
    assert outcome(work / "fn", inputs, work) == first
    assert convert("fn", "-o", "again")[1]["exact"]
    assert outcome(work / "again", inputs, work) == first


def test_variants_become_alternatives_and_variants_again(convert, work):
    source = ROOT / "examples" / "named-entity"
    convert(source, "-o", "fn")
    convert("fn", "-o", "again")
    inputs = {"text": "Ines Calder"}
    first = outcome(source, inputs, work, variant="${extract.worked}")
    assert outcome(work / "fn", inputs, work, config={"extract_variant": "worked"}) == first
    assert outcome(work / "again", inputs, work, variant="${extract.worked}") == first


DAG = """inputs:
  text: {type: string}
  kind: {type: string, default: a}
outputs:
  first: {type: string, reference: "${look-up.output.items[0]}"}
  length: {type: int, reference: "${look-up.output.length}"}
  echo: {type: string, reference: "${inputs.text}"}
nodes:
- name: look-up
  type: python
  source: {type: code, path: my-tools/json.py}
  inputs: {text: "${inputs.text}", times: "2", empty: ""}
"""
TOOL = """from promptflow.core import tool


@tool
async def look_up(text: str, times: int, empty: str = "kept") -> dict:
    return {"items": [text * times, empty], "length": len(text)}
"""


def test_odd_names_paths_types_and_parts_are_kept(convert, work):
    folder = written(work / "odd", flow__dag__yaml=DAG)
    written(folder / "my-tools", json__py=TOOL)
    code, said = convert(folder, "-o", "fn")
    assert code == 0
    assert "its function is called look_up()" in [remark["text"] for remark in said["remarks"]]
    first = outcome(folder, {"text": "ab"}, work)
    assert first == {"first": "abab", "length": 2, "echo": "ab"}
    assert outcome(work / "fn", {"text": "ab"}, work) == first


AGGREGATED = """inputs: {text: {type: string}}
outputs: {a: {type: string, reference: "${one.output}"}}
nodes:
- {name: one, type: python, source: {type: code, path: one.py}, inputs: {text: "${inputs.text}"}}
- name: two
  type: python
  source: {type: code, path: one.py}
  inputs: {text: "${one.output}"}
  activate: {when: "${inputs.text}", is: go}
- {name: sum, type: python, source: {type: code, path: one.py}, inputs: {text: "${one.output}"}, aggregation: true}
- {name: gen, type: python, source: {type: code, path: gen.py}, inputs: {text: "${one.output}"}}
"""
ONE = "from promptflow.core import tool\n\n\n@tool\ndef one(text):\n    return text\n"
GEN = "from promptflow.core import tool\n\n\n@tool\ndef gen(text):\n    yield text\n"


def test_what_functions_cannot_say_is_listed_and_nothing_is_written(convert, work):
    folder = written(work / "odd", flow__dag__yaml=AGGREGATED, one__py=ONE, gen__py=GEN)
    code, said = convert(folder, "-o", "fn")
    assert (code, said["file"], said["exact"]) == (1, None, False)
    differs = {remark["node"]: remark["text"] for remark in said["remarks"] if remark["kind"] == "differs"}
    assert set(differs) == {"two", "sum", "gen"}
    assert "aggregation" in differs["sum"]
    assert "becomes an if" in differs["two"]
    assert "generator" in differs["gen"]
    assert not (work / "fn").exists()


def test_partial_writes_what_can_be_said(convert, work):
    folder = written(work / "odd", flow__dag__yaml=AGGREGATED, one__py=ONE, gen__py=GEN)
    code, said = convert(folder, "-o", "fn", "--partial")
    assert (code, said["exact"]) == (0, False)
    assert outcome(work / "fn", {"text": "x"}, work) == {"a": "x"}


FUNCTIONS = """from penstock.functions import Collect, Each, when


def parts(text: str) -> Each[str]:
    return text.split()


def size(parts: str) -> int:
    return len(parts)


def total(size: Collect[int], odd=object()) -> int:
    return sum(size)


@when(tone="loud")
def shown__loud(total: int) -> str:
    return "!" * total


@when(tone="calm", default=True)
def shown__calm(total: int) -> str:
    return "." * total
"""


def test_what_a_graph_cannot_say_is_listed(convert, work):
    written(work / "fn", flow__py=FUNCTIONS)
    code, said = convert("fn/flow.py", "-o", "dag")
    assert code == 1
    differs = {remark["node"]: remark["text"] for remark in said["remarks"] if remark["kind"] == "differs"}
    assert "item by item" in differs["parts"]
    assert "item by item" in differs["total"]
    assert "input 'odd'" in differs[""]
    assert any(remark["node"] == "shown" and remark["kind"] == "note" for remark in said["remarks"])


def test_folder_that_is_there_is_not_overwritten(convert, work):
    written(work / "fn", kept="x")
    code, said = convert(ROOT / "examples" / "hello", "-o", "fn")
    assert code == 2
    assert "is there already" in said["error"]["message"]
    assert [path.name for path in (work / "fn").iterdir()] == ["kept"]


def test_check_writes_nothing_and_no_output_is_a_mistake(convert, work, capsys):
    assert convert(ROOT / "examples" / "hello", "--check")[0] == 0
    code, said = convert(ROOT / "examples" / "hello")
    assert (code, "Name the folder" in said["error"]["message"]) == (2, True)
    assert main(["flow", "convert", str(ROOT / "examples" / "eval-entities"), "--check"]) == 1
    assert "1 place would differ" in capsys.readouterr().err


def test_other_kinds_of_flow_are_refused(convert, work):
    written(work / "flex", flow__flex__yaml="entry: m:f\n", m__py="def f(a: str) -> str:\n    return a\n")
    code, said = convert("flex", "--check")
    assert code == 2
    assert "cannot be converted" in said["error"]["message"]
