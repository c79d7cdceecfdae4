"""What a line does to its worker costs that line and no other."""

import pytest

from penstock.records import Status
from penstock.runs.dataset import Dataset

WAYS_TO_FAIL = """
def leaves(rest):
    sys.exit(3)

def goes_wild(rest):
    raise Wild("roar")

def interrupts(rest):
    raise KeyboardInterrupt

def stops_iterating(rest):
    raise StopIteration(5)

def raises(rest):
    raise ValueError("no")
"""
WAYS_TO_DIE = """
def ends(rest):
    os._exit(7)

def crashes(rest):
    ctypes.string_at(0)

def is_killed(rest):
    os.kill(os.getpid(), signal.SIGKILL)
"""
ASYNC_WAYS_TO_FAIL = """
async def cancels_itself(rest):
    raise asyncio.CancelledError("me")

async def leaves_later(rest):
    await asyncio.sleep(0)
    sys.exit(4)

async def cancels_all(rest):
    for task in asyncio.all_tasks():
        task.cancel()
    await asyncio.sleep(1)

async def stops_the_loop(rest):
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)
    return "stopped"

async def leaves_in_a_task(rest):
    async def part():
        sys.exit(5)
    await asyncio.create_task(part())
"""


def good(count, start=0):
    return [f"good {number}" for number in range(start, start + count)]


@pytest.mark.parametrize("mode", ["threads", "loop"])
def test_whatever_a_tool_raises_is_a_failed_line(house, mode):
    xs = [*good(5), "leaves", "goes_wild", "interrupts", "stops_iterating", "raises", *good(5)]
    run = house.run(house.flow(WAYS_TO_FAIL, mode), xs, name="r").run
    lines = house.lines("r")
    assert (run.status, run.completed, run.failed) == (Status.COMPLETED, 10, 5)
    assert [lines[number].failure.node for number in range(5, 10)] == ["act"] * 5
    assert "sys.exit(3)" in lines[5].failure.message
    assert "Wild" in lines[6].failure.message
    assert "roar" in lines[6].failure.message
    assert "KeyboardInterrupt" in lines[7].failure.message
    assert "Execution failure in 'act': (ValueError) no" in lines[9].failure.message
    # None of it took a worker along: nothing ran twice.
    assert sorted(house.began()) == sorted(xs)


def test_coroutine_that_cancels_itself_or_leaves_fails_alone(house):
    xs = [*good(5), "cancels_itself", "leaves_later", "leaves_in_a_task", *good(5)]
    run = house.run(house.flow(ASYNC_WAYS_TO_FAIL, "loop"), xs, name="r", line_timeout=5.0).run
    lines = house.lines("r")
    assert (run.completed, run.failed) == (10, 3)
    assert "cancelled" in lines[5].failure.message.lower()
    assert "sys.exit(4)" in lines[6].failure.message
    assert sorted(house.began()) == sorted(xs)


def test_tool_that_cancels_all_tasks_or_stops_the_loop_keeps_no_line_from_being_told(house):
    xs = [*good(3), "cancels_all", "stops_the_loop", *good(3)]
    run = house.run(house.flow(ASYNC_WAYS_TO_FAIL, "loop"), xs, name="r", concurrency=1).run
    lines = house.lines("r")
    assert (run.completed, run.failed) == (7, 1)
    assert "cancelled" in lines[3].failure.message.lower()
    assert lines[4].output == {"y": "stopped"}
    assert house.began() == xs


@pytest.mark.parametrize("mode", ["threads", "loop"])
def test_line_that_ends_its_worker_is_tried_once_more_and_fails_with_the_reason(house, mode):
    xs = [*good(8), "ends", *good(8), "crashes", *good(8), "is_killed", *good(8)]
    run = house.run(house.flow(WAYS_TO_DIE, mode), xs, name="r").run
    lines = house.lines("r")
    failed = {number: line for number, line in lines.items() if line.status is Status.FAILED}
    assert (run.status, sorted(failed), run.completed) == (Status.COMPLETED, [8, 17, 26], 32)
    assert {line.failure.kind for line in failed.values()} == {"ProcessCrashError"}
    assert {line.attempts for line in failed.values()} == {2}
    assert {line.source["x"] for line in failed.values()} == {"ends", "crashes", "is_killed"}
    assert "exit code 7" in failed[8].failure.message
    assert "SIGSEGV" in failed[17].failure.message
    assert "act.py" in failed[17].failure.message
    assert "SIGKILL" in failed[26].failure.message
    assert all(line.failure.message.endswith("also when it ran the line alone.") for line in failed.values())
    # The first attempt may have ended with another line's worker, before it came to anything.
    assert {house.began().count(x) for x in ("ends", "crashes", "is_killed")} <= {1, 2}


