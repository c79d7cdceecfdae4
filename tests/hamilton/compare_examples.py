"""Every script and module of Hamilton's examples and contributed dataflows, each graph executed by Hamilton and by Penstock.

``PENSTOCK_HAMILTON=CHECKOUT python tests/hamilton/compare_examples.py [-v] [PART OF A PATH]`` prints a line for each file
that executes a graph at all (with -v for all), and leaves with 1 where an output differs. Scripts run as they are: those that
want data, keys or packages that are not there end early; what they had executed until then counts. Modules are executed
function by function with made-up inputs. With ``OPENAI_BASE_URL`` set to an endpoint that answers the same question the same
way, those that ask models take part; nothing else beyond this machine is reached. Files are written where the checkout lies.
"""

import collections
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SECONDS = 60
_NO_NETWORK = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
}
# These wait for somebody, start servers, or need a cluster.
LEFT_OUT = (
    "streamlit",
    "airflow",
    "dagster",
    "prefect",
    "metaflow",
    "/docs/",
    "server.py",
    "fastapi",
    "notebook",
    "test_",
)


def files(checkout, part):
    """Pairs of what executes a file and the file."""
    for folder in ("examples", "contrib/hamilton"):
        for path in sorted((checkout / folder).rglob("*.py")):
            name = str(path.relative_to(checkout))
            if any(word in f"/{name}" for word in LEFT_OUT) or part not in name:
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            if "driver" in text and (".execute(" in text or ".materialize(" in text):
                yield "shadow.py", path
            if any(_is_dataflow(line) for line in text.splitlines()):
                yield "module_shadow.py", path


def _is_dataflow(line):
    """Whether it begins a function that could be a node: one that says what it gives."""
    return line.startswith(("def ", "async def ")) and "main(" not in line and "def _" not in line


def run(checkout, way, path):
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results.jsonl"
        command = [sys.executable, str(Path(__file__).with_name(way)), str(results), path.name]
        env = {**os.environ, "MPLBACKEND": "agg", "HAMILTON_TELEMETRY_ENABLED": "false", **_NO_NETWORK}
        try:
            done = subprocess.run(
                command, cwd=path.parent, env=env, capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL
            )
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            failed = done.returncode != 0
        except subprocess.TimeoutExpired:
            said, failed = [f"not done after {SECONDS} s"], True
        found = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
        return path.relative_to(checkout), way, [json.loads(line) for line in found], "".join(said)[:160], failed


def main():
    checkout = Path(os.environ["PENSTOCK_HAMILTON"])
    part = next((word for word in sys.argv[1:] if word != "-v"), "")
    total, ran, silent, ends = collections.Counter(), collections.Counter(), collections.Counter(), 0
    with ThreadPoolExecutor(2) as pool:
        for name, way, found, said, failed in pool.map(lambda one: run(checkout, *one), list(files(checkout, part))):
            verdicts = collections.Counter(item["verdict"] for item in found)
            total += verdicts
            (ran if found else silent)[way] += 1
            ends += bool(found) and failed
            if found or "-v" in sys.argv:
                print(f"{name} ({way}): {dict(verdicts)} {said if failed or not found else ''}".rstrip(), flush=True)
            for item in found:
                if item["verdict"] not in ("equal", "both raise"):
                    print(f"    {item['verdict']}: {item['asked']}: {item['detail']}", flush=True)
    for way, kind in (("shadow.py", "scripts"), ("module_shadow.py", "modules")):
        print(f"{ran[way]} {kind} executed a graph, {silent[way]} could not or have none")
    print(f"{sum(total.values())} graphs: {dict(total)}; {ends} files ended early")
    return 1 if total["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
