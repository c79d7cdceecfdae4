import json
import os
import re
import stat
import subprocess
import sys

import pytest

from penstock.cli import flow_show
from penstock.cli.main import NOUNS, build_parser, main

ESCAPE = "\x1b"


def verbs():
    """Every noun and verb, with its parser."""
    for noun in NOUNS:
        parser = build_parser([noun]).choices[noun]
        yield from ((noun, verb, sub) for verb, sub in parser.choices.items() if verb != "words")


# What prompt flow 1.18.5 takes, verb by verb; what it hides from its help, too.
PROMPT_FLOW = {
    "flow init": "--type -y --yes --assume-yes --flow --entry --function --prompt-template",
    "flow test": "--flow --node --variant --interactive --inputs --environment-variables --collection --init --input --detail"
    " --multi-modal --skip-open-browser --url-params --port --config",
    "flow validate": "--source",
    "run create": "-f --file -s --stream --flow --variant --run -n --name --column-mapping --environment-variables"
    " --connections --set --resume-from --init --data --source",
    "run list": "-r --max-results --all-results --archived-only --include-archived -o --output",
    "run show": "-n --name",
    "run show-details": "-n --name -r --max-results --all-results",
    "run show-metrics": "-n --name",
    "run stream": "-n --name",
    "run visualize": "-n --names --html-path",
    "run update": "-n --name --set",
    "run archive": "-n --name",
    "run restore": "-n --name",
    "run delete": "-n --name -y --yes --assume-yes",
    "connection create": "--set --file -f --name -n",
    "connection update": "--set --name -n",
    "connection show": "--name -n",
    "connection list": "-r --max-results --all-results",
    "connection delete": "--name -n -y --yes --assume-yes",
    "config set": "--path",
    "config show": "",
}


@pytest.mark.parametrize("command", PROMPT_FLOW)
def test_a_verb_takes_every_flag_that_prompt_flow_takes(command):
    noun, verb = command.split()
    parser = build_parser([noun, verb]).choices[noun].choices[verb]
    flags = {*PROMPT_FLOW[command].split(), "--verbose", "-d", "--debug"}
    assert flags - set(parser._option_string_actions) == set()


@pytest.mark.parametrize(("noun", "verb", "parser"), [pytest.param(*it, id=f"{it[0]} {it[1]}") for it in verbs()])
def test_a_verb_explains_itself(noun, verb, parser):
    shown = parser.format_help()
    assert parser.description.endswith(".")
    if noun not in ("connection", "config"):  # their pages in the manual have the examples
        assert "examples:" in shown
        assert re.search(rf"penstock {noun} {verb}\b", shown)


@pytest.mark.parametrize("words", [[], ["flow"], ["run"], ["connection"], ["config"], ["model"], ["completion"]])
def test_a_missing_noun_or_verb_shows_what_there_is(penstock, words):
    answer = penstock(*words)
    assert answer.code == 2
    assert answer.out.startswith(" ".join(["usage: penstock", *words]))
    assert answer.err == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("flw test", "There is no command `penstock flw`. Did you mean flow?"),
        ("flow tset", "There is no command `penstock flow tset`. Did you mean test?"),
        ("run shwo -n a", "There is no command `penstock run shwo`. Did you mean show?"),
        ("config qqq", "There is no command `penstock config qqq`. There are: set, show."),
        ("flow test --flw x", "flow test has no flag --flw. Did you mean --flow?"),
        ("run list --qqq=1", "run list has no flag --qqq. See `penstock run list --help`."),
        ("run list extra", "run list: nothing is expected at 'extra'. See `penstock run list --help`."),
        ("flow init", "flow init: --flow is missing. See `penstock flow init --help`."),
        ("flow test --flow", "flow test: --flow: expected one argument. See `penstock flow test --help`."),
        (
            "run list -r 0",
            "run list: -r/--max-results: '0' is no whole number above 0. See `penstock run list --help`.",
        ),
        (
            "flow init --flow x --type odd",
            "flow init: --type is one of standard, evaluation, chat, not 'odd'. See `penstock flow init --help`.",
        ),
        ("run show", "Name the run: -n NAME. `penstock run list` shows them."),
    ],
)
def test_a_mistyped_command_is_told_in_one_sentence(penstock, words, sentence):
    answer = penstock(*words.split())
    assert answer == (type(answer))(2, "", f"penstock: {sentence}\n")


def test_a_mistyped_command_is_json_where_json_was_asked_for(penstock):
    answer = penstock("flow", "tset", "--json")
    assert answer.code == 2
    assert answer.json["error"] == {
        "code": "UsageError",
        "message": "There is no command `penstock flow tset`. Did you mean test?",
    }


