import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli.completion import candidates

BASH = shutil.which("bash")


def offered(*typed):
    return [word for word, _ in candidates(typed)]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["co"], ["connection", "config", "completion"]),
        (["flow", ""], ["init", "validate", "test", "show", "convert"]),
        (["run", "show"], ["show", "show-details", "show-metrics"]),
        (["connection", "d"], ["delete"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["flow", "test", "--int"], ["--interactive"]),
        (["flow", "test", "--flow", "x", "--inp"], ["--inputs"]),
        (["flow", "init", "--type", ""], ["standard", "evaluation", "chat"]),
        (["run", "list", "-o", "t"], ["table"]),
        (["nope", ""], []),
        (["flow", "nope", ""], []),
        (["flow", "test", "--flow", ""], []),
    ],
)
def test_nouns_verbs_flags_and_choices_are_offered(work, typed, words):
    assert offered(*typed) == words


def test_every_noun_is_offered_with_what_it_is_about(work):
    assert all(about for _, about in candidates([""]))
    assert all(about for _, about in candidates(["flow", "test", "--"]))


@pytest.fixture
def names(work):
    for name in ("base", "better", "other"):
        (work.parent / "home" / "runs" / name).mkdir(parents=True)
    connection = '{"type": "open_ai", "api_key": "k"}'
    (work / ".env").write_text(f"mine={connection}\n'$(touch hit)'={connection}\n", encoding="utf-8")


@pytest.mark.parametrize(
    "typed",
    [
        ["run", "show", "-n"],
        ["run", "show"],
        ["run", "visualize", "--names"],
        ["run", "visualize"],
        ["run", "create", "--flow", "f", "--run"],
        ["run", "create", "--resume-from"],
        ["run", "delete", "--yes"],
    ],
)
def test_names_of_runs_are_offered(names, typed):
    assert sorted(offered(*typed, "b")) == ["base", "better"]


def test_names_of_connections_are_offered(names):
    assert offered("connection", "show", "-n", "m") == ["mine"]


def test_a_broken_env_file_offers_nothing(work):
    (work / ".env").write_text("this is none\n", encoding="utf-8")
    assert offered("connection", "show", "-n", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_for_each_shell(penstock, shell):
    answer = penstock("completion", shell, "--alias", "pf")
    assert answer.code == 0
    assert "penstock completion words --" in answer.out
    assert "penstock pf" in answer.out


def test_an_alias_that_is_no_name_is_refused(penstock):
    answer = penstock("completion", "bash", "--alias", "a; rm x")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "penstock: --alias takes the name of a command, not 'a; rm x'.\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_well_formed(penstock, shell):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not here")
    text = penstock("completion", shell).out
    subprocess.run([program, "-n"], input=text, text=True, check=True)


@pytest.mark.skipif(BASH is None, reason="bash is not here")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("penstock flow v", ["validate"]),
        ("penstock run show -n be", ["better"]),
        ("penstock connection show -n ", [r"\$\(touch\ hit\)", "mine"]),
        ("pf flow s", ["show"]),
    ],
)
def test_bash_offers_words_and_quotes_them(names, work, line, words):
    program = work / "bin" / "penstock"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m penstock "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    script = (
        'eval "$(penstock completion bash --alias pf)"\n'
        f"COMP_WORDS=({line} {'' if not line.endswith(' ') else chr(39) * 2})\n"
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_penstock\nprintf '%s\\n' \"${COMPREPLY[@]}\"\ncomplete -p pf >/dev/null\n"
    )
    env = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([BASH, "--norc"], input=script, text=True, capture_output=True, check=True, env=env)
    assert done.stdout.splitlines() == words
    assert done.stderr == ""
    assert not Path("hit").exists()
