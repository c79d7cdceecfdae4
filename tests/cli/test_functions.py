"""Flows of functions on the command line: tested, run over data, shown and validated."""

import json

import pytest

from penstock.cli.main import main

FLOW = '''
"""Shouts."""
from penstock import Collect, Each, extract_fields, when

print("imported")


def word(text: str) -> Each[str]:
    yield from text.split()


@when(style="loud", default=True)
def said__loud(word: str) -> str:
    return word.upper()


@when(style="soft")
def said__soft(word: str) -> str:
    return word.lower()


def sentence(said: Collect[str], end: str = "!") -> str:
    return " ".join(said) + end


def odd(text: str) -> object:
    return {1, 2}
'''


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    path = tmp_path / "flow" / "shout.py"
    path.parent.mkdir()
    path.write_text(FLOW.lstrip())
    return path


@pytest.fixture
def penstock(capfd):
    """``penstock(*words)`` gives the exit code, the result and the messages."""

    def call(*words):
        code = main([str(word) for word in words])
        said = capfd.readouterr()
        return code, said.out, said.err

    return call


def test_a_module_is_tested_by_its_file(penstock, file):
    code, out, _ = penstock("flow", "test", "--flow", file, "--inputs", "text=Bo met", "--outputs", "sentence")
    assert code == 0
    assert json.loads(out[out.index("{") :]) == {"sentence": "BO MET!"}


def test_alternatives_and_outputs_are_chosen_by_flags(penstock, file):
    words = ("flow", "test", "--flow", file, "--inputs", "text=Bo", "end=?", "--outputs", "sentence", "said", "--json")
    for choice in (("--config", "style=soft"), ("--variant", "config.style=soft")):
        code, out, _ = penstock(*words, *choice)
        assert code == 0
        found = json.loads(out.splitlines()[-1])
        assert found["output"] == {"sentence": "bo?", "said": ["bo"]}
        assert list(found["nodes"]) == ["word", "said[0]", "sentence"]


def test_mistakes_are_one_sentence(penstock, file):
    test = ("flow", "test", "--flow", file, "--inputs", "text=Bo", "--outputs", "sentence")
    code, _, err = penstock(*test, "--config", "style=quiet")
    assert (code, "No alternative is for style='quiet'; there are: 'loud', 'soft'" in err) == (2, True)
    code, _, err = penstock("flow", "test", "--flow", file, "--outputs", "sentense", "--inputs", "text=a")
    assert (code, "Did you mean 'sentence'?" in err) == (2, True)
    code, _, err = penstock(*test[:-2], "tetx=1", *test[-2:])
    assert (code, "The flow has no input 'tetx'. Did you mean 'text'?" in err) == (1, True)
    code, _, err = penstock("flow", "test", "--flow", file, "--outputs", "odd", "--inputs", "text=a")
    assert (code, "The output 'odd' for flow is incorrect" in err) == (1, True)


def test_a_module_runs_over_data_and_shows_its_lines(penstock, file, tmp_path):
    data = tmp_path / "data.jsonl"
    data.write_text('{"text": "a b"}\n{"text": ""}\n{"text": "c"}\n')
    words = ("run", "create", "--flow", file, "--data", data, "--outputs", "sentence", "--config", "style=soft")
    code, out, _ = penstock(*words, "--name", "soft", "--workers", "1")
    assert code == 0
    assert json.loads(out)["status"] == "Completed"
    lines = (tmp_path / "home/runs/soft/flow_outputs/output.jsonl").read_text().splitlines()
    assert [json.loads(line)["sentence"] for line in lines] == ["a b!", "!", "c!"]


def test_a_value_that_json_cannot_say_fails_its_line(penstock, file, tmp_path):
    data = tmp_path / "data.jsonl"
    data.write_text('{"text": "a"}\n')
    words = ("run", "create", "--flow", file, "--data", data, "--outputs", "odd", "--name", "odd", "--workers", "1")
    assert penstock(*words)[0] != 2
    journal = next((tmp_path / "home/runs/odd").rglob("*.jsonl*")).parent
    text = "".join(path.read_text() for path in journal.rglob("*.jsonl"))
    assert "The output 'odd' for flow is incorrect. The output value is not JSON serializable" in text


def test_looking_at_a_flow_prints_nothing_of_its_code(penstock, file):
    code, out, err = penstock("flow", "show", file, "--json", "--outputs", "sentence")
    shown = json.loads(out)
    assert (code, err) == (0, "")
    assert [node["name"] for node in shown["nodes"]] == ["word", "said", "sentence"]
    assert shown["choices"]["style"] == {
        "values": ["loud", "soft"],
        "chosen": "loud",
        "default": "loud",
        "nodes": ["said"],
    }
    code, out, _ = penstock("flow", "validate", file)
    assert (code, out) == (0, "0 errors, 0 warnings, 0 notes.\n")


def test_validating_lists_every_mismatch(penstock, file):
    file.write_text("def a(x: int) -> int: ...\ndef b(a: str) -> str: ...\ndef c(b: int, x: str) -> str: ...\n")
    code, out, _ = penstock("flow", "validate", file, "--json")
    found = json.loads(out)["diagnostics"]
    assert code == 1
    assert [(item["code"], item["line"]) for item in found] == [
        ("TypeMismatch", 2),
        ("TypeMismatch", 3),
        ("TypeMismatch", 3),
    ]
