"""Flex flows from the command line: one call, a batch that sums up, a run that is resumed."""

import json
import re

import pytest

from penstock.cli.main import main

CODE = """
from dataclasses import dataclass

@dataclass
class Out:
    text: str
    size: int

class Entry:
    def __init__(self, size: int = 2, key: dict = None):
        self.size = size
    def __call__(self, text: str) -> Out:
        if text == "bad":
            raise ValueError("bad text")
        return Out(text * self.size, self.size)
    def __aggregate__(self, lines):
        return {"count": len(lines), "sizes": sum(line.size for line in lines), "first": lines[0].text}

class Breaks(Entry):
    def __aggregate__(self, lines):
        raise ValueError("no sum")

class Silent(Entry):
    async def __aggregate__(self, lines):
        return len(lines)

class Unmade:
    def __init__(self): raise OSError("no disk")
    def __call__(self, text): ...

def words(text: str):
    yield from text.split()

def nothing():
    return {"x": 1}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    place = tmp_path / "flow"
    place.mkdir()
    (place / "code_of_it.py").write_text(CODE, encoding="utf-8")
    (place / "flow.flex.yaml").write_text("entry: code_of_it:Entry\n", encoding="utf-8")
    (place / "data.jsonl").write_text('{"text": "a"}\n{"text": "bad"}\n{"text": "c"}\n', encoding="utf-8")
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def command(capsys):
    def run(*words):
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_test_prints_what_the_entry_returned(folder, command):
    assert command("flow", "test", "--flow", "code_of_it:words", "--inputs", "text=a b")[:2] == (0, "ab\n")
    code, out, _ = command("flow", "test", "--flow", ".", "--init", "size=3", "--inputs", "text=x")
    assert (code, json.loads(out)) == (0, {"text": "xxx", "size": 3})
    code, out, _ = command("flow", "test", "--flow", "code_of_it:words", "--inputs", "text=a b", "--json")
    assert (code, json.loads(out)["output"]) == (0, "ab")


def test_a_test_does_not_sum_up(folder, command):
    _, out, _ = command("flow", "test", "--flow", ".", "--inputs", "text=x", "--json")
    document = json.loads(out)
    assert (list(document["nodes"]), document["metrics"]) == (["Entry"], {})


def test_a_batch_ends_in_what_aggregate_returns(folder, command):
    code, _, _ = command(
        "run",
        "create",
        "--flow",
        ".",
        "--data",
        "data.jsonl",
        "--init",
        "size=4",
        "--name",
        "r",
        "--allow-failures",
        "-q",
    )
    assert code == 0
    assert json.loads(command("run", "show-metrics", "-n", "r")[1]) == {"count": 2, "sizes": 8, "first": "aaaa"}
    lines = json.loads(command("run", "show-details", "-n", "r", "--json")[1])
    assert [line["outputs"] for line in lines] == [{"text": "aaaa", "size": 4}, None, {"text": "cccc", "size": 4}]
    assert "Execution failure in 'Entry': (ValueError) bad text" in lines[1]["error"]["message"]


def test_an_aggregate_that_raises_leaves_a_completed_run_and_says_so(folder, command):
    code, out, err = command(
        "run", "create", "--flow", "code_of_it:Breaks", "--data", "data.jsonl", "--allow-failures", "--name", "r"
    )
    assert code == 0
    assert json.loads(out)["status"] == "Completed"
    assert json.loads(out)["metrics"] == {}
    assert "The aggregation failed: Execution failure in '__aggregate__': (ValueError) no sum" in err


def test_an_aggregate_without_metrics_logs_none(folder, command):
    words = ("--flow", "code_of_it:Silent", "--data", "data.jsonl", "--allow-failures")
    run = json.loads(command("run", "create", *words)[1])
    assert run["metrics"] == {}
    assert re.fullmatch(r"flow_\d{8}_\d{6}_\d{6}", run["name"])


def test_a_constructor_that_raises_stores_no_run(folder, command):
    code, _, err = command("run", "create", "--flow", "code_of_it:Unmade", "--data", "data.jsonl", "--name", "r", "-q")
    assert code == 2
    assert "Failed to initialize flow entry with '{}', ex:'OSError: no disk'" in err
    assert command("run", "show", "-n", "r")[0] == 1


def test_an_entry_without_inputs_runs_over_data(folder, command):
    assert command("run", "create", "--flow", "code_of_it:nothing", "--data", "data.jsonl", "--name", "r", "-q")[0] == 0
    lines = json.loads(command("run", "show-details", "-n", "r", "--json")[1])
    assert [line["outputs"] for line in lines] == [{"x": 1}] * 3


def test_the_files_around_are_kept_only_where_they_are_the_flows(folder, command, tmp_path):
    for name, entry in (("own", "code_of_it:words"), ("installed", "textwrap:dedent")):
        assert command("run", "create", "--flow", entry, "--data", "data.jsonl", "--name", name, "-q")[0] == 0
    kept = [
        [path.name for path in (tmp_path / "home/runs" / name / "snapshot").glob("*.py")]
        for name in ("own", "installed")
    ]
    assert kept == [["code_of_it.py"], []]


def test_a_run_file_takes_init_from_a_file(folder, command):
    (folder / "init.json").write_text('{"size": 5}', encoding="utf-8")
    (folder / "run.yml").write_text("flow: code_of_it:Entry\ndata: data.jsonl\ninit: init.json\n", encoding="utf-8")
    assert command("run", "create", "-f", "run.yml", "--name", "r", "--allow-failures", "-q")[0] == 0
    assert json.loads(command("run", "show-metrics", "-n", "r")[1])["sizes"] == 10
    (folder / "init.json").unlink()
    assert "run.yml:3: init cannot be read" in command("run", "create", "-f", "run.yml", "--name", "s")[2]


def test_a_resumed_run_keeps_its_init_but_never_a_key(folder, command):
    (folder / "init.json").write_text('{"size": 3, "key": {"api_key": "very-secret-key"}}', encoding="utf-8")
    words = ("--data", "data.jsonl", "--init", "init.json", "--name", "r", "--max-lines", "1", "-q")
    command("run", "create", "--flow", ".", *words)
    assert "very-secret-key" not in command("run", "show", "-n", "r")[1]
    code, _, err = command("run", "create", "--resume-from", "r", "-q", "--allow-failures")
    assert code == 2
    assert "give the same values again with --init" in err
    assert (
        command("run", "create", "--resume-from", "r", "--init", "init.json", "--name", "s", "--allow-failures")[0] == 0
    )
    assert json.loads(command("run", "show-metrics", "-n", "s")[1])["sizes"] == 6


def test_validate_and_show_import_nothing(folder, command):
    (folder / "code_of_it.py").write_text(CODE + "\nraise RuntimeError('imported')\n", encoding="utf-8")
    code, out, _ = command("flow", "validate", "--source", ".")
    assert (code, out) == (0, "0 errors, 0 warnings, 0 notes.\n")
    assert "Entry" in command("flow", "show", ".")[1]
