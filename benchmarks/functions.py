"""Time graphs of functions, side by side with Hamilton in the same run.

usage: functions.py [--hamilton PYTHON] [--repeats 7] [--lines 20000] [--only TEXT] [--json OUT]

Each figure is the median of the repeats with the smallest and the largest beside it. The same module text runs in both (only
the map's types are called differently), each in a process of its own, in turn; PYTHON needs apache-hamilton, packaging,
pandas and numpy. The last rows are batches: as functions, and the same work as flow.dag.yaml.
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

# What each process runs: builds the graph, calls it once, and then times calls. Prints seconds, one call a line.
OURS = """
import sys, time, types, json
task = json.load(sys.stdin)
import penstock
module = types.ModuleType("bench"); module.Each = penstock.Each; module.Collect = penstock.Collect
sys.modules["bench"] = module
exec(task["text"], module.__dict__)
started = time.perf_counter()
flow = penstock.flow(module, outputs=task["output"])
call = lambda: flow(**task["inputs"])
"""
THEIRS = """
import sys, time, types, json
task = json.load(sys.stdin)
from hamilton import driver
from hamilton.htypes import Collect, Parallelizable
module = types.ModuleType("bench"); module.Each = Parallelizable; module.Collect = Collect
sys.modules["bench"] = module
exec(task["text"], module.__dict__)
started = time.perf_counter()
builder = driver.Builder().with_modules(module)
if task["map"]:
    builder = builder.enable_dynamic_execution(allow_experimental_mode=True)
graph = builder.build()
call = lambda: graph.execute([task["output"]], inputs=task["inputs"])[task["output"]]
"""
TIMED = """
value = call()
print(json.dumps({"value": value, "first": time.perf_counter() - started}))
for _ in range(task["calls"]):
    started = time.perf_counter()
    call()
    print(time.perf_counter() - started)
"""


def chain(nodes: int) -> str:
    """Functions of which each takes the one before."""
    lines = ["def n0(x: int) -> int:\n    return x\n"]
    lines += [f"def n{i}(n{i - 1}: int) -> int:\n    return n{i - 1} + 1\n" for i in range(1, nodes)]
    return "\n".join(lines)


def wide(nodes: int) -> str:
    """Functions that wait 50 ms each, and one that takes them all."""
    lines = ["import time\n"]
    lines += [f"def n{i}(x: int) -> int:\n    time.sleep(0.05)\n    return x\n" for i in range(nodes)]
    names = [f"n{i}" for i in range(nodes)]
    lines += [f"def total({', '.join(f'{name}: int' for name in names)}) -> int:\n    return {' + '.join(names)}\n"]
    return "\n".join(lines)


MAP = """
def item(n: int) -> Each[int]:
    yield from range(n)

def square(item: int) -> int:
    return item * item

def total(square: Collect[int]) -> int:
    return sum(square)
"""
NESTED = """
def outer(n: int) -> Each[int]:
    yield from range(n)

def inner(outer: int) -> Each[int]:
    yield from range(outer)

def product(outer: int, inner: int) -> int:
    return outer * inner

def row(product: Collect[int]) -> int:
    return sum(product)

def total(row: Collect[int]) -> int:
    return sum(row)
"""
DAG = """
inputs: {text: {type: string}}
outputs: {result: {type: object, reference: "${result.output}"}}
nodes:
- {name: clean, type: python, source: {type: code, path: clean.py}, inputs: {text: "${inputs.text}"}}
- {name: size, type: python, source: {type: code, path: size.py}, inputs: {clean: "${clean.output}"}}
- name: result
  type: python
  source: {type: code, path: result.py}
  inputs: {clean: "${clean.output}", size: "${size.output}"}