@pytest.mark.parametrize(
    "words",
    [
        "flow serve --source x --port 8080 --engine fastapi",
        "flow build --source x --output y",
        "flow save --entry a:b",
        "run build",
        "run cancel -n x",
        "tool list",
        "trace delete --run x",
        "service start",
        "experiment create",
        "upgrade -y",
        "flow test --flow x --ui",
        "flow test --flow x --experiment y",
        "run create --flow x --subscription s",
        "run list -g group",
        "run list --workspace-name w",
        "run create --source old_run",
    ],
)
def test_what_is_not_there_yet_says_so_and_what_to_do(penstock, words):
    answer = penstock(*words.split())
    assert answer.code == 2
    assert answer.out == ""
    assert re.fullmatch(r"penstock: [^\n]+\.\n", answer.err)
    assert re.search(r"not part of Penstock|does not upgrade itself|cloud workspace", answer.err)


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version_is_a_line(process, flag):
    assert re.fullmatch(r"penstock \d+\.\d+\.\d+\n", process(flag).out)


@pytest.mark.parametrize("word", ["-v", "version"])
def test_versions_are_printed_as_pf_prints_them(process, word):
    head, executable, python = process(word).out.strip().rsplit("\n", 2)
    assert set(json.loads(head)) == {"penstock"}
    assert executable.startswith("Executable '")
    assert python.startswith("Python (")


def test_a_mistake_of_ours_is_one_line_and_a_log(penstock, monkeypatch, tmp_path):
    monkeypatch.setattr(flow_show, "load", lambda *_, **__: 1 / 0)
    answer = penstock("flow", "show", "x", "--env-file", "secret-path")
    assert answer.code == 70
    found = re.fullmatch(
        r"penstock: This is a mistake in Penstock, not in what you did; the details are in (\S+\.log)\."
        r" Please report it with the id ([0-9a-f]{8})\.\n",
        answer.err,
    )
    log = tmp_path / "home" / "logs" / found[1].rsplit("/", 1)[-1]
    assert found[2] in log.name
    text = log.read_text(encoding="utf-8")
    assert "ZeroDivisionError" in text
    assert "flow show --env-file" in text
    assert "secret-path" not in text
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_debug_shows_the_traceback_of_a_mistake_of_ours(work, monkeypatch, capsys):
    monkeypatch.setattr(flow_show, "load", lambda *_, **__: 1 / 0)
    assert main(["flow", "show", "x", "--debug"]) == 70
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err


def test_a_mistake_of_ours_is_json_where_json_was_asked_for(penstock, monkeypatch):
    monkeypatch.setattr(flow_show, "load", lambda *_, **__: 1 / 0)
    answer = penstock("flow", "show", "x", "--json")
    assert answer.json["error"]["code"] == "InternalError"
    assert answer.json["error"]["id"] in answer.err


def test_a_log_that_cannot_be_written_goes_to_the_terminal(work, tmp_path, monkeypatch, capsys):
    (tmp_path / "home").write_text("a file", encoding="utf-8")
    monkeypatch.setattr(flow_show, "load", lambda *_, **__: 1 / 0)
    assert main(["flow", "show", "x"]) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_trouble_with_a_file_is_a_sentence(penstock, monkeypatch):
    def load(*_, **__):
        raise PermissionError(13, "Permission denied", "flow.dag.yaml")

    monkeypatch.setattr(flow_show, "load", load)
    answer = penstock("flow", "show", "x")
    assert (answer.code, answer.err) == (1, "penstock: flow.dag.yaml: Permission denied.\n")


def test_ctrl_c_is_no_traceback(penstock, monkeypatch):
    def load(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(flow_show, "load", load)
    answer = penstock("flow", "show", "x")
    assert (answer.code, answer.err) == (130, "Stopped.\n")


@pytest.mark.parametrize("command", [["flow", "test", "--inputs", "text=x"], ["flow", "show"]])
def test_a_reader_that_leaves_ends_the_command_quietly(loud, command):
    words = [sys.executable, "-m", "penstock", *command[:2], str(loud), *command[2:]]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.close()
    assert child.stderr.read().replace(b"[loud] stdout> saying x\n", b"") == b""
    assert child.wait() == 0
    child.stderr.close()


def test_a_terminal_that_knows_no_unicode_gets_escapes(process, loud):
    answer = process("flow", "test", loud, "--inputs", "text=é日🚀", PYTHONIOENCODING="ascii")
    assert answer.code == 0
    assert answer.json == {"shout": "É日🚀"}
    assert answer.out.isascii()
    assert answer.err == "[loud] stdout> saying \\xe9\\u65e5\\U0001f680\n"


def test_a_pipe_gets_no_colours(process, loud):
    answer = process("run", "create", "--flow", loud, "--data", "data.jsonl", "--stream", "--allow-failures")
    assert answer.code == 0
    assert ESCAPE not in answer.out + answer.err


def test_what_a_flow_prints_cannot_move_the_cursor(penstock, loud):
    answer = penstock("flow", "test", loud, "--inputs", f"text={ESCAPE}[2J")
    assert ESCAPE not in answer.err
    assert "\\x1b[2J" in answer.err


def test_only_the_noun_that_was_typed_is_imported():
    code = (
        "import sys; from penstock.cli.main import build_parser; build_parser(['config', 'show']); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    loaded = done.stdout.split()
    assert "penstock.cli.config" in loaded
    assert not {"penstock.cli.flow_test", "penstock.cli.run_create", "sqlalchemy", "rich", "asyncio"} & set(loaded)
