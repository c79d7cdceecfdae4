import argparse
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cli.arguments import above_zero, node_overrides, pairs, positive, read_inputs, read_variables, size
from penstock.errors import InputError, UsageError

SHOW_ENV = """import os

from promptflow.core import tool


@tool
def show(name: str) -> str:
    return os.environ.get(name, "not set")
"""
ENV_FLOW = """inputs:
  name: {type: string}
outputs:
  value: {type: string, reference: "${show.output}"}
nodes:
- name: show
  type: python
  source: {type: code, path: show.py}
  inputs: {name: "${inputs.name}"}
"""


@pytest.mark.parametrize(
    ("items", "found"),
    [
        (None, {}),
        (["a=1"], {"a": "1"}),
        ([["a=1", "b=2"], ["c=3"]], {"a": "1", "b": "2", "c": "3"}),
        (["a=1", "a=2"], {"a": "2"}),
        (["a='x y'", 'b="z"', "c='"], {"a": "x y", "b": "z", "c": "'"}),
        (["a=b=c", "d="], {"a": "b=c", "d": ""}),
    ],
)
def test_pairs_are_read_as_prompt_flow_reads_them(items, found):
    assert pairs(items, "--x") == found


@pytest.mark.parametrize("item", ["a", "=1", ""])
def test_what_is_no_pair_is_told(item):
    with pytest.raises(UsageError, match=r"^--x takes KEY=VALUE, not '"):
        pairs([item], "--x")


@given(st.dictionaries(st.from_regex(r"[a-z_.]+", fullmatch=True), st.text().filter(lambda t: t[:1] not in ("'", '"'))))
def test_any_value_comes_through(values):
    assert pairs([f"{key}={value}" for key, value in values.items()], "--x") == values


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("one.json", '{"a": 1}', {"a": 1}),
        ("one.json", '\ufeff{"a": [null]}', {"a": [None]}),
        ("rows.json", '[{"a": 1}, {"a": 2}]', {"a": 1}),
        ("rows.jsonl", '\n{"a": "x\u2028y"}\n{"a": 2}\n', {"a": "x\u2028y"}),
    ],
)
def test_inputs_come_from_a_file(tmp_path, name, text, found):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_inputs([str(tmp_path / name)]) == found


@pytest.mark.parametrize(
    ("word", "error", "message"),
    [
        ("text", UsageError, "--inputs takes KEY=VALUE, not 'text'."),
        ("data.csv", UsageError, "--inputs: only .json and .jsonl files are supported as input, not 'data.csv'."),
        ("nope.json", InputError, "--inputs: cannot find inputs file 'nope.json'."),
    ],
)
def test_inputs_that_are_none_are_told(tmp_path, monkeypatch, word, error, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as raised:
        read_inputs([word])
    assert raised.value.message == message


def test_variables_come_as_pairs_and_files_and_the_nearest_file(tmp_path, monkeypatch):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".env").write_text("A=1\nB=2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "deep" / "er")
    assert read_variables(None, {}) == {}
    assert read_variables([], {}) == {"A": "1", "B": "2"}
    assert read_variables([["C=3"], [str(tmp_path / ".env")], ["B=9"]], {}) == {"A": "1", "B": "9", "C": "3"}
    with pytest.raises(UsageError, match=r"takes KEY=VALUE or a \.env file, not 'nope'"):
        read_variables(["nope"], {})


def test_connection_overrides_name_a_node():
    assert node_overrides([["a.connection=c", "a.model=m"], ["b.deployment_name=d"]]) == {
        "a": {"connection": "c", "model": "m"},
        "b": {"deployment_name": "d"},
    }
    with pytest.raises(UsageError, match=r"^--connections takes NODE\.KEY=VALUE, not a=c\.$"):
        node_overrides(["a=c"])


@pytest.mark.parametrize(
    ("kind", "text", "value"), [(positive, "7", 7), (above_zero, "0.5", 0.5), (size, "4G", 4 << 30), (size, "100", 100)]
)
def test_numbers_are_read(kind, text, value):
    assert kind(text) == value


@pytest.mark.parametrize(
    ("kind", "text"), [(positive, "0"), (positive, "1.5"), (above_zero, "nan"), (above_zero, "inf"), (size, "G")]
)
def test_numbers_that_are_none_are_refused(kind, text):
    with pytest.raises(argparse.ArgumentTypeError, match=r"is no (whole )?number above 0"):
        kind(text)


@pytest.fixture
def environment(work, write):
    """A flow that shows a variable, and a .env file with a variable and a connection."""
    write(work / "show", flow__dag__yaml=ENV_FLOW, show__py=SHOW_ENV)
    connection = {"type": "open_ai", "api_key": "${env:PENSTOCK_TEST_KEY}"}
    (work / ".env").write_text(f"PENSTOCK_TEST_KEY=from-file\nmine={json.dumps(connection)}\n", encoding="utf-8")
    return work


@pytest.mark.parametrize(
    ("flags", "value"),
    [
        ([], "not set"),
        (["--env-file", ".env"], "from-file"),
        (["--environment-variables"], "from-file"),
        (["--environment-variables", ".env"], "from-file"),
        (["--environment-variables", "PENSTOCK_TEST_KEY=x"], "x"),
    ],
)
def test_plain_variables_of_an_env_file_reach_a_flow_only_if_asked(penstock, environment, flags, value):
    answer = penstock("flow", "test", "--flow", "show", "--inputs", "name=PENSTOCK_TEST_KEY", *flags)
    assert answer.json == {"value": value}


def test_connections_of_the_env_file_here_are_found(penstock, environment, write):
    flow = ENV_FLOW.replace("type: python", "type: llm\n  connection: mine").replace("show.py", "show.jinja2")
    write(environment / "asks", flow__dag__yaml=flow, show__jinja2="user:\n{{name}}\n")
    answer = penstock("flow", "validate", "--source", "asks")
    assert "ConnectionNotFound" not in answer.out


def test_an_env_file_that_nobody_named_stops_nothing(penstock, environment):
    (environment / ".env").write_text("this is not an env file\n", encoding="utf-8")
    words = ["flow", "test", "--flow", "show", "--inputs", "name=PENSTOCK_TEST_KEY"]
    answer = penstock(*words)
    assert answer.code == 0
    assert ".env:1" in answer.err
    assert answer.err.endswith("No connections are read from it.\n")
    named = penstock(*words, "--env-file", ".env")
    assert (named.code, named.out) == (1, "")


@pytest.mark.parametrize("value", ['[{"data:image/png;path":"a/red.png"}]', "a/b.json", "x" * 5000 + "/y.jsonl"])
def test_a_value_that_looks_like_a_path_is_still_a_value(value):
    assert read_inputs([f"photo={value}"]) == {"photo": value}
