"""Memory does not grow with the data."""

import subprocess
import sys

PEAK = """
import sys
from penstock.connections.resolve import Connections
from penstock.runs.batch import run_batch
from penstock.runs.spec import RunSpec
from penstock.settings import read_settings

settings = read_settings()
spec = RunSpec(flow=sys.argv[1], data={"data": sys.argv[2]}, name=sys.argv[3], workers=2)
run = run_batch(spec, settings, Connections.open(settings)).run
# Not ru_maxrss, which a process has from the one that started it.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(run.completed, int(peak) // 1024)
"""


def peak(house, flow, count):
    """Lines completed and the most megabytes that the process of a run over ``count`` lines ever held."""
    data = house.data((f"{number} {'w' * 300}" for number in range(count)), f"{count}.jsonl")
    words = [sys.executable, "-c", PEAK, str(flow), str(data), f"r{count}"]
    done = subprocess.run(words, env=house.environment(), capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def test_memory_of_a_run_is_the_same_for_eight_times_the_lines(house):
    flow = house.flow()
    (flow / "act.py").write_text((flow / "act.py").read_text().replace("    note(x)\n", ""))
    few, small = peak(house, flow, 2_000)
    many, large = peak(house, flow, 16_000)
    assert (few, many) == (2_000, 16_000)
    # The larger one's data is 5 MB, its journal 30 MB.
    assert large - small < 12
