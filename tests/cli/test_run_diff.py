"""``penstock run diff``, and the prompts in ``run show-details``."""

import json

import pytest

from penstock.cli.main import main

FLOW = """
inputs:
  name: {type: string}
outputs:
  text: {type: string, reference: "${greet.output}"}
nodes:
- name: greet
  type: prompt
  source: {type: code, path: greet.jinja2}
  inputs: {name: "${inputs.name}"}
"""


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow" / "flow.dag.yaml").write_text(FLOW)
    (tmp_path / "flow" / "greet.jinja2").write_text("Hello {{name}}")
    (tmp_path / "data.jsonl").write_text('{"name": "Ann"}\n{"name": "Bob"}\n')
    common = ["run", "create", "--flow", "flow", "--data", "data.jsonl", "--quiet", "--workers", "1"]
    assert main([*common, "-n", "a"]) == 0
    assert main([*common, "-n", "b", "--prompt", "greet=text:Hi {{name}}"]) == 0
    capsys.readouterr()


def test_it_tells_the_changed_axis_and_the_lines(capsys):
    assert main(["run", "diff", "a", "b"]) == 0
    out = capsys.readouterr().out
    assert "data    the same\ncode    the same\nprompt  changed\n  greet: greet.jinja2, " in out
    assert "another template on 2 lines: 0, 1" in out
    assert main(["run", "diff", "a", "b", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["changed"], found["lines_with_other_prompt"]) == (["prompt"], [0, 1])


def test_details_and_the_run_show_the_prompts(capsys):
    assert main(["run", "show-details", "-n", "b", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert [(use["name"], use["source"]) for use in first["prompts"]["greet"]] == [("greet", "inline")]
    assert main(["run", "show", "-n", "b", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["properties"]["prompts"]
    assert shown["greet"]["source"] == "inline"
    assert "Hi" not in json.dumps(shown)
