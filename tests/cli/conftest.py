import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.main import main

DAG = """inputs:
  text: {type: string}
outputs:
  shout: {type: string, reference: "${loud.output}"}
nodes:
- name: loud
  type: python
  source: {type: code, path: loud.py}
  inputs: {text: "${inputs.text}"}
"""
LOUD = """from promptflow.core import tool


@tool
def loud(text: str) -> str:
    print("saying", text)
    if text == "bad":
        raise ValueError("no shouting of bad")
    return text.upper()
"""


@dataclass(frozen=True)
class Answer:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working directory and a home of its own."""
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    for name in ("PENSTOCK_STORE", "PENSTOCK_CONNECTION_KEY", "PYTHONIOENCODING", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def penstock(work, capsys):
    """Runs a command in this process."""

    def run(*words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return run


@pytest.fixture
def process(work):
    """Runs a command as a user does, in a process of its own, its output in pipes."""

    def run(*words, **env):
        done = subprocess.run(
            [sys.executable, "-m", "penstock", *map(str, words)],
            capture_output=True,
            check=False,
            env={**os.environ, **env},
        )
        return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


def files(folder: Path, **texts: str) -> Path:
    """Writes files; ``__`` in a keyword stands for the dot of the name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def write():
    return files


@pytest.fixture
def loud(work):
    """A flow folder that shouts, and data for it."""
    files(work, data__jsonl='{"text": "one"}\n{"text": "bad"}\n{"text": "three"}\n')
    return files(work / "loud", loud__py=LOUD, flow__dag__yaml=DAG)
