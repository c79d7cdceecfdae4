"""Every script of Hamilton's examples and contributed modules, with each graph executed by Hamilton and by Penstock.

``PENSTOCK_HAMILTON=CHECKOUT python tests/hamilton/compare_examples.py [-v] [PART OF A PATH]`` prints a line for each script
that executes a graph at all (with -v for all), and leaves with 1 where an output differs. Scripts that want data, keys or
packages that are not there end early; what they had executed until then counts. With ``OPENAI_BASE_URL`` set to an endpoint
that answers the same question the same way, those that ask models take part.
"""

import collections
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SECONDS = 90
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


def scripts(checkout, part):
    for folder in ("examples", "contrib/hamilton"):
        for path in sorted((checkout / folder).rglob("*.py")):
            name = str(path.relative_to(checkout))
            if any(word in f"/{name}" for word in LEFT_OUT) or part not in name:
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            if "driver" in text and (".execute(" in text or ".materialize(" in text):
                yield path


def run(checkout, path):
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results.jsonl"
        command = [sys.executable, str(Path(__file__).with_name("shadow.py")), str(results), path.name]
        env = {**os.environ, "MPLBACKEND": "agg", "HAMILTON_TELEMETRY_ENABLED": "false"}
        try:
            done = subprocess.run(
                command, cwd=path.parent, env=env, capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL
            )
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        except subprocess.TimeoutExpired:
            said = [f"not done after {SECONDS} s"]
        found = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
        return path.relative_to(checkout), [json.loads(line) for line in found], "".join(said)[:160]


def main():
    checkout = Path(os.environ["PENSTOCK_HAMILTON"])
    part = next((word for word in sys.argv[1:] if word != "-v"), "")
    total = collections.Counter()
    ran = 0
    with ThreadPoolExecutor(2) as pool:
        for name, found, said in pool.map(lambda path: run(checkout, path), list(scripts(checkout, part))):
            verdicts = collections.Counter(item["verdict"] for item in found)
            total += verdicts
            ran += bool(found)
            if found or "-v" in sys.argv:
                print(f"{name}: {dict(verdicts)} {said if not found else ''}".rstrip())
            for item in found:
                if item["verdict"] in ("different", "unstable"):
                    print(f"    {item['verdict']}: {item['asked']}: {item['detail']}")
    print(f"{ran} scripts executed {sum(total.values())} graphs: {dict(total)}")
    return 1 if total["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
