"""Small flows, run in this process: quick, and nothing to wait for."""

import json
import os

import pytest

from penstock.connections.resolve import Connections
from penstock.runners.local import LocalRunner
from penstock.runs.batch import run_batch
from penstock.runs.spec import RunSpec
from penstock.settings import Settings
from penstock.store.store import open_store

SHOUT = """
from promptflow.core import tool

@tool
def shout(text: str, mark: str = "!") -> str:
    if text == "fail":
        raise ValueError("it had to be")
    return text.upper() + mark
"""
FLOW = """
inputs:
  text: {type: string}
  mark: {type: string, default: "!"}
outputs:
  loud: {type: string, reference: "${shout.output}"}
nodes:
- name: shout
  type: python
  source: {type: code, path: shout.py}
  inputs: {text: "${inputs.text}", mark: "${inputs.mark}"}
"""
SCORE = """
from promptflow.core import log_metric, tool

@tool
def score(answer: str, truth: str) -> float:
    return float(answer == truth)
"""
TOTAL = """
from promptflow.core import log_metric, tool

@tool
def total(scores: list):
    log_metric("accuracy", sum(scores) / len(scores))
    log_metric("scored", len(scores))
"""
EVALUATION = """
inputs:
  answer: {type: string}
  truth: {type: string}
outputs:
  score: {type: double, reference: "${score.output}"}
nodes:
- name: score
  type: python
  source: {type: code, path: score.py}
  inputs: {answer: "${inputs.answer}", truth: "${inputs.truth}"}
- name: total
  type: python
  aggregation: true
  source: {type: code, path: total.py}
  inputs: {scores: "${score.output}"}
"""


class Desk:
    """A store, flows, and runs in this process."""

    def __init__(self, folder):
        self.folder = folder
        self.settings = Settings(home=folder / "home", env=dict(os.environ))

    def write(self, files, name="flow"):
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for path, text in files.items():
            (folder / path).write_text(text)
        return folder

    def shouting(self):
        return self.write({"flow.dag.yaml": FLOW, "shout.py": SHOUT})

    def evaluation(self):
        return self.write({"flow.dag.yaml": EVALUATION, "score.py": SCORE, "total.py": TOTAL}, "evaluation")

    def data(self, rows, name="data.jsonl"):
        path = self.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def run(self, flow=None, rows=None, **given):
        beside = {name: given.pop(name) for name in ("stop", "datasets", "listener", "runner") if name in given}
        beside.setdefault("runner", LocalRunner())
        if rows is not None:
            given["data"] = {"data": str(self.data(rows))}
        given.setdefault("line_timeout", 30.0)
        spec = RunSpec(flow=str(flow or ""), **given)
        connections = given.get("named") or Connections.open(self.settings)
        return run_batch(spec, self.settings, connections, **beside)

    def lines(self, name):
        with open_store(self.settings) as store, store.view_journal(name) as journal:
            return {entry.index: entry.result() for entry in journal.in_order()}

    def outputs(self, name):
        path = self.settings.home / "runs" / name / "flow_outputs/output.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def stored(self, name):
        with open_store(self.settings) as store:
            return store.get_run(name)

    def names(self):
        with open_store(self.settings) as store:
            return sorted(run.name for run in store.list_runs(None, "include"))


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)
