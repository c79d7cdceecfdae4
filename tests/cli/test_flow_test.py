import json
from pathlib import Path

import pytest

IMAGE = """import base64

from promptflow.contracts.multimedia import Image
from promptflow.core import tool

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@tool
def loud(text: str):
    return Image(base64.b64decode(PIXEL), "image/png")
"""
SUM = """  - name: count
    type: python
    aggregation: true
    source: {type: code, path: count.py}
    inputs: {said: "${loud.output}"}
"""
COUNT = """from promptflow.core import log_metric, tool


@tool
def count(said: list):
    log_metric("lines", len(said))
"""


def test_a_test_prints_the_outputs_as_prompt_flow_does(penstock, loud):
    answer = penstock("flow", "test", "--flow", loud, "--inputs", "text=hi")
    assert (answer.code, answer.out) == (0, '{\n    "shout": "HI"\n}\n')
    assert answer.err == "[loud] stdout> saying hi\n"


@pytest.mark.parametrize("words", [["loud"], ["--flow", "loud"], ["loud/flow.dag.yaml"]])
def test_a_flow_is_named_by_flag_or_by_place(penstock, loud, words):
    assert penstock("flow", "test", *words, "--inputs", "text=hi").json == {"shout": "HI"}


@pytest.mark.parametrize(
    "inputs",
    [["--inputs", "one.json"], ["--inputs", "data.jsonl"], ["--input", "one.json"], ["--inputs", "text='one'"]],
)
def test_inputs_come_from_pairs_or_a_file(penstock, loud, work, write, inputs):
    write(work, one__json='{"text": "one"}')
    assert penstock("flow", "test", "--flow", loud, *inputs).json == {"shout": "ONE"}


def test_machines_get_one_object(penstock, loud):
    answer = penstock("flow", "test", "--flow", loud, "--inputs", "text=hi", "--json")
    found = answer.json
    assert answer.code == 0
    assert {"status", "output", "error", "nodes"} <= set(found)
    assert (found["status"], found["output"], found["error"]) == ("Completed", {"shout": "HI"}, None)
    node = found["nodes"]["loud"]
    assert (node["status"], node["output"], node["inputs"]) == ("Completed", "HI", {"text": "hi"})
    assert node["logs"] == {"stdout": "saying hi\n"}


def test_a_failed_test_tells_node_and_reason_and_exits_with_1(penstock, loud, capsys):
    found = penstock("flow", "test", "--flow", loud, "--inputs", "text=bad", "--json")
    assert found.code == 1
    assert found.json["status"] == "Failed"
    assert found.json["output"] is None
    assert "no shouting of bad" in found.json["error"]["message"]
    assert found.json["nodes"]["loud"]["status"] == "Failed"


def test_a_flow_that_cannot_be_loaded_exits_with_2(penstock, loud):
    (loud / "flow.dag.yaml").write_text("nodes: [", encoding="utf-8")
    answer = penstock("flow", "test", "--flow", loud, "--json")
    assert answer.code == 2
    assert answer.json["status"] == "Failed"
    assert "flow.dag.yaml:2: this is no valid YAML" in answer.json["error"]["message"]


def test_a_flow_whose_code_cannot_be_imported_exits_with_2(penstock, loud):
    (loud / "loud.py").write_text("import no_such_module\n", encoding="utf-8")
    answer = penstock("flow", "test", "--flow", loud, "--inputs", "text=a")
    assert answer.code == 2
    assert "no_such_module" in answer.err


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_single_node_is_run(penstock, loud, flags):
    answer = penstock("flow", "test", "--flow", loud, "--node", "loud", "--inputs", "text=hi", *flags)
    found = answer.json
    assert answer.code == 0
    assert (found["output"] if flags else found) == "HI"
    assert not flags or found["nodes"]["loud"]["status"] == "Completed"


def test_a_single_node_that_fails_exits_with_1(penstock, loud):
    answer = penstock("flow", "test", "--flow", loud, "--node", "loud", "--inputs", "text=bad", "--json")
    assert (answer.code, answer.json["status"]) == (1, "Failed")


def test_a_node_that_is_not_there_is_told(penstock, loud):
    answer = penstock("flow", "test", "--flow", loud, "--node", "lout", "--inputs", "text=a", "--json")
    assert (answer.code, answer.json["error"]["code"]) == (2, "UsageError")
    assert "loud" in answer.err


def test_inputs_that_the_flow_does_not_have_are_told_and_ignored(penstock, loud):
    answer = penstock("flow", "test", "--flow", loud, "--inputs", "text=a", "txet=b")
    assert answer.json == {"shout": "A"}
    assert "penstock: unknown inputs, ignored: txet.\n" in answer.err


