"""kill -9, of the run or of a worker, at any moment: nothing finished is lost, nothing else runs twice."""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from penstock.records import Status
from penstock.store.journal import FILE

SLOW = """
def naps(rest):
    time.sleep(0.03)
    return rest

def holds(rest):
    hold_the_interpreter()

def leaves_a_child(rest):
    subprocess.Popen(["sleep", "599.25"])
    return "left"

def forks(rest):
    pid = os.fork()
    if not pid:
        time.sleep(600)
    return str(pid)

def leaves_a_thread(rest):
    threading.Thread(target=time.sleep, args=(600,)).start()
    return "left"
"""
XS = [f"naps {number}" for number in range(150)]


def alive(pid):
    """Whether a process runs; one that is dead but not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def command_lines():
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                yield (folder / "cmdline").read_bytes().split(b"\0")


def create(house, flow, *words):
    data = house.data(XS)
    return ("run", "create", "--flow", flow, "--data", data, "--quiet", "--workers", 2, "--concurrency", 6, *words)


def finished(house, name):
    return {index: line for index, line in house.lines(name).items() if line.status is Status.COMPLETED}


def journal_of(house, name):
    return house.settings.home / "runs" / name / FILE


@pytest.mark.parametrize(("into", "seed"), [("r", 1), ("again", 2)])
def test_killed_run_is_resumed_without_loss_and_without_repeating(house, workers_of, until, into, seed):
    flow = house.flow(SLOW)
    process = house.start(*create(house, flow, "--name", "r"))
    until(lambda: journal_of(house, "r").exists() and journal_of(house, "r").stat().st_size > 1000)
    workers = workers_of(process.pid)
    time.sleep(random.Random(seed).random() * 0.4)
    process.kill()
    process.communicate()
    assert len(workers) == 2
    until(lambda: not any(map(alive, workers)))
    before, in_flight = finished(house, "r"), len(set(house.began())) - len(house.lines("r"))
    assert 0 < len(before) < len(XS)
    run = house.stored("r")
    assert (run.status, run.failure.kind) == (Status.CANCELED, "RunInterrupted")
    house.command("run", "create", "--resume-from", "r", "--name", into, "--quiet")
    after = finished(house, into)
    assert [after[number].output["y"] for number in range(len(XS))] == [str(number) for number in range(len(XS))]
    assert {index: after[index] for index in before} == before
    twice = [x for x, count in Counter(house.began()).items() if count > 1]
    # Only lines that were in flight, or whose result was on its way to the disk.
    assert len(twice) <= in_flight <= 20
    assert not {XS[index] for index in before} & set(twice)


def test_journal_cut_off_at_any_byte_is_resumed(house):
    flow = house.flow()
    xs = [f"w {number}" for number in range(12)]
    house.run(flow, xs, name="r", workers=1)
    whole = journal_of(house, "r").read_bytes()
    expected = {index: line.output for index, line in house.lines("r").items()}
    for cut in random.Random(5).sample(range(len(whole)), 4):
        journal_of(house, "r").write_bytes(whole[:cut])
        kept = set(house.lines("r"))
        house.trace.unlink()
        run = house.run(None, resume_from="r", name="r", workers=1).run
        assert (run.status, run.completed) == (Status.COMPLETED, 12)
        assert {index: line.output for index, line in house.lines("r").items()} == expected
        assert set(house.began()) == {x for index, x in enumerate(xs) if index not in kept}


def test_worker_dies_with_the_run_even_where_something_holds_its_interpreter(house, workers_of, until):
    data = house.data(["holds"])
    process = house.start("run", "create", "--flow", house.flow(SLOW), "--data", data, "--workers", 1)
    until(lambda: house.began())
    workers = workers_of(process.pid)
    assert len(workers) == 1
    process.kill()
    process.communicate()
    until(lambda: not alive(workers[0]), 5.0)


def test_workers_killed_at_random_cost_nothing(house, workers_of, until):
    process = house.start(*create(house, house.flow(SLOW), "--name", "r"))
    chance = random.Random(7)
    killed = 0
    until(house.began)
    while process.poll() is None and killed < 3:
        for pid in chance.sample(workers_of(process.pid), 1):
            os.kill(pid, signal.SIGKILL)
            killed += 1
        time.sleep(0.25 + chance.random() * 0.2)
    out, err = process.communicate(timeout=60)
    assert killed >= 2
    # A line may be unlucky twice, then it fails; none is lost.
    lines = house.lines("r")
    assert sorted(lines) == list(range(len(XS)))
    assert {line.failure.kind for line in lines.values() if line.failure} <= {"ProcessCrashError"}
    assert process.returncode == (1 if any(line.failure for line in lines.values()) else 0), err + out
    repeated = {x for x, count in Counter(house.began()).items() if count > 1}
    assert repeated <= {XS[index] for index, line in lines.items() if line.attempts == 2}


def test_what_tools_leave_behind_ends_with_the_run(house, until):
    xs = ["leaves_a_child", "leaves_a_thread", "forks", *(f"w {number}" for number in range(20))]
    # One after the other: a child that is forked while another thread starts a program keeps that thread waiting.
    run = house.run(house.flow(SLOW), xs, name="r", concurrency=1).run
    assert (run.completed, run.failed) == (23, 0)
    child = int(house.lines("r")[2].output["y"])
    until(lambda: not alive(child), 5.0)
    until(lambda: not any(b"599.25" in words for words in command_lines()), 5.0)


def test_worker_whose_death_a_forked_child_hides_is_noticed(house):
    hides = (
        SLOW
        + """
def hides(rest):
    # A fork that Python does not know of keeps every pipe of this process open.
    if not ctypes.CDLL(None).fork():
        time.sleep(600)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    run = house.run(house.flow(hides), ["a", "hides", "b"], name="r").run
    assert (run.completed, run.failed) == (2, 1)
    assert "SIGKILL" in house.lines("r")[1].failure.message
