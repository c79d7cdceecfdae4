"""Time whole commands, side by side with prompt flow where it is given, and against the ideal where there is one.

usage: run.py [--ours penstock] [--pf PATH_TO_pf] [--only TEXT] [--repeats 3] [--million] [--json OUT]

Each figure is the median of the repeats with the smallest and the largest beside it. Both engines run the same flow folder on
the same data against the same local endpoint (`penstock model serve`, 100 ms an answer), alternately.
"""

import argparse
import json
import os
import platform
import re
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from workloads import write_data, write_flows

SERIAL = count()


class Bench:
    """One session of timing: a folder of flows, an endpoint, two commands."""

    def __init__(self, options: argparse.Namespace, root: Path) -> None:
        self.options = options
        self.root = root
        self.ours = shlex.split(options.ours)
        self.rows: list[dict[str, object]] = []
        self.env = {
            **os.environ,
            "PENSTOCK_HOME": str(root / "home"),
            "PF_HOME_DIRECTORY": str(root / "pf-home"),
            # prompt flow as fast as it goes: no tracing, as many workers as lines may be in flight.
            "PF_DISABLE_TRACING": "true",
        }

    def command(self, arguments: list[str], env: dict[str, str] | None = None) -> tuple[float, float]:
        """Wall and CPU seconds of one command with all its children."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        done = subprocess.run(arguments, capture_output=True, text=True, env=env or self.env, check=False)
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(f"{shlex.join(arguments)} failed:\n{(done.stderr or done.stdout)[-2000:]}")
        return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def measure(
        self,
        name: str,
        ours: Callable[[], tuple[float, float]],
        peer: Callable[[], tuple[float, float]] | None = None,
        *,
        lines: int = 0,
        ideal: float | None = None,
    ) -> None:
        """Time ``ours`` and ``peer`` in turn and print one row."""
        if self.options.only not in name:
            return
        mine: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        for turn in range(self.options.repeats):
            mine.append(ours())
            # prompt flow's batches take minutes: one is enough to tell.
            if peer is not None and self.options.pf and (turn == 0 or lines <= 1):
                theirs.append(peer())
        row: dict[str, object] = {"name": name, "penstock": _spread([wall for wall, _ in mine])}
        row["cpu"] = round(statistics.median(cpu for _, cpu in mine), 3)
        median = statistics.median(wall for wall, _ in mine)
        if theirs:
            row["promptflow"] = _spread([wall for wall, _ in theirs])
            row["ratio"] = round(statistics.median(wall for wall, _ in theirs) / median, 1)
        if lines > 1:
            row["lines_per_second"] = round(lines / median)
        if ideal is not None:
            row["over_ideal"] = round(median / ideal, 2)
        self.rows.append(row)
        print(json.dumps(row), flush=True)

    def batch(self, flow: str, lines: int, concurrency: int) -> Callable[[], tuple[float, float]]:
        """Ours: one batch run as a whole command."""
        arguments = ["--concurrency", str(concurrency), "--env-file", str(self.root / "connections.env"), "--quiet"]
        return lambda: self.command([*self.ours, *self._create(flow, lines), *arguments])

    def peer_batch(self, flow: str, lines: int, workers: int) -> Callable[[], tuple[float, float]]:
        """prompt flow's: the same flow and data."""
        env = {**self.env, "PF_WORKER_COUNT": str(workers)}
        return lambda: self.command([self.options.pf, *self._create(flow, lines)], env)

    def _create(self, flow: str, lines: int) -> list[str]:
        return [
            *("run", "create", "--flow", str(self.root / flow), "--data", str(write_data(self.root, lines))),
            *("--column-mapping", "text=${data.text}", "--name", f"bench_{os.getpid()}_{next(SERIAL)}"),
        ]


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def endpoint(root: Path, ours: list[str]) -> tuple[subprocess.Popen[str], str]:
    """Start the scripted endpoint; returns it and its address."""
    rules = root / "rules.yaml"
    rules.write_text("default: {text: An answer.}\n")
    server = subprocess.Popen(
        [*ours, "model", "serve", "--rules", str(rules), "--port", "0", "--latency", "0.1"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    for line in server.stdout:
        found = re.search(r"http://[\w.:]+", line)
        if found:
            return server, found[0].rstrip("/")
    sys.exit("the scripted endpoint did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", default=f"{sys.executable} -m penstock")
    parser.add_argument("--pf", help="prompt flow's command, in an environment of its own")
    parser.add_argument("--only", default="")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--million", action="store_true", help="also a batch of a million lines")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_flows(root)
        bench = Bench(options, root)
        server, address = endpoint(root, bench.ours)
        try:
            connect(bench, address)
            run_all(bench)
        finally:
            server.terminate()
            server.wait()
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(bench.rows, indent=1) + "\n")


def connect(bench: Bench, address: str) -> None:
    """Give both engines the same connection."""
    connection = {"type": "open_ai", "api_key": "k", "base_url": f"{address}/v1"}
    (bench.root / "connections.env").write_text(f"oai={json.dumps(connection)}\n")
    if bench.options.pf:
        file = bench.root / "oai.yaml"
        file.write_text("".join(f"{key}: {value}\n" for key, value in {"name": "oai", **connection}.items()))
        bench.command([bench.options.pf, "connection", "create", "--file", str(file)])


def run_all(bench: Bench) -> None:
    """Every workload of docs/benchmarks.md."""
    ours, pf = bench.ours, bench.options.pf
    test = ["flow", "test", "--flow", str(bench.root / "noop"), "--inputs", "text=hi"]
    bench.measure("version", lambda: bench.command([*ours, "--version"]), lambda: bench.command([pf, "--version"]))
    bench.measure("flow-test", lambda: bench.command([*ours, *test]), lambda: bench.command([pf, *test]))
    bench.measure("python-1000", bench.batch("noop", 1000, 32), bench.peer_batch("noop", 1000, 16), lines=1000)
    bench.measure("python-20000", bench.batch("noop", 20_000, 32), bench.peer_batch("noop", 20_000, 16), lines=20_000)
    bench.measure(
        "model-1000", bench.batch("model", 1000, 100), bench.peer_batch("model", 1000, 32), lines=1000, ideal=1.0
    )
    bench.measure("model-5000", bench.batch("model", 5000, 200), lines=5000, ideal=2.5)
    bench.measure(
        "blocking-640", bench.batch("sleep", 640, 64), bench.peer_batch("sleep", 640, 32), lines=640, ideal=1.0
    )
    bench.measure("cpu-400", bench.batch("burn", 400, 16), bench.peer_batch("burn", 400, 4), lines=400)
    if bench.options.million:
        bench.measure("python-1000000", bench.batch("noop", 1_000_000, 32), lines=1_000_000)


if __name__ == "__main__":
    main()
