"""Time the same batch written in every way there is: whole commands, and their ratio to the graph of nodes in YAML.

usage: kinds.py [--lines 20000] [--asked 20000] [--repeats 5] [--json OUT]

The first rows do the same small work without a model; the others ask a scripted model once a line. The kinds take turns, so
that what else the machine does meets all of them; each figure is the median with the smallest and the largest beside it.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORK = "    return {'said': f'{text.upper()} {len(text)}'}\n"
PLAIN = {
    "dag": (
        {
            "flow.dag.yaml": "inputs: {text: {type: string}}\n"
            'outputs: {said: {type: string, reference: "${work.output.said}"}}\n'
            "nodes:\n- {name: work, type: python, source: {type: code, path: work.py},"
            ' inputs: {text: "${inputs.text}"}}\n',
            "work.py": f"from promptflow.core import tool\n\n\n@tool\ndef work(text: str) -> dict:\n{WORK}",
        },
        ".",
    ),
    "flex function": (
        {"flow.flex.yaml": "entry: work:work\n", "work.py": f"def work(text: str) -> dict:\n{WORK}"},
        ".",
    ),
    "flex class": (
        {
            "flow.flex.yaml": "entry: work:Work\n",
            "work.py": f"class Work:\n    def __call__(self, text: str) -> dict:\n    {WORK}",
        },
        ".",
    ),
    "functions": (
        {"work.py": f"def said(text: str) -> str:\n{WORK}".replace("{'said': ", "").replace("}'}", "}'")},
        "work.py",
    ),
}
PROMPT = "user:\nSay {{text}} again.\n"
ASKED = {
    "dag": (
        {
            "flow.dag.yaml": "inputs: {text: {type: string}}\n"
            'outputs: {output: {type: string, reference: "${ask.output}"}}\n'
            "nodes:\n- {name: ask, type: llm, source: {type: code, path: ask.jinja2}, connection: c, api: chat,"
            ' inputs: {model: m, text: "${inputs.text}"}}\n',
            "ask.jinja2": PROMPT,
        },
        ".",
    ),
    "prompty": (
        {
            "ask.prompty": "---\nmodel:\n  api: chat\n  configuration: {type: openai, connection: c, model: m}\n"
            f"  parameters: {{}}\ninputs: {{text: {{type: string}}}}\n---\n{PROMPT}"
        },
        "ask.prompty",
    ),
    "functions": (
        {
            "work.py": "from penstock.functions import llm\n\n\n@llm(connection='c', model='m')\n"
            "def output(text: str) -> str:\n    return f'Say {text} again.'\n"
        },
        "work.py",
    ),
}


def seconds(home, folder, source, rules, data, name):
    words = [sys.executable, "-m", "penstock", "run", "create", "--flow", source, "--data", data, "--name", name, "-q"]
    began = time.perf_counter()
    env = {**os.environ, "PENSTOCK_HOME": str(home), "c": '{"type": "open_ai", "api_key": "k"}'}
    asked = ["--offline", str(rules)] if rules else []
    subprocess.run([*words, *asked], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def measure(title, kinds, lines, repeats, folder, rules=None):
    data = folder / f"{title}.jsonl"
    data.write_text("".join(json.dumps({"text": f"row {number}"}) + "\n" for number in range(lines)))
    for kind, (files, _) in kinds.items():
        place = folder / title / kind.replace(" ", "_")
        place.mkdir(parents=True)
        for name, text in files.items():
            (place / name).write_text(text)
    spent = {kind: [] for kind in kinds}
    for turn in range(repeats + 1):
        for kind, (_, source) in kinds.items():
            place = folder / title / kind.replace(" ", "_")
            took = seconds(folder / "home", place, source, rules, str(data), f"{title}-{kind.replace(' ', '-')}-{turn}")
            if turn:  # the first one fills caches
                spent[kind].append(took)
    base = statistics.median(spent["dag"])
    for kind, found in spent.items():
        middle = statistics.median(found)
        yield {
            "batch": title,
            "kind": kind,
            "lines": lines,
            "seconds": f"{middle:.2f} ({min(found):.2f} to {max(found):.2f})",
            "lines_per_second": round(lines / middle),
            "over_dag": round(middle / base, 3),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--asked", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    rows = []
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as name:
        folder = Path(name)
        (folder / "rules.yaml").write_text("default: {text: '{{last}}'}\n")
        for row in (
            *measure("plain", PLAIN, options.lines, options.repeats, folder),
            *measure("model", ASKED, options.asked, options.repeats, folder, folder / "rules.yaml"),
        ):
            rows.append(row)
            print(json.dumps(row), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
