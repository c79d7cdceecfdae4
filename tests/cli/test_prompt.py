"""``penstock prompt``."""

import json

import pytest

from penstock.cli.main import main


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PENSTOCK_USER", "ana")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def said(capsys):
    """Run a command that must succeed; what it printed, as JSON where it was asked for."""

    def run(*argv, code=0):
        assert main(["prompt", *argv]) == code
        out = capsys.readouterr().out
        return json.loads(out) if "--json" in argv else out

    return run


def test_a_prompt_is_stored_labelled_compared_and_rolled_back(said, tmp_path):
    (tmp_path / "greet.jinja2").write_text("Hello {{name}}\nBye\n")
    made = said("create", "greet", "--file", "greet.jinja2", "-m", "first", "--setting", "temperature=0", "model=small")
    assert made.startswith("greet@1 (")
    again = said("create", "greet", "--file", "greet.jinja2", "--setting", "temperature=0", "model=small", "--json")
    assert (again["version"], again["new"], again["message"]) == (1, False, "first")
    assert again["content"]["settings"] == {"temperature": 0, "model": "small"}
    second = said("create", "greet", "--text", "Hi {{name}}\nBye\n", "--label", "staging", "--json")
    assert (second["version"], second["labels"]) == (2, ["staging"])
    assert said("label", "greet", "prod", "1") == "greet@prod: none → 1\n"
    assert said("label", "greet", "prod", "staging", "--reason", "better") == "greet@prod: 1 → 2\n"
    assert "-Hello {{name}}\n+Hi {{name}}" in said("diff", "greet@1", "prod")
    moved = said("rollback", "greet", "prod", "--json")
    assert (moved["before"], moved["after"], moved["action"], moved["author"]) == (2, 1, "rollback", "ana")
    told = said("history", "greet", "--label", "prod")
    assert [line.split()[-1] for line in told.splitlines()[2:]] == ["rollback", "better", "move"]
    assert said("show", "greet", "--text") == "Hello {{name}}\nBye\n"
    assert "variables: name" in said("show", "greet@prod")
    assert said("list").splitlines()[2].split() == ["greet", "2", "prod=1,", "staging=2"]
    assert [version["version"] for version in said("list", "greet", "--json")] == [2, 1]


def test_a_protected_label_needs_force_and_says_so(said, capsys):
    said("create", "greet", "--text", "a", "--label", "prod")
    said("create", "greet", "--text", "b")
    assert said("protect", "prod", "--movers", "lee,kim") == "prod of all prompts: moved by lee, kim\n"
    assert main(["prompt", "label", "greet", "prod"]) == 1
    assert "only lee, kim may move it; --force overrules that" in capsys.readouterr().err
    assert said("label", "greet", "prod", "--force", "--json")["forced"] is True
    assert said("protect", "prod", "--off", "--json") == []


def test_a_move_that_expects_another_version_is_refused(said, capsys):
    said("create", "greet", "--text", "a", "--label", "prod")
    said("create", "greet", "--text", "b")
    assert main(["prompt", "label", "greet", "prod", "2", "--expect", "none", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "LabelRefused"
    assert said("label", "greet", "prod", "2", "--expect", "1", "--json")["after"] == 2


def test_deleted_prompts_come_back(said):
    said("create", "greet", "--text", "a", "--label", "prod")
    assert said("delete", "greet", "--yes", "--json") == {"deleted": "greet"}
    assert said("list", "--json") == []
    assert [entry["name"] for entry in said("list", "--deleted", "--json")] == ["greet"]
    assert said("restore", "greet", "--json")["labels"] == {"prod": 1}


def test_exported_prompts_are_files_that_another_store_takes_in(said, monkeypatch, tmp_path):
    said("create", "team/greet", "--text", "Grüße {{name}}\r\n", "--label", "prod")
    said("create", "team/greet", "--text", "\u2028{{name}}")
    said("create", "plain", "--text", "x")
    before = said("show", "team/greet@1", "--json")
    said("export", "--output", "out")
    assert (tmp_path / "out/team/greet/1.jinja2").read_bytes() == "Grüße {{name}}\r\n".encode()
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "other"))
    found = said("import", "out", "--json")
    assert found == [
        {"name": "plain", "versions": 1, "moves": 0},
        {"name": "team/greet", "versions": 2, "moves": 1},
    ]
    assert said("show", "team/greet@1", "--json") == before
    assert said("import", "out") == (
        "plain: 0 new versions, 0 moves of labels\nteam/greet: 0 new versions, 0 moves of labels\n"
    )


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("[]", "no exported prompt"),
        ('{"versions": [{"version": "../../secret", "content": {}}]}', "no exported prompt"),
        ('{"versions": [{"version": 1, "content": {}}]}', "1.jinja2: No such file"),
        ("{", "no exported prompt"),
    ],
)
def test_files_that_are_no_exported_prompts_are_refused(tmp_path, capsys, record, message):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "prompt.json").write_text(record)
    assert main(["prompt", "import", "in"]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["show", "greet"], "There is no prompt called 'greet'; there are none yet"),
        (["create", "greet"], "--file FILE or --text TEXT"),
        (["create", "gr eet", "--text", "a"], "'gr eet' is no name"),
        (["create", "greet", "--text", "{{a"], "template cannot be rendered"),
        (["create", "greet", "--text", "{{a}}", "--variables", "b"], "uses 'a', which is not among its declared"),
        (["create", "greet", "--text", "a", "--setting", "x"], "--setting takes KEY=VALUE"),
        (["create", "greet", "--text", "a", "--label", "3"], "'3' is no label"),
        (["create", "greet", "--file", "nowhere"], "nowhere: No such file"),
        (["show", "greet@@"], "is no reference"),
        (["label", "greet", "prod", "1", "--remove"], "not both"),
        (["label", "greet", "prod", "1", "--expect", "x"], "--expect takes a version"),
        (["import", "nowhere"], "no prompt.json is in it"),
    ],
)
def test_a_mistake_is_one_sentence(capsys, argv, message):
    assert main(["prompt", *argv]) in (1, 2)
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
