"""The flows and data that are timed: small enough that what is measured is the engine."""

import json
from pathlib import Path

_TOOL = """from promptflow.core import tool


@tool
def {name}(x: str) -> str:
    {body}
    return x + "{name}"
"""

_CHAIN = """inputs:
  text: {type: string}
outputs:
  out: {type: string, reference: "${c.output}"}
nodes:
- {name: a, type: python, source: {type: code, path: a.py}, inputs: {x: "${inputs.text}"}}
- {name: b, type: python, source: {type: code, path: b.py}, inputs: {x: "${a.output}"}}
- {name: c, type: python, source: {type: code, path: c.py}, inputs: {x: "${b.output}"}}
"""

_MODEL = """inputs:
  text: {type: string}
outputs:
  out: {type: string, reference: "${answer.output}"}
nodes:
- {name: a, type: python, source: {type: code, path: a.py}, inputs: {x: "${inputs.text}"}}
- name: answer
  type: llm
  source: {type: code, path: answer.jinja2}
  inputs: {model: gpt-4o, temperature: 0, max_tokens: 64, text: "${a.output}"}
  connection: oai
  api: chat
"""

# What the first of the three nodes does; the others do nothing.
_FIRST = {
    "noop": "pass",
    "sleep": "import time; time.sleep(0.1)",
    "burn": "sum(range(400000))",
}


def write_flows(root: Path) -> None:
    """One folder a workload."""
    for name, body in _FIRST.items():
        folder = root / name
        folder.mkdir()
        (folder / "flow.dag.yaml").write_text(_CHAIN)
        for node in "abc":
            (folder / f"{node}.py").write_text(_TOOL.format(name=node, body=body if node == "a" else "pass"))
    folder = root / "model"
    folder.mkdir()
    (folder / "flow.dag.yaml").write_text(_MODEL)
    (folder / "a.py").write_text(_TOOL.format(name="a", body="pass"))
    (folder / "answer.jinja2").write_text("system:\nYou are helpful.\nuser:\n{{text}}\n")


def write_data(root: Path, lines: int) -> Path:
    """A JSONL file of that many lines, made once."""
    path = root / f"data{lines}.jsonl"
    if not path.exists():
        with path.open("w") as file:
            file.writelines(json.dumps({"text": f"text {number}"}) + "\n" for number in range(lines))
    return path