def test_overrides_change_a_node_input(penstock, loud):
    answer = penstock(
        "flow", "test", "--flow", loud, "--inputs", "text=a", "--overrides", "nodes.loud.inputs.text=other"
    )
    assert answer.json == {"shout": "OTHER"}


def test_metrics_of_an_aggregation_are_shown(penstock, loud, write):
    dag = (loud / "flow.dag.yaml").read_text(encoding="utf-8")
    write(
        loud,
        flow__dag__yaml=dag.replace("nodes:\n- name", "nodes:\n  - name")
        .replace("\n  type", "\n    type")
        .replace("\n  source", "\n    source")
        .replace('\n  inputs: {text: "${in', '\n    inputs: {text: "${in')
        + SUM,
        count__py=COUNT,
    )
    answer = penstock("flow", "test", "--flow", loud, "--inputs", "text=a")
    assert answer.json == {"shout": "A"}
    assert answer.err.endswith("metrics:\n  lines: 1\n")
    assert penstock("flow", "test", "--flow", loud, "--inputs", "text=a", "--json").json["metrics"] == {"lines": 1}


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if "__pycache__" not in path.parts)


def test_nothing_is_written_into_the_flow(penstock, loud):
    penstock("flow", "test", "--flow", loud, "--inputs", "text=a")
    penstock("flow", "validate", "--source", loud)
    assert everything(loud) == ["flow.dag.yaml", "loud.py"]


def test_images_are_saved_beside_the_flow_and_named(penstock, loud):
    (loud / "loud.py").write_text(IMAGE, encoding="utf-8")
    shown = penstock("flow", "test", "--flow", loud, "--inputs", "text=a").json["shout"]
    assert list(shown) == ["data:image/png;path"]
    found = penstock("flow", "test", "--flow", loud, "--inputs", "text=a", "--json").json
    assert found["output"] == {"shout": "<Image>"}
    assert found["images"][0]["path"] == shown["data:image/png;path"]
    assert len(everything(loud / ".promptflow" / "output")) == 1


def test_images_of_a_vision_flow_are_shown_in_its_format(penstock, loud):
    dag = (loud / "flow.dag.yaml").read_text(encoding="utf-8")
    (loud / "flow.dag.yaml").write_text(f"message_format: openai-vision\n{dag}", encoding="utf-8")
    (loud / "loud.py").write_text(IMAGE, encoding="utf-8")
    shown = penstock("flow", "test", "--flow", "loud", "--inputs", "text=x").json["shout"]
    assert shown["type"] == "image_file"
    assert Path(shown["image_file"]["path"]).is_file()


@pytest.mark.parametrize("text", ["hi", "bad"])
def test_detail_writes_prompt_flows_records_where_it_is_told(penstock, loud, work, text):
    penstock("flow", "test", "--flow", loud, "--inputs", f"text={text}", "--detail", "records")
    assert everything(work / "records") == ["flow.detail.json", "flow.log", "flow.output.json"]
    detail = json.loads((work / "records" / "flow.detail.json").read_text(encoding="utf-8"))
    flow_run, node_run = detail["flow_runs"][0], detail["node_runs"][0]
    assert flow_run["status"] == node_run["status"] == ("Completed" if text == "hi" else "Failed")
    assert flow_run["inputs"] == {"text": text}
    assert node_run["node"] == "loud"
    assert node_run["logs"]["stdout"] == f"saying {text}\n"
    output = json.loads((work / "records" / "flow.output.json").read_text(encoding="utf-8"))
    assert output == ({"shout": "HI"} if text == "hi" else None)
    assert f"saying {text}" in (work / "records" / "flow.log").read_text(encoding="utf-8")


def test_detail_of_a_node_has_its_name(penstock, loud, work):
    penstock("flow", "test", "--flow", loud, "--node", "loud", "--inputs", "text=hi", "--detail", "records")
    assert everything(work / "records") == ["flow-loud.node.detail.json", "flow-loud.node.output.json"]
    assert json.loads((work / "records" / "flow-loud.node.output.json").read_text(encoding="utf-8")) == "HI"


def test_values_for_a_constructor_are_refused_for_a_graph(penstock, loud):
    answer = penstock("flow", "test", "--flow", loud, "--init", "a=b")
    assert answer.code == 2
    assert answer.err.endswith(
        "flow.dag.yaml: init is for flows whose entry is a class; this one is a graph of nodes.\n"
    )
