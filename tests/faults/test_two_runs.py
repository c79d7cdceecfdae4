"""Several runs at once on one store."""

import os
import signal

import pytest

from penstock.errors import RunExists, StoreError, UsageError
from penstock.records import Status

NAPS = """
def naps(rest):
    time.sleep(float(rest))
    return "rested"
"""


def test_runs_at_once_on_one_store_do_not_mix(house):
    flow = house.flow()
    processes = []
    for name in ("one", "two", "three"):
        data = house.data([f"{name} {number}" for number in range(100)], f"{name}.jsonl")
        words = ("run", "create", "--flow", flow, "--data", data, "--name", name, "--workers", 1, "--quiet")
        processes.append(house.start(*words))
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    for name in ("one", "two", "three"):
        outputs = [line.output["y"] for line in house.lines(name).values()]
        assert outputs == [f"{name} {number}".upper() for number in range(100)]
        assert house.stored(name).completed == 100


def test_of_runs_with_one_name_exactly_one_wins(house):
    flow, data = house.flow(NAPS), house.data(["naps 0.3"] * 5)
    words = ("run", "create", "--flow", flow, "--data", data, "--name", "r", "--workers", 1, "--quiet")
    processes = [house.start(*words) for _ in range(3)]
    ends = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert sorted(code for _, code in ends) == [0, 1, 1]
    for err, code in ends:
        assert code == 0 or ("'r'" in err and len(err.strip().splitlines()) == 1)
    assert (house.stored("r").status, house.stored("r").completed) == (Status.COMPLETED, 5)
    # The losers ran nothing.
    assert len(house.began()) == 5


def test_name_that_is_taken_is_refused_before_anything_runs(house):
    flow = house.flow()
    house.run(flow, ["a"], name="r")
    with pytest.raises(RunExists, match="'r'"):
        house.run(flow, ["b"], name="r")
    assert house.began() == ["a"]
    assert house.lines("r")[0].output == {"y": "A"}


def test_run_that_is_still_running_cannot_be_resumed(house, until):
    data = house.data(["naps 0", "naps 600"])
    words = ("run", "create", "--flow", house.flow(NAPS), "--data", data, "--name", "r", "--workers", 1, "--quiet")
    process = house.start(*words)
    until(lambda: len(house.began()) == 2)
    for name in ("r", "other"):
        with pytest.raises(UsageError, match=f"still running, in process {process.pid}"):
            house.run(None, resume_from="r", name=name)
    with pytest.raises(StoreError, match="being written"):
        house.delete("r")
    process.kill()
    process.communicate()
    assert house.names() == ["r"]


def test_run_that_was_deleted_while_it_ran_says_so(house, until):
    process = house.start(
        "run", "create", "--flow", house.flow(NAPS), "--data", house.data(["naps 1"] * 3), "--name", "r", "--workers", 1
    )
    until(house.began)
    folder = house.settings.home / "runs/r"
    folder.rename(house.folder / "moved")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "penstock:" in err


def test_paused_run_is_not_taken_for_dead(house, until):
    process = house.start(
        "run",
        "create",
        "--flow",
        house.flow(NAPS),
        "--data",
        house.data(["naps 0.2"] * 3),
        "--name",
        "r",
        "--workers",
        1,
    )
    until(house.began)
    os.kill(process.pid, signal.SIGSTOP)
    assert house.stored("r").status is Status.RUNNING
    os.kill(process.pid, signal.SIGCONT)
    process.communicate(timeout=30)
    assert house.stored("r").status is Status.COMPLETED
