"""A house for runs that go wrong: flows whose one tool does what its input says, and a store of their own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from penstock.connections.resolve import Connections
from penstock.runs.batch import run_batch
from penstock.runs.spec import RunSpec
from penstock.settings import Settings
from penstock.store.store import open_store

HEAD = '''
import asyncio, ctypes, gc, json, os, re, signal, subprocess, sys, threading, time
from promptflow.core import log_metric, tool

TRACE = os.environ.get("TRACE")


class Wild(BaseException):
    pass


class Odd:
    def __repr__(self):
        return "an odd thing"


def note(text):
    """One write, so that the file tells what began even if this process dies right after."""
    if TRACE:
        handle = os.open(TRACE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{text}\\n".encode())
        os.close(handle)


def hold_the_interpreter():
    re.match(r"(a+)+$", "a" * 48 + "b")
'''

THREADS = (
    HEAD
    + """

@tool
def act(x: str) -> str:
    note(x)
    word, _, rest = x.partition(" ")
    return globals()[word](rest) if word in globals() else x.upper()
"""
)

LOOP = (
    HEAD
    + """

@tool
async def act(x: str) -> str:
    note(x)
    word, _, rest = x.partition(" ")
    if word in globals():
        value = globals()[word](rest)
        return await value if asyncio.iscoroutine(value) else value
    await asyncio.sleep(0)
    return x.upper()
"""
)


class House:
    """Flows, runs and what they left."""

    def __init__(self, folder):
        self.folder = folder
        self.settings = Settings(home=folder / "home", env=dict(os.environ))
        self.trace = folder / "trace.txt"

    def flow(self, extra="", mode="threads", aggregation=None, name="flow"):
        """A flow whose node ``act`` calls the function of ``extra`` that its input names, or else shouts."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "act.py").write_text((THREADS if mode == "threads" else LOOP) + "\n" + extra)
        dag = (
            "inputs:\n  x: {type: string}\n"
            "outputs:\n  y: {type: string, reference: '${act.output}'}\n"
            "nodes:\n"
            "- {name: act, type: python, source: {type: code, path: act.py}, inputs: {x: '${inputs.x}'}}\n"
        )
        if aggregation is not None:
            (folder / "sum.py").write_text(HEAD + "\n" + aggregation)
            dag += (
                "- {name: sum_up, type: python, aggregation: true, source: {type: code, path: sum.py},"
                " inputs: {ys: '${act.output}', xs: '${inputs.x}'}}\n"
            )
        (folder / "flow.dag.yaml").write_text(dag)
        return folder

    def data(self, xs, name="data.jsonl"):
        """A data file with a row for each of ``xs``."""
        path = self.folder / name
        path.write_text("".join(json.dumps({"x": x}) + "\n" for x in xs))
        return path

    def run(self, flow, xs=None, **given):
        """The outcome of a run in this process, with workers of its own."""
        given.setdefault("workers", 1)
        given.setdefault("line_timeout", 20.0)
        beside = {name: given.pop(name) for name in ("stop", "runner", "datasets", "listener") if name in given}
        if xs is not None:
            given["data"] = {"data": str(self.data(xs))}
        variables = {"TRACE": str(self.trace), **given.pop("environment_variables", {})}
        spec = RunSpec(flow=str(flow) if flow else "", environment_variables=variables, **given)
        return run_batch(spec, self.settings, Connections.open(self.settings), **beside)

    def lines(self, name):
        """Every line of a run by its number."""
        with open_store(self.settings) as store, store.view_journal(name) as journal:
            return {entry.index: entry.result() for entry in journal.in_order()}

    def stored(self, name):
        with open_store(self.settings) as store:
            return store.get_run(name)

    def delete(self, name):
        with open_store(self.settings) as store:
            store.delete_run(name)

    def names(self):
        with open_store(self.settings) as store:
            return [run.name for run in store.list_runs(None, "include")]

    def began(self):
        """What the tool was called with, as often as it was."""
        return self.trace.read_text().splitlines() if self.trace.exists() else []

    def environment(self):
        return {**os.environ, "PENSTOCK_HOME": str(self.settings.home), "TRACE": str(self.trace)}

    def start(self, *words, **given):
        """The command, started."""
        return subprocess.Popen(
            [sys.executable, "-m", "penstock", *map(str, words)],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **given,
        )

    def command(self, *words, code=0, **given):
        """The command, run to its end."""
        process = self.start(*words, **given)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, err + out
        return out, err


def workers_of(pid):
    """Process ids of the workers that a process started, as the kernel tells."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"penstock.runners.worker" in words and words[-2] == str(pid).encode():
                found.append(int(folder.name))
    return found


def until(condition, seconds=20.0):
    """Wait for ``condition`` and return what it gave."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not come to pass")


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


@pytest.fixture(name="workers_of")
def workers_of_fixture():
    return workers_of


@pytest.fixture(name="until")
def until_fixture():
    return until
