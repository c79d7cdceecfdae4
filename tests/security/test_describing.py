"""Code that is imported to say what it is: whatever it does then, the process that asks gets an answer or a sentence."""

import os
import subprocess
import time

import pytest

from penstock.errors import LoadError
from penstock.frontends import entry_child
from penstock.frontends.functions import description
from penstock.frontends.load import load

FLEX = "entry: mine:run\n"
# No reading tells the signature of what a call makes.
ENTRY = "def made():\n    def run(text: str = 'x') -> str:\n        return text\n    return run\nrun = made()\n"
NODES = "def run(text: str) -> str:\n    return text\n"

NOISE = {
    "prints": "print('{\"description\": 1}')\n",
    "writes to the descriptor": 'import os\nos.write(1, b\'{"error": "forged"}\')\n',
    "a child prints": "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(5)'])\n",
    "prints much": "import sys\nfor _ in range(300): print('x' * 10_000); sys.stderr.write('y' * 10_000)\n",
    "a thread that goes on": "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n",
    "a process that goes on": "import subprocess\nsubprocess.Popen(['sleep', '600'])\n",
    "a fork that goes on": "import os, time\nif os.fork() == 0:\n    time.sleep(600)\n    os._exit(0)\n",
    "closes what it prints to": "import sys\nsys.stdout.close()\n",
}


@pytest.fixture(params=["flex", "functions"])
def flow(request, write):
    """Writes a flow whose code begins with what is given, and loads it."""

    def loaded(code):
        if request.param == "flex":
            folder = write("flow", {"flow.flex.yaml": FLEX, "mine.py": code + ENTRY})
            return load(folder)
        return load(
            write("flow", {"flow.penstock.yaml": "modules: [mine.py]\noutputs: {run: run}\n", "mine.py": code + NODES})
        )

    return loaded


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_what_code_does_beside_being_imported_spoils_no_answer(flow, noise):
    started = time.monotonic()
    assert list(flow(noise).inputs) == ["text"]
    assert time.monotonic() - started < 60  # none of what goes on is waited for


@pytest.mark.parametrize(
    "end", ["os._exit(0)", "os._exit(3)", "os.kill(os.getpid(), 9)", "os.write(1, b'5'); os._exit(0)"]
)
def test_code_that_ends_its_process_is_named(flow, end):
    with pytest.raises(LoadError, match=r"ended with"):
        flow(f"import os\n{end}\n")


def test_code_that_hangs_is_ended_with_all_that_it_started(flow, tmp_path, monkeypatch):
    monkeypatch.setattr(entry_child, "_SECONDS", 3)
    monkeypatch.setattr(description, "_SECONDS", 3)
    code = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
open({str(tmp_path / "pid")!r}, 'w').write(str(child.pid))
time.sleep(600)
"""
    with pytest.raises(LoadError, match="longer than 3 s"):
        flow(code)
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(child)], capture_output=True, text=True, check=False)
        if not state.stdout.strip() or state.stdout.startswith("Z"):
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
        pytest.fail("the process that the code started goes on")