"""


class Bench:
    """One session of timing."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.rows: list[dict[str, object]] = []

    def graph(
        self,
        name: str,
        text: str,
        output: str,
        inputs: dict[str, object],
        *,
        calls: int,
        per: int = 1,
        unit: str = "ms",
        is_map: bool = False,
        peer: bool = True,
    ) -> None:
        """Time calls of one graph, in milliseconds, or in microseconds a node where ``per`` nodes are told."""
        if self.options.only not in name:
            return
        task = json.dumps({"text": text, "output": output, "inputs": inputs, "calls": calls, "map": is_map})
        mine: list[float] = []
        theirs: list[float] = []
        row: dict[str, object] = {"name": name, "unit": unit}
        for _ in range(self.options.repeats):
            value, times = timed(sys.executable, OURS, task)
            mine.append(min(times))
            if peer and self.options.hamilton:
                other, times = timed(self.options.hamilton, THEIRS, task)
                if isinstance(other, str):
                    row["hamilton"] = other
                    peer = False
                    continue
                assert other == value, (name, value, other)
                theirs.append(min(times))
        factor = (1e6 if unit.startswith("µs") else 1e3) / per
        row["penstock"] = spread([seconds * factor for seconds in mine])
        if theirs:
            row["hamilton"] = spread([seconds * factor for seconds in theirs])
            row["ratio"] = round(statistics.median(theirs) / statistics.median(mine), 1)
        self.show(row)

    def imports(self) -> None:
        """What a module of functions costs to import, beyond what its interpreter does."""
        if self.options.only not in "import":
            return
        ours = "from penstock import Collect, Each, extract_fields, llm, prompt, when"
        cases = {
            "python": "pass",
            "import penstock": "import penstock",
            "with its marks": ours,
            "penstock.flow": "from penstock import flow",
        }
        found: dict[str, list[float]] = {name: [] for name in cases}
        if self.options.hamilton:
            found["hamilton"] = []
        for _ in range(self.options.repeats * 2):
            for name, code in cases.items():
                found[name].append(wall([sys.executable, "-c", code]))
            if self.options.hamilton:
                code = "from hamilton import driver; from hamilton.function_modifiers import config"
                found["hamilton"].append(wall([self.options.hamilton, "-c", code]))
        for name, times in found.items():
            self.show(
                {"name": f"import: {name}", "unit": "ms", "penstock": spread([seconds * 1e3 for seconds in times])}
            )

    def batches(self) -> None:
        """The same three functions over the same lines, as functions and as a graph of nodes."""
        if self.options.only not in "batch":
            return
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            flows = write_flows(root)
            data = root / "data.jsonl"
            data.write_text("".join(json.dumps({"text": f"line {i}"}) + "\n" for i in range(self.options.lines)))
            env = {**os.environ, "PENSTOCK_HOME": str(root / "home")}
            found: dict[str, list[float]] = {name: [] for name in flows}
            for turn in range(self.options.repeats):
                for name, flow in flows.items():
                    words = [
                        "run",
                        "create",
                        "--flow",
                        str(flow),
                        "--data",
                        str(data),
                        "--name",
                        f"{name}{turn}",
                        "--quiet",
                    ]
                    found[name].append(wall([sys.executable, "-m", "penstock", *words], env))
        middle = {name: statistics.median(times) for name, times in found.items()}
        for name, times in found.items():
            rate = round(self.options.lines / middle[name])
            over = round(middle[name] / middle["dag"], 3)
            self.show(
                {
                    "name": f"batch: {name}",
                    "unit": "s",
                    "penstock": spread(times),
                    "lines_per_second": rate,
                    "over_dag": over,
                }
            )

    def show(self, row: dict[str, object]) -> None:
        """Keep and print one row."""
        self.rows.append(row)
        print(json.dumps(row, ensure_ascii=False), flush=True)


def write_flows(root: Path) -> dict[str, Path]:
    """Three functions as functions, and as nodes."""
    functions = {
        "clean": "def clean(text: str) -> str:\n    return text.strip().lower()\n",
        "size": "def size(clean: str) -> int:\n    return len(clean)\n",
        "result": "def result(clean: str, size: int) -> dict:\n    return {'text': clean, 'size': size}\n",
    }
    (root / "functions").mkdir()
    (root / "functions/flow.py").write_text("\n\n".join(functions.values()))
    (root / "dag").mkdir()
    for name, text in functions.items():
        (root / f"dag/{name}.py").write_text(f"from promptflow.core import tool\n\n\n@tool\n{text}")
    (root / "dag/flow.dag.yaml").write_text(DAG)
    return {"dag": root / "dag", "functions": root / "functions/flow.py"}


def timed(python: str, head: str, task: str) -> tuple[object, list[float]]:
    """The value of one task and the seconds of its calls; in place of the value why there is none."""
    try:
        done = subprocess.run(
            [python, "-c", head + TIMED], input=task, capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return "does not end (60 s)", []
    if done.returncode:
        return f"fails: {done.stderr.strip().splitlines()[-1][:80]}", []
    first, *times = done.stdout.splitlines()
    return json.loads(first)["value"], [float(seconds) for seconds in times]


def wall(command: list[str], env: dict[str, str] | None = None) -> float:
    """Seconds of one command, which must succeed."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=env)
    return time.perf_counter() - began


def spread(values: list[float]) -> str:
    """Median, smallest and largest."""
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--hamilton", metavar="PYTHON", help="an interpreter with Hamilton, in an environment of its own"
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}", flush=True)
    bench = Bench(options)
    node = {"unit": "µs a node"}
    bench.graph("chain of 100", chain(100), "n99", {"x": 1}, calls=200, per=100, **node)
    bench.graph("chain of 1,000", chain(1_000), "n999", {"x": 1}, calls=20, per=1_000, **node)
    bench.graph("chain of 10,000", chain(10_000), "n9999", {"x": 1}, calls=3, per=10_000, **node)
    bench.graph("10 functions of 50 ms", wide(10), "total", {"x": 1}, calls=3)
    bench.graph("map of 3,000 items", MAP, "total", {"n": 3_000}, calls=2, is_map=True)
    bench.graph("map in a map, 60 by 60", NESTED, "total", {"n": 60}, calls=2, is_map=True)
    bench.imports()
    bench.batches()
    if options.json:
        options.json.write_text(json.dumps(bench.rows, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
