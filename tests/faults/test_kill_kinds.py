"""kill -9 in the middle of a sequence, a conversation, a class's batch: what was finished is kept, the rest is done again."""

import json
import random
import time

import pytest

from penstock.records import Status

from .test_kill import alive, journal_of

COUNT = 120
HEAD = """
import os, time

def began(x):
    line = f"{x}\\n".encode()
    file = os.open(BEGAN, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line)
    os.close(file)
"""
MAP = """
from penstock.functions import Collect, Each

def parts(x: str) -> Each[str]:
    began(x)
    return [f"{x}.{number}" for number in range(5)]

def slow(parts: str) -> str:
    time.sleep(0.02)
    return parts.upper()

def y(slow: Collect[str]) -> str:
    return " ".join(slow)
"""
CLASS = """
class Speaker:
    def __init__(self, mark: str = "!"):
        self.mark = mark

    def __call__(self, x: str) -> dict:
        began(x)
        time.sleep(0.04)
        return {"y": x + self.mark}

    def __aggregate__(self, lines: list) -> dict:
        return {"lines": len(lines)}
"""
ROLE = """inputs:
  history: {type: list}
  x: {type: string, default: ""}
outputs: {said: {type: string, reference: "${speak.output}"}}
nodes:
- {name: speak, type: python, source: {type: code, path: speak.py}, inputs: {history: "${inputs.history}", x: "${inputs.x}"}}
"""
SPEAK = """
from promptflow.core import tool

@tool
def speak(history: list, x: str) -> str:
    if not history:
        began(x)
    time.sleep(0.02)
    return x or f"{len(history)} {history[0]['said']}"
"""
GROUP = {"type": "chat_group", "max_turns": 4, "roles": [
    {"role": "user", "path": "user", "inputs": {"history": "${parent.conversation_history}", "x": "${parent.inputs.x}"}},
    {"role": "bot", "path": "bot", "inputs": {"history": "${parent.conversation_history}"}},
]}  # fmt: skip
KINDS = {
    "map": {"flow.penstock.yaml": "modules: [mine.py]\noutputs: {y: y}\n", "mine.py": HEAD + MAP},
    "class": {"flow.flex.yaml": "entry: mine:Speaker\ninit: {mark: {type: string, default: '!'}}\n", "mine.py": HEAD + CLASS},
    "chat group": {
        "flow.chat.yaml": json.dumps(GROUP),
        "user/flow.dag.yaml": ROLE, "user/speak.py": HEAD + SPEAK, "bot/flow.dag.yaml": ROLE, "bot/speak.py": HEAD + SPEAK,
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_of_any_kind_of_flow_is_resumed_without_loss(house, workers_of, until, kind):
    flow, trace = house.folder / "kinds", house.folder / "kinds_began"
    for name, text in KINDS[kind].items():
        path = flow / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("BEGAN", repr(str(trace))))
    rows = house.folder / "kinds.jsonl"
    rows.write_text("".join(json.dumps({"x": f"x{number}"}) + "\n" for number in range(COUNT)))
    words = ("--column-mapping", "x=${data.x}", "--quiet", "--workers", 2, "--concurrency", 4)
    process = house.start("run", "create", "--flow", flow, "--data", rows, *words, "--name", "r")
    until(lambda: journal_of(house, "r").exists() and journal_of(house, "r").stat().st_size > 500)
    workers = workers_of(process.pid)
    time.sleep(random.Random(kind).random() * 0.1)
    process.kill()
    process.communicate()
    until(lambda: not any(map(alive, workers)))
    before = house.lines("r")
    assert 0 < len(before) < COUNT
    house.command("run", "create", "--resume-from", "r", "--name", "r", "--quiet")
    after = house.lines("r")
    assert {index for index, line in after.items() if line.status is Status.COMPLETED} == set(range(COUNT))
    assert {index: after[index] for index in before} == before
    said = json.dumps([after[index].output for index in range(COUNT)])
    assert all(f'"x{number}' in said or f'"X{number}' in said for number in range(COUNT))
    begun = trace.read_text().split()
    assert set(begun) == {f"x{number}" for number in range(COUNT)}
    assert len(begun) - COUNT <= 16  # those that were under way when it was killed
