"""A line may take so long and no longer, whatever it does with its time; the others in flight do not notice."""

import pytest

from penstock.records import Status

BLOCKING = """
def sleeps(rest):
    time.sleep(600)

def spins(rest):
    while True:
        pass

def holds(rest):
    hold_the_interpreter()

def naps(rest):
    time.sleep(float(rest))
    return "rested"
"""
AWAITING = """
async def waits(rest):
    await asyncio.sleep(600)

async def refuses_to_go(rest):
    while True:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            pass

async def blocks_later(rest):
    await asyncio.sleep(0.01)
    time.sleep(600)

async def naps(rest):
    await asyncio.sleep(float(rest))
    return "rested"
"""


def check(house, guilty, xs, name="r"):
    lines = house.lines(name)
    failed = [number for number, line in lines.items() if line.status is Status.FAILED]
    assert failed == [xs.index(x) for x in guilty]
    for number in failed:
        assert lines[number].failure.kind == "LineExecutionTimeoutError"
        assert lines[number].failure.message == f"Line {number} execution timeout for exceeding 1 seconds"
        assert lines[number].source == {"x": xs[number]}


@pytest.mark.parametrize("guilty", ["sleeps", "spins"])
def test_blocking_line_is_reported_in_time_and_others_in_flight_are_unharmed(house, guilty):
    xs = [
        *(f"naps {0.2 + number / 20}" for number in range(8)),
        guilty,
        *(f"naps 0.{number}" for number in range(1, 9)),
    ]
    run = house.run(house.flow(BLOCKING), xs, name="r", line_timeout=1.0, concurrency=6).run
    assert (run.status, run.completed, run.failed) == (Status.COMPLETED, 16, 1)
    check(house, [guilty], xs)
    # The worker finished its other lines before it was replaced.
    assert sorted(house.began()) == sorted(xs)


def test_line_that_holds_the_interpreter_is_ended_from_outside(house):
    xs = ["holds", *(f"naps 0.{number}" for number in range(1, 6))]
    run = house.run(house.flow(BLOCKING), xs, name="r", line_timeout=1.0, concurrency=1).run
    assert (run.completed, run.failed) == (5, 1)
    check(house, ["holds"], xs)
    assert house.lines("r")[0].attempts == 1


def test_of_lines_in_flight_beside_one_that_holds_the_interpreter_only_that_one_fails(house):
    xs = [*(f"naps 0.{number}" for number in range(1, 4)), "holds", *(f"naps 0.{number}" for number in range(4, 9))]
    run = house.run(house.flow(BLOCKING), xs, name="r", line_timeout=1.0, concurrency=4).run
    assert (run.completed, run.failed) == (8, 1)
    check(house, ["holds"], xs)
    assert house.lines("r")[3].attempts == 2


@pytest.mark.parametrize("guilty", ["waits", "refuses_to_go"])
def test_awaiting_line_is_cancelled_and_others_in_flight_are_unharmed(house, guilty):
    xs = [*(f"naps 0.{number}" for number in range(1, 9)), guilty, *(f"naps 0.{number}" for number in range(1, 9))]
    run = house.run(house.flow(AWAITING, "loop"), xs, name="r", line_timeout=1.0, concurrency=6).run
    assert (run.completed, run.failed) == (16, 1)
    check(house, [guilty], xs)
    assert sorted(house.began()) == sorted(xs)


@pytest.mark.parametrize("guilty", ["sleeps", "blocks_later"])
def test_line_that_blocks_the_event_loop_is_found_and_the_others_run_again(house, guilty):
    xs = [*(f"naps 0.{number}" for number in range(1, 4)), guilty, *(f"naps 0.{number}" for number in range(1, 4))]
    run = house.run(house.flow(BLOCKING + AWAITING, "loop"), xs, name="r", line_timeout=1.0, concurrency=4).run
    assert (run.completed, run.failed) == (6, 1)
    check(house, [guilty], xs)
    # It was told apart from the lines that it kept waiting: none of them had to run alone.
    assert house.began().count(guilty) == 1


def test_more_lines_that_hang_than_there_are_threads(house):
    xs = ["sleeps"] * 5 + ["good"] * 3
    run = house.run(house.flow(BLOCKING), xs, name="r", line_timeout=0.4, concurrency=2).run
    assert (run.completed, run.failed) == (3, 5)


def test_nodes_of_a_line_that_hang_side_by_side_do_not_starve_other_lines(house):
    flow = house.flow(BLOCKING)
    twin = "- {name: twin, type: python, source: {type: code, path: act.py}, inputs: {x: '${inputs.x}'}}\n"
    dag = flow / "flow.dag.yaml"
    dag.write_text(dag.read_text() + twin)
    xs = ["sleeps", "sleeps", "sleeps", *(f"naps 0.{number}" for number in range(1, 6))]
    run = house.run(flow, xs, name="r", line_timeout=1.0, concurrency=4).run
    assert (run.completed, run.failed) == (5, 3)


def test_batch_deadline_ends_the_run_at_once_and_leaves_it_resumable(house):
    at_first = """
def naps_at_first(rest):
    if not os.path.exists(rest):
        open(rest, "w").close()
        time.sleep(600)
    return "rested"
"""
    xs = ["a", "b", f"naps_at_first {house.folder}/mark", "c"]
    run = house.run(house.flow(at_first), xs, name="r", batch_timeout=2.0, concurrency=1).run
    assert (run.status, run.failure.kind) == (Status.FAILED, "BatchRunTimeoutError")
    assert run.completed == len(house.lines("r")) <= 2
    (house.folder / "mark").touch()
    again = house.run(None, resume_from="r", name="r").run
    assert (again.status, again.completed, again.failure) == (Status.COMPLETED, 4, None)
    assert max(house.began().count(x) for x in ("a", "b", "c")) == 1