@pytest.mark.parametrize("workers", [1, 2])
def test_poison_among_two_hundred_good_lines_is_the_only_one_to_fail(house, workers):
    xs = [*good(100), "ends", *good(100, 100)]
    run = house.run(house.flow(WAYS_TO_DIE), xs, name="r", workers=workers).run
    lines = house.lines("r")
    assert (run.completed, run.failed, sorted(lines)) == (200, 1, list(range(201)))
    assert (lines[100].status, lines[100].attempts) == (Status.FAILED, 2)
    began = house.began()
    assert began.count("ends") == 2
    # Those that were under way when the worker died ran again, and say so.
    twice = {x for x in began if began.count(x) > 1} - {"ends"}
    assert twice | {"ends"} <= {xs[number] for number, line in lines.items() if line.attempts == 2}


def test_line_whose_worker_dies_the_first_time_only_completes_at_its_second_attempt(house):
    once = """
def dies_once(rest):
    if not os.path.exists(rest):
        open(rest, "w").close()
        os._exit(1)
    return "alive"
"""
    run = house.run(house.flow(once), [*good(5), f"dies_once {house.folder}/mark", *good(5)], name="r").run
    line = house.lines("r")[5]
    assert (run.completed, run.failed) == (11, 0)
    assert (line.output, line.attempts) == ({"y": "alive"}, 2)


def test_memory_that_a_line_eats_is_bounded(house):
    eats = """
def eats(rest):
    kept = []
    while True:
        kept.append(bytearray(16 << 20))
"""
    run = house.run(house.flow(eats), [*good(4), "eats", *good(4)], name="r", concurrency=2, worker_memory=1 << 30).run
    assert (run.completed, run.failed) == (8, 1)
    assert "MemoryError" in house.lines("r")[4].failure.message


def test_value_that_is_no_json_is_told_in_a_node_and_refused_as_an_output(house):
    odd = """
def odd(rest):
    return Odd()
"""
    flow = house.flow(odd)
    dag = flow / "flow.dag.yaml"
    second = "- {name: shout, type: python, source: {type: code, path: shout.py}, inputs: {value: '${act.output}'}}\n"
    (flow / "shout.py").write_text(
        "from promptflow.core import tool\n\n@tool\ndef shout(value) -> str:\n    return repr(value)\n"
    )
    dag.write_text(dag.read_text().replace("${act.output}'}\nnodes", "${shout.output}'}\nnodes") + second)
    house.run(flow, ["odd", "good"], name="tolerated")
    line = house.lines("tolerated")[0]
    assert (line.status, line.output) == (Status.COMPLETED, {"y": "an odd thing"})
    assert line.nodes[0].output == "an odd thing"
    dag.write_text(dag.read_text().replace("${shout.output}", "${act.output}"))
    run = house.run(flow, ["odd", "good"], name="refused").run
    refused = house.lines("refused")[0]
    assert (run.completed, run.failed, refused.failure.kind) == (1, 1, "FlowOutputUnserializable")


def test_huge_values_go_through(house):
    huge = """
def grows(rest):
    return "x" * int(rest)
"""
    size = 12_000_000
    run = house.run(house.flow(huge), ["good", f"grows {size}", "y" * 5_000_000, "good"], name="r").run
    lines = house.lines("r")
    assert (run.completed, run.failed) == (4, 0)
    assert len(lines[1].output["y"]) == size
    assert lines[2].output["y"] == "Y" * 5_000_000


def test_inputs_too_deep_to_be_sent_fail_their_line_alone(house):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    rows = Dataset.of_rows([{"x": "a"}, {"x": deep}, {"x": "b"}])
    run = house.run(house.flow(), name="r", datasets={"data": rows}).run
    assert (run.status, run.completed, run.lines) == (Status.COMPLETED, 2, 3)
    assert "cannot be sent to a worker" in house.lines("r")[1].failure.message
