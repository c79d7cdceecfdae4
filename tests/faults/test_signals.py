"""Ctrl-C and its kin end a run cleanly; asked twice, at once."""

import os
import signal
import time

import pytest

from penstock.records import Status

NAPS = """
def naps(rest):
    time.sleep(float(rest))
    return "rested"
"""


def create(house, xs, *words, **given):
    data = house.data(xs)
    flow = house.flow(NAPS, **given)
    words = ("--name", "r", "--workers", 1, "--concurrency", 2, *words)
    # A session of its own, so that the signal can go to the whole group as a terminal sends it.
    return house.start("run", "create", "--flow", flow, "--data", data, *words, start_new_session=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_lines_in_flight_are_finished_and_the_others_left_for_later(house, until, number, code):
    xs = ["naps 0.01", "naps 0.6", *(f"naps 0.05{digit}" for digit in range(300))]
    process = create(house, xs)
    until(lambda: len(house.began()) > 3)
    os.killpg(process.pid, number)
    began = time.monotonic()
    _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert time.monotonic() - began < 10
    assert "lines in flight are finished first" in err
    assert "Traceback" not in err
    run = house.stored("r")
    assert (run.status, run.failure.kind) == (Status.CANCELED, "Interrupted")
    assert 3 <= run.completed == len(house.began()) < 302
    assert house.lines("r")[1].status is Status.COMPLETED
    house.command("run", "create", "--resume-from", "r", "--name", "r", "--quiet")
    assert house.stored("r").completed == 302
    assert len(house.began()) == 302


def test_second_ctrl_c_does_not_wait_for_lines_in_flight(house, until, workers_of):
    process = create(house, ["naps 0.01", "naps 600", "naps 601", "naps 602"])
    until(lambda: len(house.began()) == 3)
    workers = workers_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in err
    run = house.stored("r")
    assert (run.status, run.completed, run.failure.kind) == (Status.CANCELED, 1, "Interrupted")
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers))


def test_ctrl_c_while_the_last_lines_run_leaves_a_completed_run(house, until):
    process = create(house, ["naps 0.01", "naps 0.5"])
    until(lambda: len(house.began()) == 2)
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert (house.stored("r").status, house.stored("r").completed) == (Status.COMPLETED, 2)


def test_interrupted_run_does_not_aggregate(house, until):
    sums = "@tool\ndef sum_up(ys: list, xs: list):\n    note('summed')\n    log_metric('n', len(ys))\n"
    process = create(house, ["naps 0.01", "naps 0.5"], aggregation=sums)
    until(lambda: len(house.began()) == 2)
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert house.stored("r").status is Status.CANCELED
    assert "summed" not in house.began()
    house.command("run", "create", "--resume-from", "r", "--name", "r", "--quiet")
    run = house.stored("r")
    assert (run.status, [(metric.name, metric.value) for metric in run.metrics]) == (Status.COMPLETED, [("n", 2)])
    assert len(house.began()) == 3
