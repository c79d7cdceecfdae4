"""What the loaders know and what editors are told is the same; every example is valid."""

import json
import os
from pathlib import Path

import pytest

from penstock.cli.schema import FORMATS, file_name, schema_text
from penstock.connections.kinds import KINDS, ignored_keys
from penstock.errors import LoadError, PenstockError
from penstock.frontends.load import load
from penstock.graph.flow import HistoryStyle
from penstock.graph.types import TYPES
from penstock.models.rules import parse_rules
from penstock.prompts.prompty_read import read_prompty
from penstock.runs.file import read_run_file
from penstock.schemas import chat_group, dag, flex, functions, prompty, rules, run, settings, shape
from penstock.yaml import read

jsonschema = pytest.importorskip("jsonschema", reason="the jsonschema package is not installed")
ROOT = Path(__file__).parents[2]
PROMPT_FLOW = os.environ.get("PENSTOCK_TEST_PROMPTFLOW")


def problems(name, value):
    made = FORMATS[name][0]()
    return [f"{error.json_path}: {error.message}" for error in jsonschema.Draft7Validator(made).iter_errors(value)]


def format_of(path):
    return next((name for name, (_, files) in FORMATS.items() if path.name in files), None)


@pytest.mark.parametrize("name", FORMATS)
def test_schema_is_one(name):
    made = FORMATS[name][0]()
    jsonschema.Draft7Validator.check_schema(made)
    assert made["title"]
    assert json.loads(schema_text(name)) == made


@pytest.mark.parametrize("name", FORMATS)
def test_published_schema_is_the_one_in_the_code(name):
    assert (ROOT / "docs" / "schemas" / file_name(name)).read_text(encoding="utf-8") == schema_text(name), (
        "run `penstock schema --write docs/schemas`"
    )


def test_words_of_the_schemas_are_those_of_the_code():
    assert set(shape.TYPES) == set(TYPES)
    assert set(chat_group.HISTORIES) == set(HistoryStyle.__args__)


def every_example():
    found = [path for path in sorted((ROOT / "examples").rglob("*.y*ml")) if format_of(path)]
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in found]


@pytest.mark.parametrize("path", every_example())
def test_example_is_valid(path):
    assert problems(format_of(path), read(path).value) == []


def dag_with(where, key):
    """A flow that has ``key`` at the place that ``where`` names."""
    flow = {
        "inputs": {"a": {"type": "string"}},
        "outputs": {"o": {"type": "string", "reference": "${n.output}"}},
        "nodes": [
            {"name": "n", "type": "python", "source": {"type": "code", "path": "n.py"}, "inputs": {"a": "${inputs.a}"}}
        ],
    }
    place = {"flow": flow, "input": flow["inputs"]["a"], "output": flow["outputs"]["o"], "node": flow["nodes"][0]}[
        where
    ]
    place.setdefault(key, None)
    return flow


@pytest.mark.parametrize(
    ("where", "table"), [("flow", dag.FLOW), ("input", dag.INPUT), ("output", dag.OUTPUT), ("node", dag.NODE)]
)
def test_loader_of_graphs_knows_the_keys_of_the_schema_and_no_others(tmp_path, where, table):
    for key in [*table, "surely_unknown"]:
        (tmp_path / "flow.dag.yaml").write_text(json.dumps(dag_with(where, key)), encoding="utf-8")
        said = [finding for finding in load(tmp_path).diagnostics if finding.code == "UnknownKey"]
        assert bool(said) == (key == "surely_unknown"), key
        told = [line for line in problems("dag", dag_with(where, key)) if "Additional properties" in line]
        assert bool(told) == (key == "surely_unknown"), key


@pytest.mark.parametrize(
    ("name", "file", "least", "table"),
    [
        ("flex", "flow.flex.yaml", {"entry": "m:f"}, flex.FLOW),
        ("penstock", "flow.penstock.yaml", {"modules": ["m.py"]}, functions.FLOW),
        (
            "chat-group",
            "flow.dag.yaml",
            {"type": "chat_group", "roles": [{"role": "a", "path": "."}]},
            chat_group.GROUP,
        ),
    ],
)
def test_loader_of_other_flows_refuses_what_the_schema_does_not_have(tmp_path, name, file, least, table):
    (tmp_path / "m.py").write_text("def f(a: str) -> str:\n    return a\n", encoding="utf-8")

    def said(data):
        (tmp_path / file).write_text(json.dumps(data), encoding="utf-8")
        try:
            return " ".join(finding.message for finding in load(tmp_path).diagnostics)
        except PenstockError as error:
            return error.message

    assert "unknown key 'surely_unknown'" in said({**least, "surely_unknown": 1})
    assert any("surely_unknown" in line for line in problems(name, {**least, "surely_unknown": 1}))
    for key in table:
        assert "unknown key" not in said({**least, key: least.get(key)}), key


