"""run.yml: every key, changes to it, and what is wrong with it, with file and line."""

import pytest

from penstock.errors import LoadError, UsageError
from penstock.runs.file import read_run_file, spec_of_changes

FULL = """\
$schema: https://example.com/run.schema.json
name: r
display_name: ${variant_id} run
description: about it
tags: {team: red, empty: null, number: 5}
properties: {deep: {a: [1]}}
flow: flows/mine
data: ../rows.jsonl
run: base
column_mapping:
  text: ${data.text}
  count: 3
  list: [1, two]
variant: ${node.variant_1}
environment_variables: {A: one, B: 2, C: true, D: {x: 1}}
connections:
  node: {connection: c, deployment_name: d}
"""


def read(tmp_path, text, changes=None, env=None):
    path = tmp_path / "here" / "run.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return read_run_file(path, changes or {}, env or {})


def test_every_key_is_read_and_paths_begin_at_the_file(tmp_path):
    spec = read(tmp_path, FULL)
    assert spec.flow == str(tmp_path / "here/flows/mine")
    assert spec.data == {"data": str(tmp_path / "here/../rows.jsonl")}
    assert (spec.name, spec.display_name, spec.description) == ("r", "${variant_id} run", "about it")
    assert spec.tags == {"team": "red", "empty": None, "number": "5"}
    assert spec.properties == {"deep": {"a": [1]}}
    assert (spec.runs, spec.variants) == (("base",), ("${node.variant_1}",))
    assert spec.column_mapping == {"text": "${data.text}", "count": 3, "list": [1, "two"]}
    assert spec.environment_variables == {"A": "one", "B": "2", "C": "true", "D": '{"x": 1}'}
    assert spec.connections == {"node": {"connection": "c", "deployment_name": "d"}}
    assert spec.notes == ()


def test_changes_come_before_anything_is_read(tmp_path):
    changes = {"display_name": "other", "tags.team": "blue", "column_mapping.text": "${data.t}", "data": "new.jsonl"}
    spec = read(tmp_path, FULL, {**changes, "connections.other.model": "m"})
    assert spec.display_name == "other"
    assert spec.tags["team"] == "blue"
    assert spec.tags["number"] == "5"
    assert spec.column_mapping["text"] == "${data.t}"
    assert spec.data == {"data": str(tmp_path / "here/new.jsonl")}
    assert spec.connections["other"] == {"model": "m"}


def test_changes_alone_make_a_specification(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = spec_of_changes({"flow": "mine", "tags.a": "b"}, {})
    assert (spec.flow, spec.tags) == (str(tmp_path / "mine"), {"a": "b"})


def test_variables_may_stand_in_a_file_of_their_own(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / ".env").write_text("A=one\nB=${HOST}\n")
    spec = read(tmp_path, "flow: f\nenvironment_variables: .env\n", env={"HOST": "local"})
    assert spec.environment_variables["A"] == "one"


def test_unknown_and_cloud_keys_are_told_with_their_line(tmp_path):
    spec = read(tmp_path, "flow: f\ndatas: x\nruntime: automatic\nresources: {instance_type: big}\n")
    assert len(spec.notes) == 3
    assert "run.yml:2" in spec.notes[0]
    assert "'datas'" in spec.notes[0]
    assert "data" in spec.notes[0].replace("datas", "")
    assert "run.yml:3" in spec.notes[1]


def test_resume_from_a_file(tmp_path):
    assert read(tmp_path, "resume_from: base\nname: again\n").resume_from == "base"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("flow: [a]\n", 1, "must be a path"),
        ("flow: azureml:thing\n", 1, "cloud"),
        ("flow: f\ndata: 5\n", 2, "must be a path"),
        ("flow: f\ncolumn_mapping: text\n", 2, "must be a map"),
        ("flow: f\n\nconnections:\n  node: c\n", 4, "must be a map"),
    ],
)
def test_wrong_value_is_told_with_file_and_line(tmp_path, text, line, said):
    with pytest.raises(UsageError, match=said) as caught:
        read(tmp_path, text)
    assert f"run.yml:{line}" in caught.value.message


def test_file_that_is_none(tmp_path):
    with pytest.raises(UsageError, match="must be a map"):
        read(tmp_path, "- a\n- b\n")
    with pytest.raises(LoadError, match=r"run\.yml"):
        read(tmp_path, "a: [\n")
    with pytest.raises(LoadError, match=r"none\.yml"):
        read_run_file(tmp_path / "none.yml", {}, {})


def test_notes_of_the_file_reach_the_reader_of_the_run(desk, tmp_path):
    desk.shouting()
    desk.data([{"text": "a"}])
    spec = read(tmp_path, "flow: ../flow\ndata: ../data.jsonl\nname: r\ncolour: red\n")
    outcome = desk.run(spec.flow, data=spec.data, name=spec.name, notes=spec.notes)
    assert any("'colour'" in note for note in outcome.notes)
    assert any("'colour'" in note for note in desk.stored("r").properties["notes"])