def test_run_file_notes_what_the_schema_does_not_have(tmp_path):
    def notes(key):
        (tmp_path / "run.yml").write_text(json.dumps({"flow": ".", key: None}), encoding="utf-8")
        return [note for note in read_run_file(tmp_path / "run.yml", {}, {}).notes if "unknown key" in note]

    assert all(notes(key) == [] for key in run.RUN if key != "flow")
    assert len(notes("surely_unknown")) == 1
    assert problems("run", {"flow": ".", "surely_unknown": 1}) != []


def test_rules_refuse_what_the_schema_does_not_have():
    least = {"rules": [{"when": {}, "answer": {"text": "a"}, "error": {}, "usage": {}}]}
    parse_rules(least)
    assert problems("rules", least) == []
    places = [
        (lambda data: data, rules.RULES),
        (lambda data: data["rules"][0], rules.RULE),
        (lambda data: data["rules"][0]["when"], rules.WHEN),
        (lambda data: data["rules"][0]["answer"], rules.ANSWER),
        (lambda data: data["rules"][0]["error"], rules.ERROR),
        (lambda data: data["rules"][0]["usage"], rules.USAGE),
    ]
    for place, table in places:
        for key in [*table, "surely_unknown"]:
            data = json.loads(json.dumps(least))
            place(data).setdefault(key, None)
            refused = False
            try:
                parse_rules(data)
            except LoadError as error:
                refused = "surely_unknown" in error.message
            assert refused == (key == "surely_unknown"), key
            assert any("surely_unknown" in line for line in problems("rules", data)) == refused


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_connection_schema_has_the_keys_of_each_kind(kind):
    made = next(one for one in FORMATS["connection"][0]()["oneOf"] if kind.TYPE in one["properties"]["type"]["enum"])
    assert ignored_keys({"type": kind.TYPE} | dict.fromkeys(made["properties"], "x") | {"type": kind.TYPE}) == []
    assert set(kind.FIELDS) <= set(made["properties"])
    given = {key: {} if key in ("configs", "secrets", "headers") else "x" for key in kind.FIELDS if key != "auth_mode"}
    assert problems("connection", {"type": kind.TYPE, **given}) == []
    assert problems("connection", {"type": kind.TYPE, **given, "surely_unknown": 1}) != []
    if kind.REQUIRED:
        assert problems("connection", {"type": kind.TYPE}) != []


def test_settings_schema_has_what_can_be_set():
    from penstock.cli.config import KEYS

    settable = {key for key, known in KEYS.items() if not known.note}
    tables = {"store": settings.STORE, "run": settings.RUN}
    assert settable == {f"{section}.{key}" for section, table in tables.items() for key in table}


def test_prompty_schema_has_the_keys_of_the_model(tmp_path):
    def read_model(key):
        header = {"model": {"configuration": {"type": "openai"}, "parameters": {}, key: None}}
        (tmp_path / "a.prompty").write_text(f"---\n{json.dumps(header)}\n---\nsystem:\nhi\n", encoding="utf-8")
        return read_prompty(tmp_path / "a.prompty", {})

    for key in prompty.MODEL:
        if key not in ("configuration", "parameters"):
            read_model(key)


def prompt_flows_files():
    """The flow and run files of a checkout of prompt flow that are YAML: format by content, path, value."""
    for path in sorted(Path(PROMPT_FLOW).rglob("*.y*ml")):
        name = format_of(path)
        if name not in ("dag", "flex", "run"):
            continue
        try:
            value = read(path).value
        except LoadError:
            continue
        if isinstance(value, dict):
            yield "flex" if "entry" in value else "run" if name == "run" else "dag", path, value


@pytest.mark.skipif(not PROMPT_FLOW, reason="no checkout of prompt flow (PENSTOCK_TEST_PROMPTFLOW)")
def test_prompt_flows_own_files_are_valid_unless_the_loader_has_something_to_say_too():
    checked = valid = 0
    unexplained = []
    for name, path, value in prompt_flows_files():
        checked += 1
        found = problems(name, value)
        valid += not found
        if found and not loader_complains(name, path):
            unexplained.append((str(path), found))
    print(f"{checked} files, {valid} valid")
    assert unexplained == []
    assert checked > 250
    assert valid > 0.85 * checked


def loader_complains(name, path):
    try:
        return bool(read_run_file(path, {}, {}).notes) if name == "run" else bool(load(path).diagnostics)
    except PenstockError:
        return True
